"""The lines about one message in the connectors' PDU logs, where those are written (LOGPDU): found by our id and the operator's, each request with its answer.

Bounded: of the files of the two connectors at most `MOST_OCTETS` are looked through, the newest first, in a native thread, and no file that was written last before the message came; at most
`MOST_LINES` are shown. A text that the log of messages does not keep in full is not shown from here either: neither as text nor among the octets.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import gevent

from emg.db.messages import Whole

MOST_OCTETS: Final = 96 << 20
MOST_LINES: Final = 60
MOST_FILES: Final = 12
AROUND: Final = 256 << 10
"""Octets before and behind a line in which its request or its answer is looked for."""
MARGIN: Final = 5.0
"""Seconds that clocks may differ by."""
_ARROW: Final = re.compile(rb" (\S+) ([<>]) (\S+) seq (\d+) ")
_TEXT: Final = re.compile(r"""\b(text|udh)=(0x[0-9a-f]*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[0-9a-f]+)""")


@dataclass(frozen=True, slots=True)
class Line:
    """One PDU."""

    connector: str
    when: str
    session: str
    inward: bool
    text: str
    octets: str
    """In hex; empty where that would show what is not kept."""


@dataclass(slots=True)
class Pdus:
    """What was found."""

    lines: list[Line] = field(default_factory=list)
    files: int = 0
    """That were looked at."""
    bounded: bool = False
    """There was more to look through."""


def find(folder: Path, whole: Whole) -> Pdus:
    """Those of one message."""
    found: Pdus = gevent.get_hub().threadpool.apply(_find, (folder, whole))
    return found


def _find(folder: Path, whole: Whole) -> Pdus:
    row, found = whole.row, Pdus()
    ours = [str(row.id), *(str(part.id) for part in whole.parts)]
    theirs = [word for word in (row.remote_id, *(part.remote_id for part in whole.parts)) if word]
    full = whole.body is not None and not whole.body.masked
    since = row.received.timestamp() - MARGIN
    left = MOST_OCTETS
    for connector, words in {row.connector_in: ours, row.connector_out: theirs}.items():
        if not connector or not words or "/" in connector:
            continue
        names = [*ours, *theirs] if row.connector_in == row.connector_out else words
        lines: list[bytes] = []
        for path in _files(folder, connector, since):
            octets = _octets(path, left)
            left -= len(octets)
            found.files += 1
            found.bounded |= left <= 0
            lines = [*_of(octets, names), *lines]
            if left <= 0 or len(lines) > MOST_LINES:
                break
        found.bounded |= len(lines) > MOST_LINES
        found.lines += [line for raw in lines[-MOST_LINES:] if (line := _line(connector, raw, full=full))]
    return found


def _files(folder: Path, connector: str, since: float) -> Iterator[Path]:
    """The newest first, as far as they can hold anything of after `since`."""
    name = f"pdu.{connector}"
    for path in [folder / name, *(folder / f"{name}.{number}" for number in range(1, MOST_FILES))]:
        try:
            if path.stat().st_mtime < since:
                return
        except OSError:
            return
        yield path


def _octets(path: Path, most: int) -> bytes:
    """The end of a file; nothing when it can't be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - most))
            return file.read(most)
    except OSError:
        return b""


def _of(octets: bytes, words: list[str]) -> list[bytes]:
    """Lines that name one of these as a whole word, each with its other half, in their order."""
    places: set[tuple[int, int]] = set()
    for word in words:
        wanted = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(word.encode()) + rb"(?![0-9A-Za-z])")
        for hit in wanted.finditer(octets):
            place = _whole(octets, hit.start())
            if place not in places and len(places) <= 2 * MOST_LINES:
                places.add(place)
                places |= _other_half(octets, place)
    return [octets[start:end] for start, end in sorted(places)]


def _whole(octets: bytes, at: int) -> tuple[int, int]:
    """Where the line around a place begins and ends."""
    end = octets.find(b"\n", at)
    return octets.rfind(b"\n", 0, at) + 1, len(octets) if end < 0 else end


def _other_half(octets: bytes, place: tuple[int, int]) -> set[tuple[int, int]]:
    """The request of an answer, or the answer to a request: of the same session, with the same number, the other way."""
    head = _ARROW.search(octets, *place)
    if head is None:
        return set()
    session, arrow, name, number = head.groups()
    answer = name.endswith(b"_resp")
    other = name.removesuffix(b"_resp") if answer else name + b"_resp"
    wanted = b" %b %b %b seq %b " % (session, b"<" if arrow == b">" else b">", other, number)
    if answer:
        at = octets.rfind(wanted, max(0, place[0] - AROUND), place[0])
    else:
        at = octets.find(wanted, place[1], place[1] + AROUND)
    return {_whole(octets, at)} if at >= 0 else set()


def _line(connector: str, raw: bytes, *, full: bool) -> Line | None:
    text, _, octets = raw.decode("utf-8", "replace").rpartition(" | ")
    head = _ARROW.search(raw)
    if head is None or not text:
        return None
    when = raw[: head.start()].decode("utf-8", "replace").partition(" emg[")[0].rsplit(" ", 1)[0]
    told = text.partition(f" {head[1].decode('utf-8', 'replace')} {head[2].decode()} ")[2]
    if not full:
        told, octets = _TEXT.sub(r"\1=(not kept)", told), ""
    return Line(connector, when, head[1].decode("utf-8", "replace"), head[2] == b"<", told, octets)
