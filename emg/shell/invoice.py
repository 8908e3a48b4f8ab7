"""`emg invoice`: prepare drafts, look at them, issue, credit, write as files.

An issued invoice is named by its number, a draft by its id, as `draft:4` wherever both can be meant. `prepare` without a time takes last month. `export`
writes one file into a folder (or to standard output with `-o -`), named as `invoice-1017.pdf`, and never overwrites one unless `--force`.
"""

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import Any, Final

from emg.db import invoices, settings
from emg.db.invoices import InvoiceError, Prepared
from emg.db.models import Invoice, InvoiceKind, InvoiceStatus
from emg.db.traffic import DAY, Period, month
from emg.jobs import invoice_files
from emg.rules import money
from emg.shell.common import Call, Command, UsageError, run
from emg.shell.report import typed
from emg.shell.words import MOST_ROWS, whole

COLUMNS: Final = (
    ("Invoice", "name"), ("Kind", "kind"), ("Customer", "customer"), ("From", "period_start"), ("To", "period_end"), ("Net", "net"),
    ("VAT", "vat_amount"), ("Total", "total"), ("Currency", "currency"), ("Issued", "issued"), ("Due", "due"),
)  # fmt: skip
LINES: Final = (
    ("Account", "account"), ("Destination", "description"), ("Messages", "messages"), ("Parts", "parts"),
    ("Price", "unit_price"), ("Amount", "amount"),
)  # fmt: skip
PREPARED: Final = (
    ("Customer", "customer"),
    ("Draft", "name"),
    ("Net", "net"),
    ("Currency", "currency"),
    ("Refused", "refused"),
)


def prepare(call: Call) -> int:
    """Drafts of a period, of one customer or all."""
    asked = call.arguments
    done = invoices.prepare(
        call.database, call.actor, _period(asked), customer=asked.customer, prepaid=_settings(call)["invoice_prepaid"]
    )
    call.table([_prepared(row) for row in done], PREPARED)
    return int(any(row.refused for row in done) and not any(row.id for row in done))


def list_(call: Call) -> None:
    """Drafts, then issued ones, the newest first."""
    asked = call.arguments
    status = InvoiceStatus(asked.status) if asked.status else None
    with call.database.session() as session:
        found = invoices.listing(session, customer=asked.customer or "", status=status, limit=asked.limit)
        rows = [_row(each) for each in found]
    call.table(rows if call.json else [_for_people(row) for row in rows], COLUMNS)


def show(call: Call) -> None:
    """One with its lines."""
    with call.database.session() as session:
        found = _find(session, call.arguments.invoice)
        row, lines = _row(found), invoice_files.lines(found)
    if call.json:
        call.print_json({**row, "lines": lines})
        return
    call.pairs({name: value for name, value in row.items() if value not in (None, "")}, row["name"])
    call.table(lines, LINES)


def issue(call: Call) -> None:
    """Give drafts their numbers, one after the other; those before a fault have theirs."""
    chosen = _settings(call)
    first, prepaid = chosen["invoice_first_number"], chosen["invoice_prepaid"]
    given: dict[int, int] = {}
    try:
        for draft in call.arguments.draft:
            given[draft] = invoices.issue(call.database, call.actor, draft, first_number=first, prepaid=prepaid)
            if not call.json:
                print(f"draft {draft} is now invoice {given[draft]}")
    finally:
        if call.json:
            call.print_json({"numbers": list(given.values())})


def credit(call: Call) -> None:
    """Take an invoice back."""
    asked = call.arguments
    number = invoices.credit(call.database, call.actor, asked.number, note=asked.note)
    call.say({"number": number}, f"invoice {asked.number} is taken back by credit note {number}")


def drop(call: Call) -> None:
    """Throw a draft away."""
    invoices.drop(call.database, call.actor, call.arguments.draft)
    call.say({"dropped": call.arguments.draft}, f"draft {call.arguments.draft} is gone")


def export(call: Call) -> None:
    """Write one as a file."""
    asked = call.arguments
    seller = invoice_files.seller(_settings(call))
    with call.database.session() as session:
        found = _find(session, asked.invoice)
        octets = invoice_files.write(found, seller, asked.format)
        name = invoice_files.name(found, asked.format)
    if asked.output == "-":
        sys.stdout.buffer.write(octets)
        return
    place = Path(asked.output) if asked.output else Path()
    path = place / name if place.is_dir() else place
    try:
        with path.open("wb" if asked.force else "xb") as file:
            file.write(octets)
    except FileExistsError:
        raise InvoiceError(f"{path} is there already; --force writes over it") from None
    except OSError as error:
        raise InvoiceError(f"{path} can't be written: {error.strerror}") from None
    call.say({"file": str(path), "octets": len(octets)}, f"{path} is written")


def _settings(call: Call) -> dict[str, Any]:
    with call.database.session() as session:
        return settings.read(session)


def _find(session: Any, name: tuple[str, int]) -> Invoice:
    kind, number = name
    return invoices.by_id(session, number) if kind == "draft" else invoices.by_number(session, number)


def _row(invoice: Invoice) -> dict[str, Any]:
    draft = invoice.status is InvoiceStatus.DRAFT
    return {"name": f"draft:{invoice.id}" if draft else str(invoice.number), **invoice_files.row(invoice)}


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """A credit note is not to be paid, whatever its row says."""
    credited = row["kind"] == InvoiceKind.CREDIT_NOTE
    return {**row, "kind": str(row["kind"]).replace("_", " "), "due": None if credited else row["due"]}


def _prepared(row: Prepared) -> dict[str, Any]:
    name = "" if row.id is None else f"draft:{row.id}"
    return {
        "customer": row.customer,
        "name": name,
        "id": row.id,
        "net": money.show(row.net),
        "currency": row.currency,
        "refused": row.refused,
    }


def _period(asked: argparse.Namespace) -> Period:
    """Raises UsageError."""
    if asked.month is not None:
        if asked.since or asked.until:
            raise UsageError("--month goes with neither --from nor --to")
        return month(asked.month)
    if (asked.since is None) != (asked.until is None):
        raise UsageError("--from and --to belong together")
    if asked.since is None:
        return month(dt.datetime.now(dt.UTC).date().replace(day=1) - DAY)
    if asked.until < asked.since:
        raise UsageError("--from must not be after --to")
    return Period(asked.since, asked.until)


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 63:
        raise ValueError
    return number


def _draft(text: str) -> int:
    return _number(text.removeprefix("draft:"))


def _name(text: str) -> tuple[str, int]:
    return ("draft", _draft(text)) if text.startswith("draft:") else ("number", _number(text))


def _prepare_arguments(parser: argparse.ArgumentParser) -> None:
    day = typed(dt.date.fromisoformat, "a day such as 2026-10-01")
    month_of = typed(lambda text: dt.date.fromisoformat(f"{text}-01"), "a month such as 2026-10")
    parser.add_argument("--month", type=month_of, metavar="YYYY-MM", help="this month (default: last month)")
    parser.add_argument("--from", dest="since", type=day, metavar="DAY", help="the first day, UTC")
    parser.add_argument("--to", dest="until", type=day, metavar="DAY", help="the last day, included")
    parser.add_argument("--customer", help="only this customer's")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--customer", help="only this customer's")
    parser.add_argument("--status", choices=[each.value for each in InvoiceStatus], help="only these")
    parser.add_argument("--limit", type=whole(1, MOST_ROWS), default=100, help="at most so many (default: %(default)s)")


def _one_argument(parser: argparse.ArgumentParser) -> None:
    says = "an invoice's number, or draft:ID"
    parser.add_argument("invoice", metavar="INVOICE", type=typed(_name, says), help=says)


def _issue_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("draft", metavar="DRAFT", nargs="+", type=typed(_draft, "a draft's id"), help="4 or draft:4")


def _drop_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("draft", metavar="DRAFT", type=typed(_draft, "a draft's id"), help="4 or draft:4")


def _credit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", type=typed(_number, "an invoice's number"))
    parser.add_argument("--note", default="", help="why; stands on the credit note")


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _one_argument(parser)
    parser.add_argument("--format", choices=tuple(invoice_files.KINDS), default="pdf", help="(default: %(default)s)")
    parser.add_argument(
        "-o", "--output", metavar="PLACE", help="a file or folder (default: here); - is standard output"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


COMMANDS: Final = {
    "prepare": Command(prepare, _prepare_arguments, "make the drafts of a period, or make them anew"),
    "list": Command(list_, _list_arguments, "drafts and invoices"),
    "show": Command(show, _one_argument, "one, with its lines"),
    "issue": Command(issue, _issue_arguments, "issue drafts: number, date, due date; they never change again"),
    "credit": Command(credit, _credit_arguments, "take a whole invoice back by a credit note"),
    "drop": Command(drop, _drop_arguments, "throw a draft away"),
    "export": Command(export, _export_arguments, "write one as PDF, XLSX or CSV"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("invoice", "Invoices: what customers owe for a period.", COMMANDS, argv)
