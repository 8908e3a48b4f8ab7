"""The control API's answers as tables for a terminal. Which columns a table has is a table here.

Times are UTC (`emg.control.moments`): a column of times says so in its heading, a single one behind itself.
"""

import datetime as dt
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emg.control import moments
from emg.rules import money

Columns = Sequence[tuple[str, str]]
"""(headline, field; a dotted field looks inside)."""

CONNECTORS: Columns = (
    ("Connector", "name"), ("Type", "type"), ("State", "state"), ("Held", "held"), ("Sessions", "sessions"),
    ("Queued", "queued"), ("Accepted", "counters.accepted"), ("Sent", "counters.sent"), ("Failed", "counters.failed"),
    ("Reports in", "counters.reports_in"), ("Reports out", "counters.reports_out"), ("Refused", "counters.refused"),
    ("Addresses", "addresses"), ("Last fault", "last_fault"),
)  # fmt: skip
SESSIONS: Columns = (
    ("Session", "session"), ("Account", "account"), ("From", "ip"), ("State", "state"), ("Version", "version"),
    ("TLS", "tls"), ("Since", "since"), ("Window", "window"), ("In flight", "in_flight"), ("Owed", "owed"),
)  # fmt: skip
QUEUES: Columns = (
    ("Queue", "queue"), ("Messages", "size"), ("In memory", "in_memory"), ("On disk", "on_disk"),
    ("Deferred", "deferred"), ("In flight", "in_flight"), ("Oldest", "oldest_seconds"), ("Waits for", "waits_for"),
)  # fmt: skip
ACCOUNTS: Columns = (
    ("Account", "account"), ("Disabled", "disabled"), ("Sessions", "sessions"), ("Limit", "sessions_limit"),
    ("Accepted", "accepted"), ("Balance", "balance"), ("Not below", "lowest"), ("Currency", "currency"),
)  # fmt: skip
TABLES: Columns = (
    ("Table", "subject"), ("Revision", "revision"), ("Rows", "rows"), ("Not used", "skipped_rows"), ("Read", "age_seconds"),
    ("From", "source"),
)  # fmt: skip
SKIPPED: Columns = (
    ("Table", "table"), ("Id", "id"), ("Name", "name"), ("Field", "field"), ("Why not", "reason"),
)  # fmt: skip
HEAD: Columns = (
    ("Message", "id"), ("Kind", "kind"), ("Account", "account"), ("From", "source"), ("To", "dest"),
    ("Accepted", "accepted"), ("Tries", "tries"), ("Maybe sent", "maybe_sent"),
)  # fmt: skip
ORPHANS: Columns = (
    ("Number", "number"), ("Provider", "provider"), ("Remote id", "remote_id"), ("State", "state"),
    ("Received", "received"),
)  # fmt: skip
REMOTE_IDS: Columns = (("Part", "part"), ("Connector", "connector"), ("Remote id", "remote_id"))
RIVALS: Columns = (
    ("Row", "row.line"), ("Prefix", "row.prefix"), ("Account", "row.account"), ("Received on", "row.connector_in"),
    ("Connectors", "row.connectors"), ("Why not", "reason"),
)  # fmt: skip

PRICE_RIVALS: Columns = (
    ("Row", "row.id"), ("Prefix", "row.prefix"), ("Account", "row.account"), ("Received on", "row.connector_in"),
    ("Sent by", "row.connector_out"), ("Price", "row.price"), ("Currency", "row.currency"), ("Why not", "reason"),
)  # fmt: skip

_A_MOMENT = 100_000_000
"""A whole number above it is a time since 1970; below, a counter that has the name of a time."""
_TIMES = frozenset({"accepted", "since", "received", "started", "expires", "due", "at", "again"})
_FINE = frozenset({"received", "sent", "done"})
"""Times of messages: with milliseconds."""
_AGES = frozenset({"age_seconds", "oldest_seconds", "uptime_seconds", "seconds"})
_NAMES = frozenset(
    {"id", "number", "line", "process", "reader_process", "node", "report", "parent", "part", "payer", "price_row"}
)
"""Whole numbers that name something: shown without separators."""
_RATES = frozenset({"throughput"})
"""A second, seldom with a fraction."""
_MONEY = frozenset({"balance", "lowest", "credited", "charged", "price", "cost", "refund"})
"""Micro-units."""
_WIDTH = 200


def console() -> Console:
    """Standard output; wide where it is no terminal, so that nothing is cut for a file or a pipe."""
    return Console(width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", _WIDTH)), highlight=False)


def age(seconds: float) -> str:
    """`4 s`, `3 min`, `2.5 h`, `3.1 d`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def value(field: str, given: Any) -> str:
    """A value as people read it."""
    name = field.rpartition(".")[2]
    if given is None or given == "":
        return ""
    if isinstance(given, bool):
        return "yes" if given else ""
    if _is_time(name, given):
        return moments.people(given, fine=name in _FINE) if given else ""
    if name in _MONEY and isinstance(given, int):
        return money.show(given)
    if name in _AGES and isinstance(given, int | float):
        return age(given)
    if isinstance(given, list | tuple):
        return ", ".join(str(item) for item in given)
    if name in _RATES and isinstance(given, float):
        return f"{given:g}"
    if isinstance(given, int) and name not in _NAMES and not name.endswith("_id"):
        return f"{given:,}"
    return str(given)


def _is_time(name: str, given: Any) -> bool:
    if isinstance(given, dt.datetime):
        return True
    return name in _TIMES and (isinstance(given, float) or (isinstance(given, int) and given > _A_MOMENT))


def _has_zone(field: str, given: Any) -> bool:
    """It is shown as a moment, and is one."""
    return bool(given) and _is_time(field.rpartition(".")[2], given)


def _is_number(field: str, given: Any) -> bool:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    return not _is_time(field.rpartition(".")[2], given)


def _find(row: Any, field: str) -> Any:
    for name in field.split("."):
        if not isinstance(row, Mapping):
            return None
        row = row.get(name)
    return row


def table(rows: Sequence[Mapping[str, Any]], columns: Columns, title: str = "") -> None:
    """Print rows; columns that are empty in all of them are left out. No rows: the word none."""
    if not rows:
        print("none")
        return
    shown = [(head, [value(field, _find(row, field)) for row in rows], field) for head, field in columns]
    shown = [column for column in shown if any(column[1]) or column is shown[0]]
    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for head, _values, field in shown:
        right = any(_is_number(field, _find(row, field)) for row in rows)
        zone = f" ({moments.ZONE})" if any(_has_zone(field, _find(row, field)) for row in rows) else ""
        made.add_column(f"{head}{zone}", justify="right" if right else "left")
    for index in range(len(rows)):
        made.add_row(*(Text(values[index]) for _head, values, _field in shown))
    console().print(made)


def pairs(told: Mapping[str, Any], title: str = "") -> None:
    """Print names and values, one a line; what holds tables of its own is left out."""
    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column()
    for name, given in told.items():
        if isinstance(given, Mapping):
            for inner, number in given.items():
                made.add_row(f"{_label(name)}: {_label(inner)}", Text(_beside(inner, number)))
        elif not (isinstance(given, list) and given and isinstance(given[0], Mapping)):
            made.add_row(_label(name), Text(_beside(name, given)))
    console().print(made)


def _label(name: str) -> str:
    return (name.removesuffix("_seconds") if name in _AGES else name).replace("_", " ")


def _beside(name: str, given: Any) -> str:
    """A value beside its name: there `no` says more than nothing, and a moment says its zone."""
    if given is False:
        return "no"
    return f"{value(name, given)} {moments.ZONE}" if _has_zone(name, given) else value(name, given)


def story(events: Sequence[Mapping[str, Any]], title: str) -> None:
    """Print what happened to a message, a line an event."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for head in (f"Time ({moments.ZONE})", "Message", "Event", "Details"):
        made.add_column(head)
    for event in events:
        details = ", ".join(
            f"{name.replace('_', ' ')} {_beside(name, given)}"
            for name, given in event.items()
            if name not in ("event", "id", "at") and value(name, given)
        )
        made.add_row(
            moments.people(event.get("at", 0.0), fine=True),
            str(event.get("id")),
            str(event.get("event")),
            Text(details),
        )
    console().print(made)
