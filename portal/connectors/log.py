"""A connector's log, live: its PDUs, one a line, or what it tells of itself. Passwords are in neither; texts of messages are in the first, and shown to those alone
who may read them, while every account lets the log have them: for others they are neither shown nor searched.

The files are those of LOGDIR (`emg.engine.logs`). Only their ends are read, so that a page costs the same however large they are.
"""

import re
from pathlib import Path
from typing import Any, Final

from flask import abort

from emg.config.values import LogContent
from emg.db import accounts
from portal import house, tail
from portal import pages as made
from portal.connectors import asking
from portal.connectors.blueprint import pages
from portal.guard import allowed, needs
from portal.listing import Listing
from portal.permissions import Permission

SHOWN: Final = Listing("connectors.log", sorts=("time",), filters=("text", "of", "octets", "follow"))
FILES: Final = {"": "pdu", "events": "connector"}
"""What `of` chooses, and how the file's name begins."""
TROUBLE_OCTETS: Final = 256 << 10
_PDU: Final = re.compile(
    r"(?P<time>.{15,19}?\.\d{6}) \S+ emg\[\d+\]: (?P<session>\S+) (?P<arrow>[<>]) (?P<name>\S+) ?(?P<text>.*?)(?: \| (?P<octets>[0-9a-f*]*))?",
    re.DOTALL,
)
_EVENT: Final = re.compile(
    r"(?P<time>.{15,19}?\.\d{6}) \S+ emg\[\d+\]: (?P<level>[A-Z0-9]+) \S+: (?P<text>.*)", re.DOTALL
)
_TEXT: Final = re.compile(r"""\b(text|udh)=(0x[0-9a-f]*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)""")
_OCTETS: Final = re.compile(r" \| [0-9a-f*]*$")
BAD: Final = ("WARNING", "ERROR", "CRITICAL")


@pages.get("/connectors/<name:name>/log")
@needs(Permission.SEE_CONNECTORS)
def log(name: str) -> str:
    """The page; its lines are renewed while one follows."""
    shown = SHOWN.asked(name=name)
    if shown.filters["of"] not in FILES:
        abort(400, "There are two logs: that of the PDUs, and that of events.")
    seen = asking.joined(name, asking.stored(name), None)
    config = asking.in_force(name)[0]
    veiled = _veiled()
    texts = allowed(Permission.READ_TEXTS) and not veiled
    found = tail.read(
        _file(name, shown.filters["of"]),
        most=shown.limit,
        text=shown.filters["text"],
        clean=str if texts else without_text,
    )
    read = pdu if not shown.filters["of"] else event
    return made.render(
        "connectors/log.html", shown=shown, seen=seen, found=found, entries=[read(entry) for entry in found.entries],
        pdus=not shown.filters["of"], follows=not shown.filters["follow"], logged=config is None or config.logpdu, texts=texts, veiled=veiled,
    )  # fmt: skip


def _veiled() -> str:
    """An account whose texts are not for the log in full. Lines don't say whose they are: while there is one, texts are hidden to all."""
    own = next((user.name for user in house.config().users.values() if user.logcontent is not LogContent.FULL), "")
    if own:
        return own
    with house.reading() as session:
        return accounts.veiled(session)


def _file(name: str, of: str) -> Path:
    """Raises KeyError for what `FILES` does not have. A connector's name holds nothing that leads elsewhere: the caller has found it."""
    assert "/" not in name, "no connector has such a name"
    return Path(house.config().logdir) / f"{FILES[of]}.{name}"


def without_text(line: str) -> str:
    """A line of the PDU log without what a message says, and without the octets, which say it too."""
    return _TEXT.sub(r"\1=(hidden)", _OCTETS.sub("", line))


def pdu(line: str) -> dict[str, Any]:
    """A line of the PDU log in its parts; what is no such line is all `text`."""
    found = _PDU.fullmatch(line)
    return {"text": line} if found is None else {**found.groupdict(), "inward": found["arrow"] == "<"}


def event(line: str) -> dict[str, Any]:
    """A line of the other log."""
    found = _EVENT.fullmatch(line)
    return {"text": line} if found is None else {**found.groupdict(), "bad": found["level"] in BAD}


def troubles(name: str, most: int) -> list[dict[str, Any]]:
    """The last warnings and errors that tell of the connector, its own and the general log's, the newest first."""
    own = tail.read(_file(name, "events"), most=10_000, octets=TROUBLE_OCTETS).entries
    general = tail.read(
        Path(house.config().logdir) / "general", most=10_000, text=f"connector {name}: ", octets=TROUBLE_OCTETS
    )
    found = [entry for entry in map(event, dict.fromkeys([*own, *general.entries])) if entry.get("bad")]
    return sorted(found, key=lambda entry: str(entry["time"]), reverse=True)[:most]
