"""From a document as written to the model: every keyword looked up, read and filled in. Pure.

What is wrong becomes a finding and its keyword keeps its default, so that the whole file is always gone through. What needs more
than one keyword or section to be seen is the business of `emg.config.check`.
"""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from emg.config import notyet
from emg.config.connector import ConnectorConfig
from emg.config.faults import Findings
from emg.config.keywords import Keyword, Reads, table
from emg.config.model import ServerConfig, UserConfig
from emg.config.syntax import Document, Section, Setting
from emg.config.values import ConnectorType

C = TypeVar("C", ServerConfig, ConnectorConfig, UserConfig)

TABLES: Mapping[str, Mapping[str, Keyword]] = {
    "": table(ServerConfig),
    "CONNECTOR": table(ConnectorConfig),
    "USER": table(UserConfig),
}
LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True)
class Built(Generic[C]):
    """A section (or the top level) with where it stands. `given` holds what was written, also if it was `broken`."""

    value: C
    file: str
    line: int
    given: Mapping[str, Setting]
    broken: frozenset[str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration that has been read but not yet checked as a whole."""

    general: Built[ServerConfig]
    connectors: Mapping[str, Built[ConnectorConfig]]
    users: Mapping[str, Built[UserConfig]]


@dataclass(slots=True)
class _Filled:
    values: dict[str, Any]
    given: dict[str, Setting]
    broken: set[str]


def quote(row: Keyword, setting: Setting) -> str:
    """`KEY=VALUE` for a fault's text: as it stands in the file, cut if long, without the value of a secret."""
    if row.secret or setting.value is None:
        return row.name
    raw = setting.raw
    return f"{row.name}={raw if len(raw) <= LONGEST_QUOTE else raw[:LONGEST_QUOTE] + '…'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The tail of a sentence that names the known word most like this one; empty if none is."""
    close = get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def build(document: Document, folder: str, findings: Findings, above: ServerConfig | None = None) -> Draft:
    """Read all settings of a document; relative file names are taken from `folder`.

    `above`: the document adds sections to this configuration, whose general keywords hold for them.
    """
    filled = _fill("", document.settings, folder, findings)
    _inherit("", filled, filled.values)
    general = above or ServerConfig(**filled.values)
    top = Built(general, document.files[0], 0, filled.given, frozenset(filled.broken))
    draft = Draft(top, connectors := {}, users := {})
    seen: dict[tuple[str, str], Section] = {}
    for section in document.sections:
        if section.type not in ("CONNECTOR", "USER"):
            _strange(section, findings)
            continue
        filled = _fill(section.type, section.settings, folder, findings)
        first = seen.setdefault((section.type, section.name), section)
        if first is not section:
            reason = f"there is a {section.type} {section.name} already, in {first.file} line {first.line}"
            findings.fault(section.file, section.line, reason)
        elif section.type == "CONNECTOR":
            connectors[section.name] = _built(section, _connector(section.name, filled, general), filled)
        else:
            users[section.name] = _built(section, UserConfig(name=section.name, **filled.values), filled)
    return draft


def _built(section: Section, value: C, filled: _Filled) -> Built[C]:
    return Built(value, section.file, section.line, filled.given, frozenset(filled.broken))


def _connector(name: str, filled: _Filled, general: ServerConfig) -> ConnectorConfig:
    rows = TABLES["CONNECTOR"]
    if filled.values.get("type") is not ConnectorType.OUTGOING:
        for row in rows.values():
            if row.incoming is not None:
                filled.values.setdefault(row.attribute, row.incoming)
    _inherit("CONNECTOR", filled, {row.attribute: getattr(general, row.attribute) for row in TABLES[""].values()})
    return ConnectorConfig(name=name, **filled.values)


def _inherit(type: str, filled: _Filled, general: Mapping[str, Any]) -> None:  # noqa: A002 -- a section's type
    for row in TABLES[type].values():
        above = row.inherits.lower()
        if above in general:
            filled.values.setdefault(row.attribute, general[above])


def _strange(section: Section, findings: Findings) -> None:
    if section.type in notyet.SECTIONS:
        reason = f"sections of type {section.type} are not available yet; this one is ignored"
        findings.warn(section.file, section.line, reason)
    else:
        hint = nearest(section.type, ("CONNECTOR", "USER"))
        findings.fault(section.file, section.line, f"{section.type} is not a type of section{hint}")


def _fill(type: str, settings: Iterable[Setting], folder: str, findings: Findings) -> _Filled:  # noqa: A002 -- as above
    filled = _Filled({}, {}, set())
    for setting in settings:
        row = TABLES[type].get(setting.name)
        if row is None:
            _unknown(type, setting, findings)
        elif (first := filled.given.get(row.name)) is not None:
            reason = f"{row.name} was given already, in {first.file} line {first.line}"
            findings.fault(setting.file, setting.line, reason)
        else:
            filled.given[row.name] = setting
            if setting.faulty:
                filled.broken.add(row.name)
                continue
            try:
                filled.values[row.attribute] = _read(row, setting, folder)
            except ValueError as fault:
                filled.broken.add(row.name)
                findings.fault(setting.file, setting.line, f"{quote(row, setting)} {fault}")
    return filled


def _read(row: Keyword, setting: Setting, folder: str) -> Any:
    if setting.value is None and not row.kind.bare:
        raise ValueError(f"needs a value: {row.kind.says}")
    value = row.kind.parse("1" if setting.value is None else setting.value)
    if row.kind.reads is Reads.URL:
        return _resolved(value, folder)
    if row.kind.reads is not Reads.NOTHING:
        return posixpath.join(folder, value)
    return value


def _resolved(url: str, folder: str) -> str:
    """`sqlite:///emg.db` names a file in the folder; `sqlite:////var/lib/emg/emg.db` says itself where it is."""
    scheme, mark, path = url.partition(":///")
    if not scheme.startswith("sqlite") or not path or path.startswith((":memory:", "file:")):
        return url
    return f"{scheme}{mark}{posixpath.join(folder, path)}"


def _unknown(type: str, setting: Setting, findings: Findings) -> None:  # noqa: A002 -- as above
    name = setting.name
    if name in notyet.IGNORED[type]:
        findings.warn(setting.file, setting.line, f"EMG's {name} has no effect here{notyet.advice(name)}")
        return
    if name in notyet.MISSING[type]:
        reason = f"EMG's {name} is not available yet{notyet.advice(name)}"
    elif places := [place for place, rows in TABLES.items() if name in rows]:
        right = " or ".join(f"in a {place} section" if place else "at the top level" for place in places)
        reason = f"{name} does not belong here; it stands {right}"
    else:
        reason = f"{name} is not a keyword{_meant(type, name)}"
    findings.fault(setting.file, setting.line, reason)


def _meant(type: str, name: str) -> str:  # noqa: A002 -- as above
    """The tail of a sentence: the keyword most like it, of this section or else of another."""
    if hint := nearest(name, TABLES[type]):
        return hint
    for place, rows in TABLES.items():
        if close := get_close_matches(name, list(rows), 1):
            return (
                f" (did you mean {close[0]}, which stands {f'in a {place} section' if place else 'at the top level'}?)"
            )
    return ""
