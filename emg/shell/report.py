"""`emg report`: figures of the traffic, and how the scheduler's jobs went.

`hourly` sums the hourly summary over a time (whole hours, UTC) by what `--by` names, as a table, CSV (`--csv`) or JSON. Money is by currency, exactly. Hours
that have changed since they were counted are told on standard error; `--fresh` counts them first, as the scheduler would.
"""

import argparse
import csv
import datetime as dt
import sys
from collections.abc import Callable
from typing import Any, Final

from emg.config import kinds
from emg.control import moments
from emg.db import customers, duties, reports, summary
from emg.db.reports import Figures
from emg.db.summary import HOUR
from emg.jobs import summary as counting
from emg.rules import money
from emg.shell.common import Call, Command, UsageError, no_arguments, run

FIGURES: Final = (
    ("Messages", "messages"), ("Parts", "parts"), ("Delivered", "delivered"), ("Failed", "failed"), ("Open", "open"),
    ("Delivered %", "delivered_percent"), ("In 10 s %", "within_10s_percent"), ("Mean s", "mean_seconds"),
    ("Price", "price"), ("Cost", "cost"), ("Margin", "margin"), ("Currency", "currency"),
)  # fmt: skip
KEY_HEADS: Final = {"day": f"Day ({moments.ZONE})", "month": f"Month ({moments.ZONE})"}
JOB_COLUMNS: Final = (
    ("Job", "name"), ("Started", "started"), ("Ended", "ended"), ("Last success", "success"), ("Failures", "failures"),
    ("Result", "result"), ("Error", "error"),
)  # fmt: skip
DAY: Final = dt.timedelta(days=1)


def hourly(call: Call) -> None:
    """Sums by what is asked for."""
    asked = call.arguments
    start, end = _time(asked)
    if asked.fresh:
        with call.database.session() as session:
            dirty = summary.dirty_hours(session, since=start, before=end)
        counting.count(call.database, dirty)
    filters = {name: getattr(asked, name) for name in reports.COLUMNS if getattr(asked, name) is not None}
    with call.database.session() as session:
        if asked.customer is not None:
            filters["customer_id"] = customers.find(session, asked.customer).id
        rows = reports.figures(session, start, end, asked.by, filters)
        dirty = summary.dirty_hours(session, since=start, before=end)
    shown = [row_of(row) for row in rows]
    if asked.csv:
        names = [*asked.by, *(name for _head, name in FIGURES)]
        writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(shown)
    else:
        heads = ((KEY_HEADS.get(name, name.replace("_", " ").capitalize()), name) for name in asked.by)
        call.table(shown if call.json else list(map(_for_people, shown)), [*heads, *FIGURES])
    if dirty:
        print(f"{len(dirty)} hours have changed since they were counted: --fresh counts them first", file=sys.stderr)


def jobs(call: Call) -> None:
    """How each job went."""
    with call.database.session() as session:
        rows = [
            {
                "name": row.name, "started": row.started, "ended": row.ended, "success": row.success,
                "failures": row.failures, "result": row.result, "error": row.error,
            }
            for row in duties.runs(session)
        ]  # fmt: skip
    call.table(rows, JOB_COLUMNS)


def row_of(row: Figures) -> dict[str, Any]:
    """For JSON and CSV: keys, counts, shares of all messages in percent, amounts as exact text."""
    delivered = row.delivered
    return {
        **row.keys, "messages": row.messages, "parts": row.parts, "delivered": delivered, "failed": row.failed, "open": row.open,
        "delivered_percent": _percent(delivered, row.messages), "within_10s_percent": _percent(row.within_10s, delivered),
        "mean_seconds": round(row.delay_ms / delivered / 1000, 1) if delivered else None,
        "price": money.show(row.price), "cost": money.show(row.cost), "margin": money.show(row.price - row.cost),
        "currency": row.currency,
    }  # fmt: skip


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """The same for a table, which shows moments its own way."""
    return {**row, "hour": dt.datetime.fromisoformat(row["hour"])} if row.get("hour") else row


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _time(asked: argparse.Namespace) -> tuple[dt.datetime, dt.datetime]:
    """Whole hours. Raises UsageError."""
    if asked.last is not None and (asked.since or asked.until):
        raise UsageError("--last goes with neither --from nor --to")
    until = asked.until or dt.datetime.now(dt.UTC)
    since = asked.since or until - (asked.last or DAY)
    start, end = summary.hour_of(since), summary.hour_of(until)
    if end < until:
        end += HOUR
    if start >= end:
        raise UsageError("--from must be before --to")
    return start, end


def typed(kind: Callable[[str], Any], says: str) -> Callable[[str], Any]:
    """An argument's type, with our own words for what does not fit."""

    def parse(text: str) -> Any:
        try:
            return kind(text)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {says}") from None

    return parse


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def _by(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if len(set(names)) != len(names) or any(name not in reports.BY for name in names):
        raise ValueError
    return names


def _hourly_arguments(parser: argparse.ArgumentParser) -> None:
    time = typed(_moment, "a time such as 2026-11-23 or 2026-11-23T14:00")
    span = typed(
        lambda text: dt.timedelta(seconds=kinds.duration(zero=False).parse(text)), "a time such as 2h, 7d or 4w"
    )
    parser.add_argument("--from", dest="since", type=time, metavar="TIME", help="from this hour on; UTC without a zone")
    parser.add_argument("--to", dest="until", type=time, metavar="TIME", help="up to here, not included (default: now)")
    parser.add_argument("--last", type=span, help="the last 2h, 7d, 4w … (default: 1d)")
    parser.add_argument(
        "--by", type=typed(_by, f"names with commas between them, each one of {', '.join(reports.BY)}"), default=("hour",),
        metavar="NAMES", help=f"one row for each of these: {', '.join(reports.BY)}; several with commas (default: hour)",
    )  # fmt: skip
    parser.add_argument("--account", help="only this account's")
    parser.add_argument("--customer", help="only this customer's")
    parser.add_argument("--in", dest="connector_in", metavar="CONNECTOR", help="only what came in there")
    parser.add_argument("--out", dest="connector_out", metavar="CONNECTOR", help="only what went out there")
    parser.add_argument("--prefix", help="only of the price row with this prefix")
    parser.add_argument("--network", help="only to this network (MCC and MNC)")
    parser.add_argument("--status", help="only messages with this status")
    parser.add_argument("--fresh", action="store_true", help="first count the hours that have changed")
    parser.add_argument("--csv", action="store_true", help="print CSV")


COMMANDS: Final = {
    "hourly": Command(hourly, _hourly_arguments, "traffic, from the hourly summary, by whatever is asked for"),
    "jobs": Command(jobs, no_arguments, "how the scheduler's jobs went"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("report", "Figures of the traffic.", COMMANDS, argv)
