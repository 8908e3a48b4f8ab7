"""The tables that the gateway reads, read: as rows (`emg.rules.snapshot`), and as files in the spool's folder `tables`.

`changed` reads, in one moment of the database, every subject whose revision is another than the one given. A row whose values are not even of the
right kind (it got in by hand) is left out and told of in the header; whether it makes sense is judged by who uses it. `store` writes files
beside the old ones, flushes and renames them, so that at any moment there is a whole copy.

100,000 rows take MariaDB's driver most of a second cell by cell, and a fifth of it as one JSON array a row.
"""

import datetime as dt
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select, type_coerce
from sqlalchemy.types import NullType

from emg.db import settings
from emg.db.engine import Database
from emg.db.models import (
    Account,
    AccountAccess,
    Base,
    Blacklist,
    Connector,
    ConnectorOption,
    Customer,
    Network,
    Price,
    Revision,
    Route,
    Setting,
)
from emg.errors import EmgError
from emg.rules.snapshot import (
    ROWS,
    AccountRow,
    BlockRow,
    ConnectorRow,
    Header,
    NetworkRow,
    PriceRow,
    RouteRow,
    Row,
    SettingRow,
    Skipped,
    Snapshot,
    encode,
    source_of,
)

Cells = list[Any]
Block = list[Cells]
BLOCK: Final = 1000
_FAULTS: Final = (msgspec.ValidationError, ValueError, OverflowError)
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PLACE: Final = re.compile(r" - at `\$\[(\d+)\].*")


class CopyFault(EmgError):
    """The copies can't be written."""


def changed(database: Database, known: Mapping[str, int]) -> list[Snapshot]:
    """The subjects of which `known` has not this revision. Raises DatabaseError."""
    with database.reading() as connection:
        numbers = dict.fromkeys(ROWS, 0) | {
            subject: number for subject, number in _revisions(connection) if subject in ROWS
        }
        source = source_of(database.url.render_as_string(hide_password=False))
        return [
            _take(connection, subject, number, source)
            for subject, number in numbers.items()
            if known.get(subject) != number
        ]


def take(connection: Connection, subject: str, dest: str = "") -> Snapshot:
    """One subject, as the gateway's reader takes it; `dest`: of rows with a prefix those that fit this number. Raises DatabaseError."""
    return _take(connection, subject, 0, "", dest)


def store(folder: Path, snapshot: Snapshot) -> int:
    """Write a subject's copy; gives its size. Raises CopyFault."""
    path = path_of(folder, snapshot.header.subject)
    beside = path.with_suffix(f".{os.getpid()}.new")  # one that outlives its gateway for a moment writes another
    octets = encode(snapshot.header, snapshot.rows)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        _flush(folder)
    except OSError as error:
        raise CopyFault(f"{path} can't be written: {error.strerror or error}") from error
    return len(octets)


def sweep(folder: Path) -> None:
    """Remove what one that was killed has left half written."""
    for beside in folder.glob("*.new"):
        beside.unlink(missing_ok=True)


def path_of(folder: Path, subject: str) -> Path:
    """Where the copy of a subject stands."""
    return folder / f"{subject}.bin"


def _flush(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _revisions(connection: Connection) -> Iterator[tuple[str, int]]:
    yield from connection.execute(select(Revision.subject, Revision.number))


def _take(connection: Connection, subject: str, number: int, source: str, dest: str = "") -> Snapshot:
    taken = time.time()
    if subject == "setting":
        return _settings(connection, number, source, taken)
    read, names = _READERS[subject]
    rows: list[Row] = []
    skipped: list[Skipped] = []
    kind = ROWS[subject]
    fields = kind.__struct_fields__
    for block in read(connection, dest) if dest and subject in _FITTING else read(connection):
        try:
            rows += msgspec.convert(block, list[kind], strict=False)  # type: ignore[valid-type]  # chosen by name
        except _FAULTS:
            for cells in block:
                try:
                    rows.append(msgspec.convert(cells, kind, strict=False))
                except _FAULTS as error:
                    skipped.append(_skipped(subject, cells, fields, names, str(error)))
    return Snapshot(Header(subject, number, taken, source, len(rows), skipped), rows)


def _settings(connection: Connection, number: int, source: str, taken: float) -> Snapshot:
    """Only which are set, and what is wrong with them: passwords among them are nobody's business but the scheduler's."""
    skipped = settings.examine(connection)[1]
    names = connection.execute(select(Setting.name).order_by(Setting.name)).scalars()
    wrong = {row.name for row in skipped}
    rows: list[Row] = [SettingRow(place, name) for place, name in enumerate(names, 1) if name not in wrong]
    return Snapshot(Header("setting", number, taken, source, len(rows), skipped), rows)


def _skipped(subject: str, cells: Cells, fields: Sequence[str], names: int, fault: str) -> Skipped:
    found = _PLACE.search(fault)
    field = fields[int(found[1])] if found else ""
    called = str(cells[names])[:64] if cells[names] is not None else ""
    number = cells[0] if isinstance(cells[0], int) else 0
    return Skipped(subject, number, called, field, _PLACE.sub("", fault))


def _blocks(
    connection: Connection, model: type[Base], names: Sequence[str], order: str = "id", dest: str = ""
) -> Iterator[Block]:
    """Rows as the driver has them: one value that makes no sense must not hide the others."""
    table = model.__table__
    prefixes = [dest[:length] for length in range(len(dest) + 1)]
    where = [table.c.prefix.in_(prefixes)] if dest else []
    plain = [type_coerce(table.c[name], NullType()) for name in names]
    if connection.dialect.name == "sqlite":
        found = connection.execute(select(*plain).where(*where).order_by(table.c[order], table.c.id))
        yield from (list(map(list, block)) for block in found.partitions(BLOCK))
        return
    decode = msgspec.json.Decoder(list[list[Any]]).decode
    array = type_coerce(func.json_array(*plain), NullType())
    texts: Any = connection.execute(select(array).where(*where).order_by(table.c[order], table.c.id)).scalars()
    for block in texts.partitions(BLOCK):
        yield decode(f"[{','.join(block)}]")


def _raw(connection: Connection, model: type[Base], names: Sequence[str], order: str = "id") -> Iterator[Cells]:
    """The same row by row."""
    for block in _blocks(connection, model, names, order):
        yield from block


def _plain(model: type[Base], kind: type[Row]) -> Callable[..., Iterator[Block]]:
    """A table whose columns are the row's fields."""
    return lambda connection, dest="": _blocks(connection, model, kind.__struct_fields__, dest=dest)


def _prices(connection: Connection, dest: str = "") -> Iterator[Block]:
    fields = PriceRow.__struct_fields__
    begin, end = fields.index("valid_from"), fields.index("valid_until")
    for block in _blocks(connection, Price, fields, dest=dest):
        for cells in block:
            if cells[begin] is not None:
                cells[begin] = _seconds(cells[begin])
            if cells[end] is not None:
                cells[end] = _seconds(cells[end])
        yield block


def _seconds(moment: Any) -> Any:
    """Epoch seconds of a moment in UTC; what is none stays as it is, and is found out."""
    if isinstance(moment, str):
        try:
            moment = dt.datetime.fromisoformat(moment)
        except ValueError:
            return moment
    return (moment.replace(tzinfo=dt.UTC) - EPOCH).total_seconds() if isinstance(moment, dt.datetime) else moment


def _accounts(connection: Connection) -> Iterator[Block]:
    customers = {cells[0]: cells for cells in _raw(connection, Customer, ("id", "name", "locked"))}
    access: dict[Any, Cells] = {}
    for account, network, connector in _raw(connection, AccountAccess, ("account_id", "network", "connector")):
        access.setdefault(account, []).append((network, connector))
    fields = AccountRow.__struct_fields__
    own = [name for name in fields if name not in ("customer", "customer_locked", "access")]
    block = []
    for cells in _raw(connection, Account, (*own, "deleted")):
        values = dict(zip(own, cells, strict=False))
        if cells[-1] is not None:
            continue  # deleted; only its ledger still speaks of it
        _number, customer, locked = customers.get(values["customer_id"], (None, "", False))
        values |= {"customer": customer, "customer_locked": locked, "access": access.get(values["id"], [])}
        block.append([values[name] for name in fields])
    yield block


def _connectors(connection: Connection) -> Iterator[Block]:
    lines: dict[Any, Cells] = {}
    names = ("connector_id", "keyword", "value", "disabled")
    for connector, keyword, value, disabled in _raw(connection, ConnectorOption, names, order="position"):
        if not disabled:
            lines.setdefault(connector, []).append((keyword, value))
    found = _raw(connection, Connector, ("id", "name", "disabled"), order="position")
    yield [[number, name, lines.get(number, []), disabled] for number, name, disabled in found]


_FITTING: Final = frozenset({"route", "price", "network"})
_READERS: Final[Mapping[str, tuple[Callable[..., Iterator[Block]], int]]] = {
    "account": (_accounts, AccountRow.__struct_fields__.index("name")),
    "connector": (_connectors, ConnectorRow.__struct_fields__.index("name")),
    "route": (_plain(Route, RouteRow), RouteRow.__struct_fields__.index("prefix")),
    "price": (_prices, PriceRow.__struct_fields__.index("prefix")),
    "network": (_plain(Network, NetworkRow), NetworkRow.__struct_fields__.index("prefix")),
    "blacklist": (_plain(Blacklist, BlockRow), BlockRow.__struct_fields__.index("address")),
}
"""How each subject is read, and which cell people know its rows by."""
