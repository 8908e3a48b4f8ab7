"""Writing the message log: one transaction a batch, and the recorder's position moves in it.

`LogWriter.write` first moves the position, comparing: it holds that row's lock until the commit, so of two who write the same batch (a second recorder, or
our own last attempt whose answer was lost) one finds it moved and raises `PositionMoved`, and nothing of his is kept. Whoever gets any error asks
for `positions` anew before he goes on.

Raises DatabaseError: the whole batch can be tried again. A row that the database does not take is no such error: it is found by halving, given
back as `Refused`, and the rest of the batch is written.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from emg.db import log_gaps
from emg.db.engine import Database, DatabaseError
from emg.db.log_dialects import CHUNK, Dialect, RowFault, dialect_of, insert
from emg.db.log_tables import (
    BODY,
    CHANGE,
    PART,
    PART_CHANGE,
    ROUTELOG,
    Batch,
    Change,
    Gap,
    Place,
    Refused,
    Row,
    Spot,
    Table,
    Traffic,
    text_of_time,
)
from emg.errors import EmgError

ELSEWHERE = dt.timedelta(days=1)
"""So far a message's own time may lie from what its events say, at most: not all days of the log have to be searched."""
_ROW_CODES = frozenset((1048, 1062, 1136, 1153, 1263, 1264, 1265, 1292, 1366, 1406, 1411, 1452, 1526, 1690))
"""What MariaDB says of a value that does not fit, a row that is there, a day without a partition; not of itself."""


class PositionMoved(DatabaseError):
    """Somebody else has moved the position."""

    def __init__(self, spot: Spot) -> None:
        super().__init__(
            f"the position of node {spot.node} is not at {spot.before} any more: another recorder has moved it, or an attempt of ours whose end was not seen",
            temporary=True,
        )


class LogWriter:
    """See the module's text. One connection, made when it is needed; for one thread."""

    def __init__(self, database: Database) -> None:
        self.care = ""
        """Why the last batch that could not be written the quick way could not; whoever has told of it makes it empty."""
        url = database.url
        if not database.is_sqlite:
            url = url.update_query_dict({"local_infile": "1"})
        self._database = Database(url.render_as_string(hide_password=False))
        self._dialect: Dialect = dialect_of(url)
        self._connection: Connection | None = None

    # -- looking

    def positions(self, node: int) -> list[Place]:
        """How far the log is with each spool that this node has had, the latest last. Raises DatabaseError."""
        with self._transaction() as connection:
            found = connection.exec_driver_sql(
                f"SELECT spool, seq, row_at, row_mark FROM recorder_position WHERE node = {self._dialect.marker} ORDER BY at, seq",  # noqa: S608
                (node,),
            )
            return [
                Place(spool, seq, text_of_time(at) if at is not None else None, mark) for spool, seq, at, mark in found
            ]

    def open_gaps(self, node: int) -> list[Gap]:
        """What is missing in the log, and nobody has acknowledged; the oldest first. Raises DatabaseError."""
        with self._transaction() as connection:
            return log_gaps.unseen(connection, self._dialect, node)

    def customers(self) -> dict[str, int | None]:
        """Account → its customer. Raises DatabaseError."""
        with self._transaction() as connection:
            return dict(connection.exec_driver_sql("SELECT name, customer_id FROM account").all())

    def places(self, ids: Iterable[int]) -> tuple[dict[int, str], dict[int, tuple[int, str]]]:
        """Where messages stand whose day is not known: (id → received, part → (parent, its received)). Raises DatabaseError."""
        with self._transaction() as connection:
            numbers = sorted(ids)
            messages, parts = {}, {}
            for start in range(0, len(numbers), CHUNK):
                chosen = ",".join(map(str, numbers[start : start + CHUNK]))
                for number, received in connection.exec_driver_sql(
                    f"SELECT id, received FROM routelog WHERE id IN ({chosen})"  # noqa: S608 -- numbers
                ):
                    messages[number] = text_of_time(received)
                for number, parent, received in connection.exec_driver_sql(
                    f"SELECT id, parent, received FROM message_part WHERE id IN ({chosen})"  # noqa: S608 -- numbers
                ):
                    parts[number] = (parent, text_of_time(received))
            return messages, parts

    # -- writing

    def begin(self, spot: Spot, gap: Gap | None = None, charged: Mapping[int, int] | None = None) -> int:
        """A spool that the log does not know yet gets its position (`spot.after`); the rest as in `pass_over`. Raises DatabaseError."""
        with self._noting() as connection:
            marks = ", ".join([self._dialect.marker] * 6)
            connection.exec_driver_sql(
                f"INSERT INTO recorder_position (node, spool, seq, at, row_at, row_mark) VALUES ({marks})",  # noqa: S608 -- marks
                (spot.node, spot.spool, spot.after, spot.at, spot.row_at, spot.row_mark),
            )
            return log_gaps.enter(connection, self._dialect, spot, gap, charged or {}) if gap is not None else 0

    def pass_over(self, spot: Spot, gap: Gap, charged: Mapping[int, int]) -> int:
        """Move the position without writing events, and note that (`emg.db.log_gaps`). Raises DatabaseError (PositionMoved).

        `charged`: by account's id, what the gateway had counted by then. Gives how many accounts stood otherwise.
        """
        with self._noting() as connection:
            self._move(connection, spot)
            return log_gaps.enter(connection, self._dialect, spot, gap, charged)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[Connection]:
        """A transaction of which no row can be set aside."""
        try:
            with self._transaction() as connection:
                yield connection
        except RowFault as fault:
            raise DatabaseError(f"the log's position can't be written: {fault}", temporary=True) from fault

    def write(self, batch: Batch, spot: Spot, keep: Callable[[list[Refused]], None]) -> list[Refused]:
        """Write a batch and move the position. Raises DatabaseError (PositionMoved), and then nothing of it is there.

        `keep` gets what the database does not take, before the commit; when it raises, nothing is written.
        """
        try:
            return self._attempt(batch, spot, keep, careful=False)
        except RowFault as fault:
            self.care = str(fault)
        try:
            return self._attempt(batch, spot, keep, careful=True)
        except RowFault as error:
            raise DatabaseError(f"the log can't be written: {error}") from error

    def _attempt(
        self, batch: Batch, spot: Spot, keep: Callable[[list[Refused]], None], *, careful: bool
    ) -> list[Refused]:
        with self._transaction() as connection:
            self._move(connection, spot)
            refused = self._write(connection, batch, careful=careful)
            keep(refused)
            return refused

    def close(self) -> None:
        """Let go of the database."""
        self._drop()
        self._database.close()

    def _move(self, connection: Connection, spot: Spot) -> None:
        mark = self._dialect.marker
        moved = connection.exec_driver_sql(
            f"UPDATE recorder_position SET seq = {mark}, at = {mark}, row_at = {mark}, row_mark = {mark}"  # noqa: S608 -- marks
            f" WHERE node = {mark} AND spool = {mark} AND seq = {mark}",
            (spot.after, spot.at, spot.row_at, spot.row_mark, spot.node, spot.spool, spot.before),
        )
        if moved.rowcount != 1:
            raise PositionMoved(spot)

    def _write(self, connection: Connection, batch: Batch, *, careful: bool) -> list[Refused]:
        refused: list[Refused] = []
        for table, rows in ((ROUTELOG, batch.messages), (BODY, batch.bodies), (PART, batch.parts)):
            self._put(
                connection,
                table.name,
                rows,
                partial(self._fill, connection, table, careful=careful),
                refused,
                careful=careful,
            )
        missing = self._alter(connection, CHANGE, batch.changes, refused, careful=careful)
        self._alter(connection, CHANGE, _elsewhere(connection, missing), refused, careful=careful)
        self._alter(connection, PART_CHANGE, batch.part_changes, refused, careful=careful)
        self._charge(connection, batch.traffic, refused)
        if batch.hours:
            text = self._dialect.upsert("dirty_hour", ("hour", "changed"), ("hour",), (("changed", "{old} + 1"),))
            connection.exec_driver_sql(text, [(hour, 1) for hour in sorted(batch.hours)])
        return refused

    def _fill(self, connection: Connection, table: Table | Change, rows: list[Row], *, careful: bool) -> None:
        if careful:
            connection.exec_driver_sql(insert(self._dialect, table), rows)
        else:
            self._dialect.fill(connection, table, rows)

    def _put(
        self, connection: Connection, name: str, rows: list[Row], put: Callable[[list[Row]], None], refused: list[Refused], *, careful: bool
    ) -> None:  # fmt: skip
        """Write rows; `careful`: by halves, until those that are at fault stand alone."""
        if not rows:
            return
        if not careful:
            put(rows)
            return
        try:
            with connection.begin_nested():
                put(rows)
        except (DBAPIError, ValueError, OverflowError) as error:
            if not _of_a_row(error):
                raise
            if len(rows) == 1:
                refused.append(Refused(name, rows[0], _reason(error)))
                return
            half = len(rows) // 2
            self._put(connection, name, rows[:half], put, refused, careful=True)
            self._put(connection, name, rows[half:], put, refused, careful=True)

    def _alter(
        self, connection: Connection, change: Change, rows: list[Row], refused: list[Refused], *, careful: bool
    ) -> list[Row]:
        """Apply changes; gives those of messages whose row is not there."""
        missing: list[Row] = []

        def put(chunk: list[Row]) -> None:
            connection.exec_driver_sql(f"DELETE FROM {change.name}")  # noqa: S608 -- names of our own tables
            self._fill(connection, change, chunk, careful=careful)
            altered = connection.exec_driver_sql(self._dialect.update(change)).rowcount
            if altered < len(chunk) and change is CHANGE:
                missing.extend(_without_row(connection, chunk))

        for start in range(0, len(rows), CHUNK):
            self._put(connection, change.target, rows[start : start + CHUNK], put, refused, careful=careful)
        return missing

    def _charge(self, connection: Connection, traffic: list[Traffic], refused: list[Refused]) -> None:
        """Add to what accounts were charged, and to their ledgers. Locks accounts in the order of their ids, each once."""
        payers = sorted({each.payer for each in traffic})
        if not payers:
            return
        chosen = ",".join(map(str, payers))
        found = connection.exec_driver_sql(
            f"SELECT id, credited - charged, currency FROM account WHERE id IN ({chosen}) ORDER BY id{self._dialect.locking}"  # noqa: S608
        )
        accounts = {number: (balance, currency) for number, balance, currency in found}
        amounts = dict.fromkeys(accounts, 0)
        rows: list[Row] = []
        for each in sorted(traffic):
            if each.payer not in accounts:
                refused.append(Refused("ledger", tuple(each), "there is no such account"))
                continue
            amounts[each.payer] += each.amount
            balance, currency = accounts[each.payer]
            rows.append((
                each.payer, each.at, "traffic", -each.amount, balance - amounts[each.payer], currency, each.hour, each.messages, "", "", "",
            ))  # fmt: skip
        if amounts:
            cases = " ".join(f"WHEN {payer} THEN {amount}" for payer, amount in amounts.items())
            chosen = ",".join(map(str, amounts))
            connection.exec_driver_sql(
                f"UPDATE account SET charged = charged + CASE id {cases} ELSE 0 END WHERE id IN ({chosen})"  # noqa: S608
            )
            connection.exec_driver_sql(self._dialect.upsert("ledger", _LEDGER, _LEDGER_KEY, _LEDGER_MERGE), rows)

    # -- the connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction; after an error the connection is given up."""
        try:
            with self._database.guarded():
                connection = self._connect()
                try:
                    with connection.begin():
                        yield connection
                except (DBAPIError, ValueError, OverflowError) as error:
                    if _of_a_row(error):
                        raise RowFault(_reason(error)) from error
                    raise
        except (EmgError, RowFault):
            self._drop()
            raise

    def _connect(self) -> Connection:
        if self._connection is None:
            connection = self._database.engine.connect()
            try:
                with connection.begin():
                    self._dialect.prepare(connection, (CHANGE, PART_CHANGE))
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        """After any error: what state the connection is in is not worth finding out."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


_LEDGER = ("account_id", "at", "kind", "amount", "balance", "currency", "hour", "messages", "who", "why", "reference")
_LEDGER_KEY = ("account_id", "kind", "hour")
_LEDGER_MERGE = (
    ("amount", "{old} + {new}"),
    ("balance", "{new}"),
    ("messages", "{old} + {new}"),
    ("at", "CASE WHEN {new} > {old} THEN {new} ELSE {old} END"),
)


def _without_row(connection: Connection, rows: list[Row]) -> list[Row]:
    found = connection.exec_driver_sql(
        f"SELECT r.id FROM {CHANGE.name} u JOIN routelog r ON r.id = u.id AND r.received = u.received"  # noqa: S608 -- as above
    )
    there = set(found.scalars())
    return [row for row in rows if row[0] not in there]


def _elsewhere(connection: Connection, rows: list[Row]) -> list[Row]:
    """Changes of messages that stand under another time than their events say (parts that were joined have their whole's)."""
    if not rows:
        return []
    chosen = ",".join(str(row[0]) for row in rows)
    times = [row[1] for row in rows]
    found = connection.exec_driver_sql(
        f"SELECT id, received FROM routelog WHERE id IN ({chosen})"  # noqa: S608 -- numbers, and times that we have written
        f" AND received BETWEEN '{_moved(min(times), -ELSEWHERE)}' AND '{_moved(max(times), ELSEWHERE)}'"
    )
    places = {number: text_of_time(received) for number, received in found}
    return [(row[0], places[row[0]], *row[2:]) for row in rows if row[0] in places]


def _moved(at: str, by: dt.timedelta) -> str:
    return str(dt.datetime.fromisoformat(at) + by)


def _of_a_row(error: Exception) -> bool:
    """The value is at fault; anything else is the database's state, and passes or is mended there."""
    if not isinstance(error, DBAPIError):
        return True  # the driver could not even write it down
    arguments = getattr(error.orig, "args", ())
    return isinstance(error, DataError | IntegrityError) or bool(arguments and arguments[0] in _ROW_CODES)


def _reason(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    arguments = getattr(original, "args", ())
    return str(arguments[-1] if arguments else original).splitlines()[0][:300]
