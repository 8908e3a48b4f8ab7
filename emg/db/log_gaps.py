"""What is missing in the message log: rows of `log_gap`, and balances that are made right again after it.

The gateway counts what it charges by itself (`emg.engine.charging`); the log only hears of it by events. Where events are missing, `account.charged` is
brought to the gateway's own count, in the transaction that notes the gap, and the account's ledger gets a row `restored` with the difference: so the sum
of the ledger is the balance again, and both are what the gateway goes by. `enter` and `unseen` are the recorder's, the rest is people's.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from emg.db import audit, changes
from emg.db.audit import Actor
from emg.db.log_dialects import CHUNK, Dialect
from emg.db.log_tables import REPLACED, Gap, Row, Spot, text_of_time
from emg.db.models import Account, LogGap, RouteLog, Status
from emg.rules.rows import fault

WHO = "recorder"
_GAP = ("node", "spool", "kind", "first", "last", "since", "until", "found", "corrected", "acknowledged_by", "note")
_ENTRY = ("account_id", "at", "kind", "amount", "balance", "currency", "messages", "who", "why", "reference")


def enter(connection: Connection, dialect: Dialect, spot: Spot, gap: Gap, charged: Mapping[int, int]) -> int:
    """Note a gap and make the balances right (`charged`: account's id → what the gateway had counted at its end). Gives how many were wrong.

    This spool is the node's from now on: whatever other ones it has had are replaced.
    """
    mark = dialect.marker
    connection.exec_driver_sql(
        f"UPDATE recorder_position SET row_mark = {REPLACED} WHERE node = {mark} AND spool <> {mark}",  # noqa: S608 -- marks
        (spot.node, spot.spool),
    )
    corrected = _correct(connection, dialect, spot, gap, charged) if charged else 0
    row = (spot.node, spot.spool, *gap, spot.at, corrected, "", "")
    connection.exec_driver_sql(_insert(dialect, "log_gap", _GAP), row)
    return corrected


def _correct(connection: Connection, dialect: Dialect, spot: Spot, gap: Gap, charged: Mapping[int, int]) -> int:
    chosen = ",".join(str(number) for number in sorted(charged))
    found = connection.exec_driver_sql(
        f"SELECT id, credited, charged, currency FROM account WHERE id IN ({chosen}) ORDER BY id{dialect.locking}"  # noqa: S608 -- numbers
    ).all()
    rows: list[Row] = []
    amounts: list[Row] = []
    why = f"restored: events are missing in the log between {shown(gap.since)} and {shown(gap.until)}"
    for number, credited, before, currency in found:
        now = charged[number]
        if now != before:
            amounts.append((now, number))
            rows.append((number, spot.at, "restored", before - now, credited - now, currency, 0, WHO, why, ""))
    if rows:
        mark = dialect.marker
        connection.exec_driver_sql(f"UPDATE account SET charged = {mark} WHERE id = {mark}", amounts)  # noqa: S608 -- marks
        connection.exec_driver_sql(_insert(dialect, "ledger", _ENTRY), rows)
    return len(rows)


def _insert(dialect: Dialect, table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join([dialect.marker] * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 -- names of our own


def unseen(connection: Connection, dialect: Dialect, node: int) -> list[Gap]:
    """A node's gaps that nobody has acknowledged, the oldest first."""
    found = connection.exec_driver_sql(
        f"SELECT kind, first, last, since, until FROM log_gap WHERE node = {dialect.marker} AND acknowledged IS NULL ORDER BY id",  # noqa: S608
        (node,),
    )
    return [
        Gap(kind, first, last, text_of_time(since) if since is not None else None, text_of_time(until))
        for kind, first, last, since, until in found
    ]


def shown(moment: str | None) -> str:
    """A time for a sentence, to the second, in UTC; without one: the beginning."""
    return f"{moment.partition('.')[0]} UTC" if moment is not None else "the beginning"


# -- an older copy of a spool


def states(session: Session, ids: Sequence[int]) -> dict[int, Status]:
    """How the messages stand that the log has rows of."""
    found: dict[int, Status] = {}
    for start in range(0, len(ids), CHUNK):
        chosen = ids[start : start + CHUNK]
        rows = session.execute(select(RouteLog.id, RouteLog.status).where(RouteLog.id.in_(chosen)))
        found |= {row[0]: row[1] for row in rows}
    return found


def charged(session: Session) -> dict[int, int]:
    """Account's id → what it was charged, as far as the log knows."""
    return {row[0]: row[1] for row in session.execute(select(Account.id, Account.charged))}


# -- what people do


def listing(session: Session, *, everything: bool = False) -> list[LogGap]:
    """Those that nobody has acknowledged, or all; the oldest first."""
    wanted = select(LogGap).order_by(LogGap.id)
    return list(session.scalars(wanted if everything else wanted.where(LogGap.acknowledged.is_(None))))


def acknowledge(session: Session, actor: Actor, number: int, note: str = "") -> bool:
    """Somebody has seen it; gives whether nobody had before. Raises RowFaults where there is no such gap, or for a note that is too long."""
    if len(note) > 255:
        raise fault("note", "must not be longer than 255 characters")
    if session.get(LogGap, number) is None:
        raise fault("gap", f"there is no gap {number}")
    done = session.execute(
        update(LogGap)
        .where(LogGap.id == number, LogGap.acknowledged.is_(None))
        .values(acknowledged=changes.now(), acknowledged_by=actor.who[:128], note=note)
    )
    if done.rowcount:  # type: ignore[attr-defined]
        audit.note(session, actor, "acknowledge", "log_gap", str(number), None, {"note": note})
    return bool(done.rowcount)  # type: ignore[attr-defined]
