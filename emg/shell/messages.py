"""`emg messages`: what the log knows of messages.

`find` prints a page, newest first, as a table, CSV (`--csv`) or JSON (`{"messages": […], "next": …}`); `next` is given to `--after` for the page
behind it. Times are typed as ISO 8601 and are UTC unless they bear a zone; without any, a search goes over the last day (one by `--id` or
`--remote-id` over all days). `show` prints one message with its parts and its text. Money is in the account's currency, exactly.
"""

import argparse
import csv
import datetime as dt
import sys
from dataclasses import replace
from typing import Any, Final

from emg.config import kinds
from emg.control import moments
from emg.db import customers, messages
from emg.db.messages import After, Found, Search
from emg.db.models import MessageBody, MessagePart, Status
from emg.errors import EmgError
from emg.message import Encoding
from emg.rules import money
from emg.shell.common import Call, Command, UsageError, run
from emg.shell.words import word

COLUMNS: Final = (
    ("Message", "id"), ("Received", "received"), ("Account", "account"), ("In", "connector_in"), ("Out", "connector_out"),
    ("From", "source"), ("To", "dest"), ("Parts", "parts"), ("Status", "status"), ("Done", "done"), ("Error", "error"),
    ("Price", "price"), ("", "currency"), ("Remote id", "remote_id"),
)  # fmt: skip
PART_COLUMNS: Final = (
    ("Part", "number"), ("Message", "id"), ("Status", "status"), ("Sent", "sent"), ("Done", "done"),
    ("Remote id", "remote_id"), ("Error", "error"),
)  # fmt: skip
AMOUNTS: Final = frozenset({"price", "refunded", "cost"})
DAY: Final = dt.timedelta(days=1)


class NoSuchMessage(EmgError):
    """The log does not know it."""


def find(call: Call) -> None:
    """A page of what fits."""
    search, limit, after = _search(call.arguments)
    with call.database.looking() as session:
        if call.arguments.customer is not None:
            search = replace(search, customer=customers.find(session, call.arguments.customer).id)
        rows = messages.page(session, search, limit, after)
    following = str(messages.place(rows[-1])) if len(rows) == limit else None
    shown = [row_of(row) for row in rows]
    if call.json:
        call.print_json({"messages": shown, "next": following})
        return
    if call.arguments.csv:
        writer = csv.DictWriter(sys.stdout, messages.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(shown)
    else:
        call.table([_for_people(row) for row in shown], COLUMNS)
    if following:
        print(f"there may be more: --after {following}", file=sys.stderr)


def show(call: Call) -> None:
    """One message."""
    with call.database.looking() as session:
        whole = messages.find(session, call.arguments.id)
    if whole is None:
        raise NoSuchMessage(f"the log has no message {call.arguments.id}")
    row = row_of(whole.row)
    parts = [_part(part) for part in whole.parts]
    body = _body(whole.body, whole.row.encoding)
    if call.json:
        call.print_json({**row, "encoding_name": _encoding(whole.row.encoding), "message_parts": parts, "body": body})
        return
    told = {name: value for name, value in _for_people(row).items() if value not in ("", None)}
    for name in AMOUNTS & told.keys():
        told[name] = f"{told[name]} {row['currency']}".strip()
    call.pairs({**told, "id": str(row["id"]), "encoding": _encoding(whole.row.encoding)}, f"Message {row['id']}")
    if parts:
        call.table([_for_people(part) for part in parts], PART_COLUMNS, "Parts")
    call.pairs(body or {"text": "not kept"}, "Text")


def row_of(row: Found) -> dict[str, Any]:
    """A row for JSON and CSV: times as ISO 8601 in UTC, money as exact text, nothing as None."""
    return {name: _value(name, getattr(row, name)) for name in messages.COLUMNS}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return moments.iso(value)
    if name in AMOUNTS:
        return money.show(value)
    return value.value if isinstance(value, Status) else value


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """The same for a table, which shows moments its own way."""
    told = dict(row)
    for name in ("received", "sent", "done"):
        if told.get(name):
            told[name] = dt.datetime.fromisoformat(told[name])
    for name in ("id", "price_row"):
        if told.get(name):
            told[name] = str(told[name])
    return told


def _part(part: MessagePart) -> dict[str, Any]:
    names = ("id", "number", "total", "status", "sent", "done", "remote_id", "error")
    return {name: _value(name, getattr(part, name)) for name in names}


def _body(body: MessageBody | None, encoding: int) -> dict[str, Any]:
    if body is None:
        return {}
    found: dict[str, Any] = {"text": body.text, "masked": body.masked}
    if body.udh:
        found["user data header"] = body.udh.hex(" ")
    if not body.text and body.body:
        found["octets"] = body.body.hex(" ")
    return {**found, "encoding": _encoding(encoding)}


def _encoding(number: int) -> str:
    return Encoding(number).name if number in set(Encoding) else str(number)


def _search(arguments: argparse.Namespace) -> tuple[Search, int, After | None]:
    """Raises UsageError."""
    if arguments.last is not None and (arguments.since or arguments.until):
        raise UsageError("--last goes with neither --from nor --to")
    if not 1 <= arguments.limit <= messages.MOST:
        raise UsageError(f"--limit is from 1 to {messages.MOST}")
    since, until = arguments.since, arguments.until
    if arguments.last is not None:
        since = dt.datetime.now(dt.UTC) - arguments.last
    elif since is None and arguments.id is None and not arguments.remote_id:
        since = (until or dt.datetime.now(dt.UTC)) - DAY
    if since and until and since >= until:
        raise UsageError("--from must be before --to")
    search = Search(
        since=since, until=until, number=messages.number(arguments.number), source=messages.number(arguments.source),
        dest=messages.number(arguments.dest), id=arguments.id, account=arguments.account,
        connector_in=arguments.connector_in, connector_out=arguments.connector_out,
        statuses=tuple(arguments.status), remote_id=arguments.remote_id, text=arguments.text,
    )  # fmt: skip
    return search, arguments.limit, arguments.after


def moment(text: str) -> dt.datetime:
    """A date or a time as ISO 8601, UTC unless it says otherwise."""
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _span(text: str) -> dt.timedelta:
    return dt.timedelta(seconds=kinds.duration(zero=False).parse(text))


def _typed(kind: Any, says: str) -> Any:
    """An argument's type, with our own words for what does not fit."""

    def parse(text: str) -> Any:
        try:
            return kind(text)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {says}") from None

    return parse


def _id(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise ValueError
    return number


def _find_arguments(parser: argparse.ArgumentParser) -> None:
    time = _typed(moment, "a time such as 2026-11-23 or 2026-11-23T14:30")
    parser.add_argument(
        "--from", dest="since", type=time, metavar="TIME", help="received at or after; UTC without a zone"
    )
    parser.add_argument("--to", dest="until", type=time, metavar="TIME", help="received before")
    parser.add_argument(
        "--last", type=_typed(_span, "a time such as 15m, 2h or 7d"), help="received in the last 15m, 2h, 7d …"
    )
    parser.add_argument("--number", type=word, default="", help="sender or recipient; 4670* for all that start so")
    parser.add_argument("--source", type=word, default="", help="sender, likewise")
    parser.add_argument("--dest", type=word, default="", help="recipient, likewise")
    parser.add_argument("--id", type=_typed(_id, "a message id"), help="the message's id")
    parser.add_argument("--remote-id", type=word, default="", help="the operator's id, of the message or of a part")
    parser.add_argument("--account", type=word, default="", help="the sender's account")
    parser.add_argument("--customer", help="the sender's customer")
    parser.add_argument(
        "--in", dest="connector_in", type=word, default="", metavar="CONNECTOR", help="where it came in"
    )
    parser.add_argument(
        "--out", dest="connector_out", type=word, default="", metavar="CONNECTOR", help="where it went out"
    )
    parser.add_argument(
        "--status", action="append", default=[], type=_typed(Status, " or ".join(Status)), metavar="STATUS",
        help=f"{', '.join(Status)}; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--text", type=word, default="", help="stands in its text, where that is kept (slow over a long time)"
    )
    parser.add_argument(
        "--limit", type=int, default=messages.LIMIT, help=f"rows at most (%(default)s, up to {messages.MOST})"
    )
    parser.add_argument("--after", type=_typed(After.parse, "a place that a page before has named"), help="go on there")
    parser.add_argument("--csv", action="store_true", help="print CSV with all columns")


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", type=_typed(_id, "a message id"), metavar="ID")


COMMANDS: Final = {
    "find": Command(find, _find_arguments, "messages by time, number, account, connector, status, operator's id, text"),
    "show": Command(show, _show_arguments, "one message, its parts and its text"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("messages", "The message log.", COMMANDS, argv)
