"""Events as a gateway writes them, and the whole log of a database as plain values: for tests of the recorder."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text

from emg.db.engine import Database
from emg.db.log_tables import Refused, Spot
from emg.db.log_writer import LogWriter
from emg.engine import events
from emg.message import Encoding, State
from emg.recorder.fold import Fold
from emg.spool import outbox
from emg.spool.opening import connect
from emg.spool.schema import prepare

NOON = 1795435200.0
"""2026-11-23 12:00:00 UTC."""
NOW = "2026-11-23 13:00:00.000000"
SPOOL = 77


def accepted(number, at=NOON, **more):
    event = events.Accepted(
        number, at, "customers", "acme", "EMG", "46701234567", Encoding.GSM7, 5, 1, "operator", "table 3", 3, "192.0.2.7", "ref"
    )  # fmt: skip
    for name, value in more.items():
        setattr(event, name, value)
    return event


def sent(number, at=NOON + 0.5, begun=NOON, **more):
    return events.Sent(
        number,
        at,
        "operator",
        "operator-1",
        more.pop("remote_id", "0a1b"),
        more.pop("tries", 1),
        accepted=begun,
        **more,
    )


def ended(number, at=NOON + 2, begun=NOON, state=State.DELIVERED, **more):
    return events.Ended(
        number, at, state, more.pop("cause", ""), more.pop("error", "000"), "operator", accepted=begun, **more
    )


def add_account(database, number, name="acme", customer=None, currency="EUR"):
    with database.session() as session:
        if customer is not None:
            session.execute(
                text(
                    "INSERT INTO customer (id, name, organisation_number, vat_number, reference, address, country, email, technical_contact, currency, vat, payment_days,"
                    " daily_report, locked, note, created, updated) VALUES (:id, :name, '', '', '', '', '', '', '', 'EUR', 0, 30, 0, 0, '', :now, :now)"
                ),
                {"id": customer, "name": f"customer {customer}", "now": NOW},
            )
        session.execute(
            text(
                "INSERT INTO account (id, name, customer_id, password_hash, locked, prepaid, currency, credited, charged, low_balance_told, sessions,"
                " throughput, maxqueuesize, daily_limit, operations, force_sourceaddr, sourceaddr, route, routedlr, content, note, created, updated)"
                " VALUES (:id, :name, :customer, '', 0, 1, :currency, 1000000, 0, 0, 1, 0, 0, 0, '', '', '', '', '', 'full', '', :now, :now)"
            ),
            {"id": number, "name": name, "customer": customer, "currency": currency, "now": NOW},
        )


def position(writer, node, spool, at=NOW):
    """How far the log is; a spool that it does not know gets its row."""
    for place in writer.positions(node):
        if place.spool == spool:
            return place.seq
    writer.begin(Spot(node, spool, 0, 0, at))
    return 0


class Log:
    """A writer, and the position that it is at."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = LogWriter(database)
        self.refused: list[Refused] = []
        self.careful = 0
        """Batches that could not be written the quick way."""
        attempt = self.writer._attempt

        def counted(*arguments, careful):
            self.careful += careful
            return attempt(*arguments, careful=careful)

        self.writer._attempt = counted
        self.at = position(self.writer, 0, SPOOL)

    def write(self, happened: Iterable[events.Any], customers=None) -> Fold:
        fold = Fold(0)
        fold.take(happened)
        if fold.strays:
            fold.place(*self.writer.places({event.id for event in fold.strays}))
        spot = Spot(0, SPOOL, self.at, self.at + 1, NOW)
        self.writer.write(fold.batch(customers or {}), spot, self.refused.extend)
        self.at += 1
        return fold

    def rows(self, table: str, order: str = "1") -> list[dict[str, object]]:
        """All of a table."""
        with self.database.session() as session:
            return [dict(row) for row in session.execute(text(f"SELECT * FROM {table} ORDER BY {order}")).mappings()]

    def row(self, number: int) -> dict[str, object]:
        """A message's."""
        (found,) = [row for row in self.rows("routelog") if row["id"] == number]
        return found

    def money(self) -> tuple[int, int, int]:
        """(charged in accounts, taken in the ledger, prices in the log)."""
        with self.database.session() as session:
            return tuple(
                int(session.execute(text(query)).scalar() or 0)
                for query in (
                    "SELECT sum(charged) FROM account",
                    "SELECT -sum(amount) FROM ledger",
                    "SELECT sum(price) FROM routelog",
                )
            )

    def everything(self) -> dict[str, list[tuple[str, ...]]]:
        """The log as text, but for what depends on how often was written: ledger's balance, dirty hours' count, numbers of rows."""
        left_out = {"ledger": ("id", "balance"), "dirty_hour": ("changed",)}
        return {
            table: sorted(
                tuple(f"{name}={value}" for name, value in row.items() if name not in left_out.get(table, ()))
                for row in self.rows(table)
            )
            for table in ("routelog", "message_part", "message_body", "ledger", "dirty_hour")
        }

    def empty(self) -> None:
        """Begin anew."""
        with self.database.session() as session:
            for table in ("routelog", "message_part", "message_body", "ledger", "dirty_hour"):
                session.execute(text(f"DELETE FROM {table}"))
            session.execute(text("UPDATE account SET charged = 0"))

    def close(self) -> None:
        self.writer.close()


def make_spool(folder: Path, rows: Iterable[list[events.Any]] = ()) -> Path:
    """A spool file with these rows in its outbox."""
    folder.mkdir(parents=True, exist_ok=True)
    db = connect(folder / "spool.db")
    prepare(db)
    outbox.identify(db, folder)
    add_rows(db, rows)
    db.close()
    return folder / "spool.db"


def add_rows(db, rows, at=NOON):
    for happened in rows:
        db.execute(
            "INSERT INTO outbox (at, lowest, highest, count, body) VALUES (?,1,1,?,?)",
            (int(at), len(happened), b"".join(map(events.encode, happened))),
        )
