"""What `emg route`, `emg price`, `emg network` and `emg blacklist` have in common: a table that is imported and exported as a whole, and changed row by row.

Each has a `Subject`; `commands` makes the commands of it. An import makes the table hold what the file says and nothing else, in one transaction, and says
before and after what that changes; a file with faults changes nothing, and each fault is told with its line. `-` is standard input or output. Files are UTF-8.
"""

import argparse
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from emg.control.show import Columns
from emg.db import accounts
from emg.db.routes import known_connectors
from emg.db.rule_table import Plan, RuleTable, row_id, with_id
from emg.errors import EmgError
from emg.rules.csv_rows import text_of
from emg.rules.faults import SHOWN, Fault, TableFaults
from emg.shell.common import EXIT_ERROR, Call, Command
from emg.shell.fields import remark
from emg.shell.words import MOST_ROWS, whole

R = TypeVar("R", bound=msgspec.Struct)

LINES: Final = 10
"""So many rows of each kind a dry run shows."""
HEADLINES: Final = {
    "prefix": "Prefix", "account": "Account", "connector_in": "Received on", "connector_out": "Connectors", "priority": "Priority",
    "weight": "Weight", "enabled": "Enabled", "price": "Price", "cost": "Cost", "currency": "Currency", "valid_from": "From",
    "valid_until": "Until", "refund": "Refund", "country": "Country", "name": "Name", "mcc": "MCC", "mnc": "MNC", "address": "Address",
    "action": "Action", "field": "Field", "list": "List", "note": "Note",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject(Generic[R]):
    """One of the four."""

    table: RuleTable[R]
    called: str
    """Its rows, in sentences."""
    parse: Callable[[Call, str, Collection[str]], list[R]]
    """All rows of a text, which may name these connectors. Raises TableFaults."""
    one: Callable[[Mapping[str, str], Collection[str]], R]
    """A row by its columns. Raises TableFaults."""
    helps: Mapping[str, str]
    """What each column is, for the options of `add` and `set`."""
    filters: Collection[str]
    """Columns that `list` can be asked for."""
    among: Callable[[Call, str], Mapping[str, Any]] = lambda _call, _text: {}
    """Which part of the table an import of this text is about."""
    import_arguments: Callable[[argparse.ArgumentParser], None] = lambda _parser: None
    list_arguments: Callable[[argparse.ArgumentParser], None] = lambda _parser: None
    narrowed: Callable[[Call], Mapping[str, Any]] = lambda _call: {}
    """What else a `list` asks for, by the table's own filters."""
    told: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda row: row)
    """A row in JSON, from one of texts."""
    instead: Callable[[Call], str | None] = lambda _call: None
    """A file of the configuration that stands in the place of this table."""

    def row(self, row: R) -> dict[str, Any]:
        """A row as JSON and tables show it."""
        cells = dict(zip(self.table.head, self.table.cells(row), strict=True))
        return self.told({"id": row_id(row), **cells})

    @property
    def columns(self) -> Columns:
        """Of a table on the screen."""
        return (("Id", "id"), *((HEADLINES[column], column) for column in self.table.head))


def commands(subject: Subject[R]) -> dict[str, Command]:
    """What can be done with each of them."""

    def bound(run: Callable[[Call, Subject[R]], int | None]) -> Callable[[Call], int | None]:
        return lambda call: run(call, subject)

    def columns(parser: argparse.ArgumentParser) -> None:
        for column, text in subject.helps.items():
            parser.add_argument(option(column), metavar=column.upper(), help=text)

    def number(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", type=whole(), help="as `list` shows it")
        columns(parser)

    def filters(parser: argparse.ArgumentParser) -> None:
        for column in subject.filters:
            what = "begins so" if column in ("prefix", "address") else "is this"
            parser.add_argument(option(column), metavar=column.upper(), help=f"only rows whose {column} {what}")
        subject.list_arguments(parser)
        parser.add_argument(
            "--limit", type=whole(0, MOST_ROWS), default=100, help="at most so many (default: %(default)s)"
        )
        parser.add_argument("--offset", type=whole(0, MOST_ROWS), default=0, help="without so many at the start")

    def incoming(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="CSV with a header; - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        subject.import_arguments(parser)

    called = subject.called
    return {
        "import": Command(bound(import_), incoming, f"make the table hold the {called} of a file, and no others"),
        "export": Command(bound(export), _outgoing, f"all {called} as CSV"),
        "list": Command(bound(list_), filters, f"{called}, page by page"),
        "add": Command(bound(add), columns, "a new row"),
        "set": Command(bound(set_), number, "other values for some columns of a row; the others stay"),
        "delete": Command(bound(delete), _numbers, "take rows away"),
    }


def option(column: str) -> str:
    """`--connector-in` for `connector_in`."""
    return "--" + column.replace("_", "-")


# -- whole tables


def import_(call: Call, subject: Subject[R]) -> int:
    """Make the table hold what the file says."""
    text = read(call.arguments.file)
    among = subject.among(call, text)
    dry = call.arguments.dry_run
    try:
        with call.database.session() as session:
            rows = subject.parse(call, text, known_connectors(session, call.config.connectors))
            plan = (
                subject.table.plan(session, rows, among)
                if dry
                else subject.table.replace(session, call.actor, rows, among)
            )
            nobody = accounts.missing(session, _named(call, rows))
    except TableFaults as faults:
        _tell_faults(call, faults.faults)
        return EXIT_ERROR
    if call.json:
        call.print_json({**plan.counts, "dry_run": dry, "rows": len(rows)})
    else:
        if dry:
            _print_plan(subject, plan)
        print(("would be: " if dry else "") + ", ".join(f"{count:,} {what}" for what, count in plan.counts.items()))
    _tell_nobodys(nobody)
    if plan and not dry:
        changed(call, subject)
    return 0


def _named(call: Call, rows: Sequence[R]) -> set[str]:
    """Accounts that rows name and that the configuration file does not have."""
    return {account for row in rows if (account := getattr(row, "account", ""))} - call.config.users.keys()


def _tell_nobodys(nobody: Sequence[str]) -> None:
    """No fault: one may come later, or have gone. But mostly it is a slip of the pen."""
    if nobody:
        more = f" and {len(nobody) - LINES:,} more" if len(nobody) > LINES else ""
        remark(
            f"there is no account {', '.join(map(repr, nobody[:LINES]))}{more}: a row that names it is of no use until there is"
        )


def _tell_faults(call: Call, faults: Sequence[Fault]) -> None:
    file = call.arguments.file
    if call.json:
        shown = [{"line": fault.line, "field": fault.field, "reason": fault.reason} for fault in faults[:SHOWN]]
        call.print_json({"faults": shown, "more_faults": len(faults) - len(shown)})
    else:
        for fault in faults[:SHOWN]:
            print(f"{file}: {fault}", file=sys.stderr)
    more = f", {len(faults) - SHOWN:,} more than are shown" if len(faults) > SHOWN else ""
    print(f"{file} has {len(faults):,} fault{'s' * (len(faults) > 1)}{more}: nothing is changed", file=sys.stderr)


def _print_plan(subject: Subject[R], plan: Plan[R]) -> None:
    marked = (("-", plan.removed), ("+", plan.added), ("<", [was for was, _now in plan.changed]))
    for mark, rows in marked:
        for number, row in enumerate(rows[:LINES]):
            print(mark, _line(subject, row))
            if mark == "<":
                print(">", _line(subject, plan.changed[number][1]))
        if len(rows) > LINES:
            print(f"{mark} … and {len(rows) - LINES:,} more")


def _line(subject: Subject[R], row: R) -> str:
    return text_of((), [subject.table.cells(row)]).rstrip("\n")


def export(call: Call, subject: Subject[R]) -> None:
    """All rows."""
    with call.database.session() as session:
        rows = subject.table.load(session)
    if call.json:
        call.print_json([subject.row(row) for row in rows])
        return
    text = text_of(subject.table.head, map(subject.table.cells, rows))
    if call.arguments.file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(call.arguments.file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise EmgError(f"{call.arguments.file} can't be written: {error.strerror or error}") from error
    print(f"{len(rows):,} rows in {call.arguments.file}")


def read(name: str) -> str:
    """The text of a file. Raises EmgError."""
    try:
        octets = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise EmgError(f"{name} can't be read: {error.strerror or error}") from error
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise EmgError(f"{name} is not text in UTF-8: see line {line}") from None


# -- rows


def list_(call: Call, subject: Subject[R]) -> None:
    """A page."""
    wanted: dict[str, Any] = {column: value for column in subject.filters if (value := given(call, column)) is not None}
    if "prefix" in wanted:
        wanted["prefix"] = wanted["prefix"].removeprefix("+")
    with call.database.session() as session:
        rows, total = subject.table.find(
            session, {**wanted, **subject.narrowed(call)}, offset=call.arguments.offset, limit=call.arguments.limit
        )
    shown = [subject.row(row) for row in rows]
    if call.json:
        call.print_json({"total": total, "offset": call.arguments.offset, "rows": shown})
        return
    call.table(shown, subject.columns)
    if total > len(rows):
        print(f"{len(rows):,} of {total:,} rows; --offset and --limit show others")


def add(call: Call, subject: Subject[R]) -> None:
    """A new row."""
    with call.database.session() as session:
        wanted = subject.one(_cells(call, subject), known_connectors(session, call.config.connectors))
        row = subject.table.add(session, call.actor, wanted)
        nobody = accounts.missing(session, _named(call, [row]))
    call.say(subject.row(row), f"row {row_id(row)} is added: {_line(subject, row)}")
    _tell_nobodys(nobody)
    changed(call, subject)


def set_(call: Call, subject: Subject[R]) -> None:
    """Other values for some columns."""
    number = call.arguments.id
    with call.database.session() as session:
        old = subject.table.get(session, number)
        cells = dict(zip(subject.table.head, map(str, subject.table.cells(old)), strict=True))
        wanted = subject.one(cells | _cells(call, subject), known_connectors(session, call.config.connectors))
        row = with_id(wanted, number)
        different = subject.table.change(session, call.actor, row)
        nobody = accounts.missing(session, _named(call, [row]))
    call.say(subject.row(row), f"row {number} is {'now' if different else 'as it was'}: {_line(subject, row)}")
    _tell_nobodys(nobody)
    if different:
        changed(call, subject)


def delete(call: Call, subject: Subject[R]) -> None:
    """Take rows away, all of them or none."""
    with call.database.session() as session:
        gone = [subject.table.delete(session, call.actor, number) for number in dict.fromkeys(call.arguments.ids)]
    lines = "; ".join(_line(subject, row) for row in gone)
    call.say([subject.row(row) for row in gone], f"deleted: {lines}")
    changed(call, subject)


def given(call: Call, column: str) -> str | None:
    """What an option says, None when it is not there."""
    value = getattr(call.arguments, column)
    return None if value is None else str(value)


def _cells(call: Call, subject: Subject[R]) -> dict[str, str]:
    return {column: value for column in subject.helps if (value := given(call, column)) is not None}


def changed(call: Call, subject: Subject[R]) -> None:
    """Have the gateway read it, and say so where it does not look at this table."""
    file = subject.instead(call)
    if file is not None:
        print(f"the gateway goes by {file}, which its configuration names, not by this table", file=sys.stderr)
        return
    call.tell_gateway()


def _outgoing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="where to (default: standard output)")


def _numbers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", type=whole(), nargs="+", help="as `list` shows it")
