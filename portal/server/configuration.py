"""The configuration file as text: checked, compared, applied, gone back from.

Passwords never get to the page nor into a version: where a line of a secret keyword has one, `***` stands, and what is applied takes it from the file as it is now. The
file is written as a whole (another one, renamed over it) with its owner and mode; who had looked at an older one is refused.
"""

import contextlib
import difflib
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from flask import Blueprint, abort, current_app, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from emg.config.changes import compare, summary
from emg.config.faults import ConfigFaults
from emg.config.load import Disk, load
from emg.config.model import ServerConfig
from emg.db import audit, config_versions
from emg.db.config_versions import LARGEST
from emg.errors import ControlError, EmgError
from portal import house
from portal import pages as made
from portal.guard import needs
from portal.permissions import Permission

HIDDEN: Final = "***"
_SECRET: Final = re.compile(r"PASSWORD|TOKEN|SECRET|PASSPHRASE|HASH|CREDENTIAL|(^|_)KEY$|^DATABASE$|WEBHOOK")
_LINE: Final = re.compile(r"([ \t]*)([A-Za-z][A-Za-z0-9_]*)([ \t]*=[ \t]*)(.*?)([ \t\r]*)")
_REFERENCE: Final = re.compile(r'"?\$\{[A-Za-z_][A-Za-z0-9_]*\}"?')
_SECTION: Final = re.compile(r"\s*(\S+)\s+(\S+)\s*<\s*")
_COMMENT: Final = re.compile(r"#.*")


class Line(NamedTuple):
    """A line, and where a secret of it would belong: section and keyword."""

    text: str
    place: str
    found: re.Match[str] | None


def _lines(text: str) -> Iterator[Line]:
    section = ""
    for line in text.split("\n"):
        if opened := _SECTION.fullmatch(line):
            section = f"{opened[1].upper()} {opened[2]}"
        elif line.strip() == ">":
            section = ""
        bare = line.lstrip("# \t") if line.lstrip().startswith("#") else line
        found = _LINE.fullmatch(bare)
        hides = (
            found is not None and _SECRET.search(found[2].upper()) and found[4] and not _REFERENCE.fullmatch(found[4])
        )
        yield Line(line, f"{section}/{found[2].upper()}" if found and hides else "", found if hides else None)


def mask(text: str) -> str:
    """The text without its secrets."""
    return "\n".join(
        line.text[: len(line.text) - len(line.found[0])] + "".join((*line.found.groups()[:3], HIDDEN)) if line.found else line.text for line in _lines(text)
    )  # fmt: skip


def unmask(text: str, current: str) -> tuple[str, list[str]]:
    """The text with the secrets that stand now in the file, and what is wrong where there is none."""
    kept: dict[str, list[str]] = {}
    for line in _lines(current):
        if line.found:
            kept.setdefault(line.place, []).append(line.found[4])
    made_, faults = [], []
    for number, line in enumerate(_lines(text), 1):
        if line.found is None or line.found[4] != HIDDEN:
            made_.append(line.text)
            continue
        stock = kept.get(line.place)
        if not stock:
            faults.append(
                f"line {number}: {HIDDEN} stands for a value that is kept, and there is none of {line.found[2]} in this section: write it"
            )
            made_.append(line.text)
            continue
        value = stock.pop(0) if len(stock) > 1 else stock[0]
        made_.append(line.text[: len(line.text) - len(line.found[0])] + "".join((*line.found.groups()[:3], value)))
    return "\n".join(made_), faults


class _Edited(Disk):
    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = os.path.normpath(file), text

    def read(self, path: str) -> str:
        return self._text if path == self._file else super().read(path)


def _current() -> tuple[Path, str]:
    path = Path(house.config().file)
    try:
        octets = path.read_bytes()[: LARGEST + 1]
        if len(octets) > LARGEST:
            abort(400, f"{path} has more than {LARGEST} octets: change it on the machine.")
        return path, octets.decode()
    except (OSError, UnicodeDecodeError) as error:
        abort(400, f"{path} can't be read as text: {error}.")


def _seen(text: str) -> str:
    key = current_app.secret_key
    return hmac.new(key if isinstance(key, bytes) else str(key).encode(), text.encode(), hashlib.sha256).hexdigest()


def _difference(old: str, new: str) -> list[str]:
    """Of two masked texts."""
    return list(difflib.unified_diff(old.split("\n"), new.split("\n"), "as it is", "as it would be", lineterm=""))


def _checked(path: Path, text: str) -> tuple[ServerConfig | None, list[str]]:
    if len(text.encode()) > LARGEST:
        return None, [f"the text has more than {LARGEST} octets"]
    try:
        return load(str(path), source=_Edited(str(path), text)), []
    except ConfigFaults as error:
        return None, [
            f"{f'line {fault.line}' if fault.file == str(path) else f'{fault.file}, line {fault.line}'}: {fault.reason}"
            for fault in error.faults
        ]


def install(pages: Blueprint) -> None:
    """These pages are part of that blueprint."""
    pages.add_url_rule("/server/configuration", "configuration", edit, methods=["GET", "POST"])
    pages.add_url_rule("/server/configuration/apply", "apply", apply, methods=["GET", "POST"])
    pages.add_url_rule("/server/configuration/versions/<int:number>", "version", version, methods=["GET"])


def _page(text: str, seen: str, faults: list[str]) -> str:
    with house.reading() as tables:
        versions = config_versions.listing(tables, house.config().file)
    return render_template(
        "server/configuration.html", file=house.config().file, text=text, seen=seen, faults=faults, versions=versions
    )


@needs(Permission.CHANGE_SERVER)
def edit() -> str:
    """The text; posted: what would change, or what is wrong."""
    path, current = _current()
    if request.method == "GET":
        return _page(mask(current), _seen(current), [])
    text = request.form.get("text", "").replace("\r\n", "\n")
    seen = request.form.get("seen", "")
    whole, faults = unmask(text, current)
    config = None
    if not faults:
        config, faults = _checked(path, whole)
    if config is None:
        return _page(text, seen, faults)
    difference = _difference(mask(current), mask(whole))
    told: dict[str, list[str]] = {}
    with contextlib.suppress(EmgError):
        told = {
            name.replace("_", " "): names for name, names in summary(compare(load(str(path)), config)).items() if names
        }
    return render_template(
        "server/difference.html", text=text, seen=seen, difference=difference, told=told, same=whole == current, conflict=seen != _seen(current),
        secret=whole != current and not difference, warnings=[str(row) for row in config.warnings], file=str(path),
    )  # fmt: skip


@needs(Permission.CHANGE_SERVER)
def apply() -> Response | str:
    """Write it, and have the gateway read it."""
    if request.method == "GET":
        return made.turn(url_for("server.configuration"))
    path, current = _current()
    text, why = request.form.get("text", "").replace("\r\n", "\n"), request.form.get("why", "").strip()[:255]
    if request.form.get("seen", "") != _seen(current):
        flash("The file was changed meanwhile: look at the difference to what it is now.", "danger")
        return _page(text, _seen(current), [])
    whole, faults = unmask(text, current)
    if not faults:
        faults = _checked(path, whole)[1]
    if faults:
        return _page(text, _seen(current), faults)
    try:
        _write(path, whole)
    except OSError as error:
        abort(400, f"{path} was not written: {error.strerror}. Its folder must be writable for the portal's user.")
    with house.writing() as tables:
        config_versions.keep(tables, house.actor(), str(path), mask(current), "as it was found")
        kept = config_versions.keep(tables, house.actor(), str(path), mask(whole), why)
        audit.note(
            tables,
            house.actor(),
            "change",
            "configuration",
            str(path),
            None,
            {"version": kept.id if kept else None, "why": why},
        )
    current_app.extensions[house.NAME].reload()
    try:
        waits = house.gateway().post("/reload").get("after_restart", [])
        flash(
            f"{path} is written, and the gateway has taken it."
            + (f" These wait for a restart: {', '.join(waits)}." if waits else ""),
            "success",
        )
    except ControlError as error:
        flash(f"{path} is written. The gateway did not take it now: {error}.", "warning")
    return made.turn(url_for("server.configuration"))


def _write(path: Path, text: str) -> None:
    real = path.resolve()
    facts = real.stat()
    draft = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(handle, facts.st_mode & 0o7777)
            if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, facts.st_uid, facts.st_gid)
            os.fsync(handle)
        draft.rename(real)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(real.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@needs(Permission.CHANGE_SERVER)
def version(number: int) -> str:
    """An older one, with what going back to it would change."""
    _path, current = _current()
    with house.reading() as tables:
        found = config_versions.find(tables, number)
    if found.file != house.config().file[:255]:
        abort(404, "That version is of another file.")
    return render_template(
        "server/version.html", version=found, seen=_seen(current), difference=_difference(mask(current), found.text)
    )
