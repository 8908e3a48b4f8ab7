"""The database's tables as the gateway gets them: rows, and the file that one table's rows travel in. Pure.

A child process of the gateway (`emg.db.reader`) reads the tables, checks each row's form, and writes one file a *subject*; the gateway
reads the files and builds from them what it decides by. They are also the last good copy for a start without a database. Rows are as
they stand in the tables, money in micro-units, times in epoch seconds; whether a row can be *used* (do its connectors exist?) is judged
where it is used.

A file is `EMGTABLE`, two octets of version, a BLAKE2b digest of 32 octets over all that follows, then frames of four octets of length and
MessagePack: the `Header`, and the rows in blocks of at most `BLOCK`, so that whoever decodes them in a thread holds nobody up for long.
`decode` raises `SnapshotFault` with half a sentence for what is no such file, is of another version or damaged.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from emg.errors import EmgError
from emg.rules.faults import Fault

MAGIC: Final = b"EMGTABLE"
VERSION: Final = 1
"""Raised with each change of `Header` or of a row."""
BLOCK: Final = 500
DIGEST: Final = 32

_FRONT = struct.Struct(f">8sH{DIGEST}s")
_LENGTH = struct.Struct(">I")


class SnapshotFault(EmgError):
    """This file is not used; the text says why, without its name."""


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row of any table."""

    id: int


class AccountRow(Row, frozen=True, array_like=True, gc=False):
    """An account that is not deleted, with what its customer says about it."""

    name: str
    customer_id: int | None
    customer: str
    """The customer's name; empty for an account without one."""
    customer_locked: bool
    password_hash: str
    locked: bool
    prepaid: bool
    credit_limit: int | None
    currency: str
    credited: int
    charged: int
    sessions: int
    throughput: float
    windowsize: int | None
    maxqueuesize: int
    daily_limit: int
    maxparts: int | None
    operations: str
    force_sourceaddr: str
    sourceaddr: str
    route: str
    routedlr: str
    perpartdlr: bool | None
    content: str
    access: tuple[tuple[str, str], ...]
    """Its rows of `account_access`: (network, connector or `*`). Empty: it can't log in anywhere."""


class ConnectorRow(Row, frozen=True, array_like=True, gc=False):
    """A connector, in the very words of the configuration file; see `emg.config.stored`."""

    name: str
    lines: tuple[tuple[str, str], ...]
    """(keyword, value) in their order, without options that are switched off; the value is empty for a bare keyword."""
    disabled: bool


class RouteRow(Row, frozen=True, array_like=True, gc=False):
    """A row of the routing table; see `emg.rules.route_rows`."""

    prefix: str
    account: str
    connector_in: str
    connector_out: str
    priority: int
    weight: int
    enabled: bool


class PriceRow(Row, frozen=True, array_like=True, gc=False):
    """A row of the price table."""

    prefix: str
    account: str
    connector_in: str
    connector_out: str
    price: int
    cost: int
    currency: str
    valid_from: float | None
    valid_until: float | None
    refund: str


class NetworkRow(Row, frozen=True, array_like=True, gc=False):
    """A row of the numbering table."""

    prefix: str
    country: str
    name: str
    mcc: str
    mnc: str


class BlockRow(Row, frozen=True, array_like=True, gc=False):
    """A row of the black list, or of the white list."""

    white: bool
    field: str
    address: str
    action: str


class SettingRow(Row, frozen=True, array_like=True, gc=False):
    """A setting that is set. The gateway decides nothing by it, and knows no value: a copy is read for the faults in its header alone."""

    name: str


ROWS: Final[Mapping[str, type[Row]]] = {
    "account": AccountRow,
    "connector": ConnectorRow,
    "route": RouteRow,
    "price": PriceRow,
    "network": NetworkRow,
    "blacklist": BlockRow,
    "setting": SettingRow,
}
"""The subjects that the gateway reads."""


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A row that is not used, and why. `table` and `id` find it again (a table without ids has 0); `field` is the column, empty for the whole row."""

    table: str
    id: int
    name: str
    """What people call the row: a name, a prefix."""
    field: str
    reason: str

    def __str__(self) -> str:
        called = f" ({self.name})" if self.name else ""
        which = f" row {self.id}" if self.id else ""
        return f"{self.table}{which}{called}: {self.field + ': ' if self.field else ''}{self.reason}"


class Header(msgspec.Struct, frozen=True):
    """What a file holds, but for its rows."""

    subject: str
    revision: int
    """`revision.number` of the subject when it was read, in the same transaction."""
    taken: float
    """When it was read, epoch seconds."""
    source: str
    """Which database; see `source_of`."""
    rows: int
    skipped: list[Skipped] = []


class Snapshot(msgspec.Struct, frozen=True):
    """One subject's rows."""

    header: Header
    rows: list[Any]
    """Of the subject's class in `ROWS`."""


class Order(msgspec.Struct, frozen=True):
    """The first line to the program that reads the database."""

    database: str
    """URL, with the password."""
    folder: str
    """Where the files belong."""


class Look(msgspec.Struct, frozen=True):
    """Each further line: something may have changed."""

    number: int
    """Above zero; comes back in the answer, and with it those before it are answered too."""
    anew: bool = False
    """Read everything again, whatever the revisions say."""


class Told(msgspec.Struct, frozen=True):
    """A line from that program."""

    look: int
    """The `Look` that this answers; 0 for what it found by itself."""
    subjects: list[str] = []
    """Whose files are new."""
    failed: str = ""
    """Why the database can't be used."""


def encode(header: Header, rows: list[Any]) -> bytes:
    """A whole file."""
    encoder = msgspec.msgpack.Encoder()
    frames = [encoder.encode(header)]
    frames += [encoder.encode(rows[first : first + BLOCK]) for first in range(0, len(rows), BLOCK)]
    body = b"".join(_LENGTH.pack(len(frame)) + frame for frame in frames)
    return _FRONT.pack(MAGIC, VERSION, _digest(body)) + body


def decode(octets: bytes, subject: str) -> Snapshot:
    """The file of this subject. Raises SnapshotFault."""
    if len(octets) < _FRONT.size or octets[: len(MAGIC)] != MAGIC:
        raise SnapshotFault("it is no copy of a table")
    _magic, version, digest = _FRONT.unpack_from(octets)
    if version != VERSION:
        raise SnapshotFault(f"it is of version {version}, this program knows version {VERSION}")
    body = memoryview(octets)[_FRONT.size :]
    if _digest(body) != digest:
        raise SnapshotFault("it is damaged")
    kind = ROWS[subject]
    try:
        frames = _frames(body)
        header = msgspec.msgpack.decode(next(frames), type=Header)
        decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]  # chosen by name
        rows = [row for frame in frames for row in decoder.decode(frame)]
    except (msgspec.MsgspecError, StopIteration, struct.error) as error:  # our own digest over another program's rows
        raise SnapshotFault(f"it can't be read: {error}") from error
    if header.subject != subject:
        raise SnapshotFault(f"it holds {header.subject}")
    return Snapshot(header, rows)


def left_out(table: str, faults: Iterable[Fault], stored: Snapshot) -> list[Skipped]:
    """Faults of rows (`line` is the id); what people call a row is looked up only where there are any."""
    found = list(faults)
    wanted = {fault.line for fault in found}
    called = {row.id: row for row in stored.rows if row.id in wanted} if wanted else {}
    return [Skipped(table, fault.line, _name_of(called.get(fault.line)), fault.field, fault.reason) for fault in found]


def _name_of(row: Any) -> str:
    return str(getattr(row, "prefix", "") or getattr(row, "address", ""))


def source_of(url: str) -> str:
    """A database's URL without its password: by this a copy is known to be of the database that is configured."""
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}{at}{place}"


def _digest(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST).digest()


def _frames(body: memoryview) -> Iterator[memoryview]:
    place = 0
    while place < len(body):
        (length,) = _LENGTH.unpack_from(body, place)
        place += _LENGTH.size
        yield body[place : place + length]
        place += length
