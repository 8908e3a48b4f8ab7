"""USERS=file of a connector: USER sections in a file of their own. Pure.

A user in such a file who names no CONNECTOR may log in at those connectors only that name the file. Its text is read and its sections
are added to the document, so that everything after this knows one way only in which users are given.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from emg.config.faults import Findings, Unreadable
from emg.config.syntax import SECTION_NAME, Document, Setting, Source, parse


@dataclass(slots=True)
class _UsersFile:
    first: Setting
    connectors: list[str] = field(default_factory=list)


def join_users(document: Document, folder: str, environ: Mapping[str, str], source: Source, findings: Findings) -> None:
    """Read every users file that the document's connectors name, once each, and add its sections to the document."""
    files: dict[str, _UsersFile] = {}
    for section in document.sections:
        setting = next((item for item in section.settings if item.name == "USERS" and item.value), None)
        if section.type == "CONNECTOR" and setting and setting.value and SECTION_NAME.fullmatch(section.name):
            path = posixpath.normpath(posixpath.join(folder, setting.value))
            files.setdefault(path, _UsersFile(setting)).connectors.append(section.name)
    for path, users in files.items():
        _join(document, path, users, environ, source, findings)


def _join(
    document: Document, path: str, users: _UsersFile, environ: Mapping[str, str], source: Source, findings: Findings
) -> None:
    first = users.first
    try:
        text = source.read(path)
    except Unreadable as reason:
        findings.fault(first.file, first.line, f"USERS={first.raw} can't be read: {reason}")
        return
    added = parse(text, path, environ, source, findings)
    document.files.extend(added.files)
    for setting in added.settings:
        findings.fault(setting.file, setting.line, "a users file holds USER sections only")
    for section in added.sections:
        if section.type != "USER":
            findings.fault(section.file, section.line, "a users file holds USER sections only")
            continue
        if all(setting.name != "CONNECTOR" for setting in section.settings):
            names = ",".join(users.connectors)
            section.settings.append(Setting("CONNECTOR", names, names, section.file, section.line))
        document.sections.append(section)
