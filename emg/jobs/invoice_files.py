"""An invoice as a file: `write(invoice, seller, kind)` gives its octets. CSV for programs, XLSX for people who count on, PDF for the customer.

The same invoice gives the same figures in each; nothing is rounded here. CSV: UTF-8, one row a line of the invoice, amounts as exact text with a point.
XLSX: numbers are numbers, and no text is ever a formula. PDF: `emg.jobs.invoice_pdf`. The invoice's `lines` must be loaded. Raises NoFont.
"""

import csv
import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from emg.db.models import Invoice, InvoiceKind, InvoiceStatus
from emg.jobs import invoice_pdf
from emg.rules import countries, money

LINE: Final = ("account", "network", "prefix", "description", "messages", "parts", "unit_price", "amount")
MONEY: Final = frozenset({"unit_price", "amount"})
EXACT_FORMAT: Final = "#,##0.00####"
COUNT_FORMAT: Final = "#,##0"
WIDTHS: Final = (22, 10, 12, 34, 12, 12, 14, 16)


class Seller(NamedTuple):
    """Who sends the invoice: settings `company_*` and `invoice_text`."""

    name: str = ""
    address: str = ""
    number: str = ""
    vat_number: str = ""
    text: str = ""


def seller(settings: dict[str, Any]) -> Seller:
    """Out of all settings."""
    return Seller(
        settings["company_name"],
        settings["company_address"],
        settings["company_number"],
        settings["company_vat_number"],
        settings["invoice_text"],
    )


def write(invoice: Invoice, by: Seller, kind: str) -> bytes:
    """`kind` is of KINDS."""
    return KINDS[kind](invoice, by)


def name(invoice: Invoice, kind: str) -> str:
    """What its file is called: `invoice-1017.pdf`, `credit-note-1018.csv`, `draft-4.xlsx`."""
    if invoice.status is InvoiceStatus.DRAFT:
        return f"draft-{invoice.id}.{kind}"
    word = "credit-note" if invoice.kind is InvoiceKind.CREDIT_NOTE else "invoice"
    return f"{word}-{invoice.number}.{kind}"


def row(invoice: Invoice) -> dict[str, Any]:
    """What there is to say of it, but for its lines: amounts as exact text, times as ISO 8601."""
    amounts = {field: money.show(getattr(invoice, field)) for field in ("net", "vat_amount", "rounding", "total")}
    return {
        "id": invoice.id, "number": invoice.number, "kind": invoice.kind.value, "status": invoice.status.value,
        "credits_id": invoice.credits_id, "customer": invoice.customer_name, "customer_number": invoice.customer_number,
        "organisation_number": invoice.organisation_number, "vat_number": invoice.vat_number, "reference": invoice.reference,
        "address": invoice.address, "country": invoice.country, "payment_days": invoice.payment_days,
        "period_start": invoice.period_start.isoformat(), "period_end": invoice.period_end.isoformat(),
        "currency": invoice.currency, "vat": money.show(invoice.vat * 10_000, 0), **amounts,
        "issued": _date(invoice.issued), "due": _date(invoice.due), "note": invoice.note,
    }  # fmt: skip


def lines(invoice: Invoice) -> list[dict[str, Any]]:
    """Its lines likewise."""
    return [
        {field: money.show(getattr(line, field)) if field in MONEY else getattr(line, field) for field in LINE}
        for line in invoice.lines
    ]


def _date(value: dt.datetime | dt.date | None) -> str | None:
    return None if value is None else value.isoformat()[:10]


def _csv(invoice: Invoice, _by: Seller) -> bytes:
    head = (
        "number", "issued", "due", "customer", "customer_number", "organisation_number", "vat_number", "country", "reference",
        "period_start", "period_end", "currency",
    )  # fmt: skip
    about = row(invoice)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*head, *LINE))
    shared = ["" if about[field] is None else about[field] for field in head]
    writer.writerows([*shared, *line.values()] for line in lines(invoice))
    return text.getvalue().encode()


def _xlsx(invoice: Invoice, by: Seller) -> bytes:
    book = Workbook()
    _lines_sheet(book, invoice)
    _about_sheet(book, invoice, by)
    moment = invoice.issued or invoice.created
    book.properties.created = book.properties.modified = moment.replace(tzinfo=None)
    book.properties.creator = by.name
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()


def _lines_sheet(book: Any, invoice: Invoice) -> None:
    sheet = book.active
    sheet.title = "Lines"
    sheet.freeze_panes = "A2"
    heads = (
        "Account",
        "Network",
        "Prefix",
        "Destination",
        "Messages",
        "Parts",
        f"Price ({invoice.currency})",
        f"Amount ({invoice.currency})",
    )
    for column, (head, width) in enumerate(zip(heads, WIDTHS, strict=True), 1):
        _text(sheet.cell(1, column), head).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = width
    for number, line in enumerate(invoice.lines, 2):
        for column, field in enumerate(LINE, 1):
            cell, value = sheet.cell(number, column), getattr(line, field)
            if field in MONEY:
                _amount(cell, value)
            elif isinstance(value, int):
                cell.value, cell.number_format = value, COUNT_FORMAT
            else:
                _text(cell, value)
    last = len(invoice.lines) + 2
    _text(sheet.cell(last, 1), "Sum").font = Font(bold=True)
    _amount(sheet.cell(last, len(LINE)), invoice.net).font = Font(bold=True)


def _about_sheet(book: Any, invoice: Invoice, by: Seller) -> None:
    sheet = book.create_sheet("Invoice")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 32, 48
    credited = invoice.kind is InvoiceKind.CREDIT_NOTE
    facts: list[tuple[str, Any]] = [
        (invoice_pdf.title(invoice), invoice.number if invoice.number is not None else "draft"),
        ("From", by.name), ("Address of the sender", by.address), ("Registration number of the sender", by.number),
        ("VAT number of the sender", by.vat_number), ("Customer", invoice.customer_name), ("Customer number", invoice.customer_number),
        ("Registration number", invoice.organisation_number), ("VAT number", invoice.vat_number), ("Address", invoice.address),
        ("Country", countries.name(invoice.country)), ("Your reference", invoice.reference), ("Period from (UTC)", invoice.period_start),
        ("Period to (UTC)", invoice.period_end), ("Date", invoice.issued and invoice.issued.date()),
        ("Payment terms", invoice_pdf.terms(invoice)), ("Due", None if credited else invoice.due), ("Currency", invoice.currency), ("Net", Decimal(invoice.net)), ("VAT %", invoice.vat / 100),
        ("VAT", Decimal(invoice.vat_amount)), ("Rounding", Decimal(invoice.rounding)), ("Total", Decimal(invoice.total)), ("Note", invoice.note),
    ]  # fmt: skip
    for number, (head, value) in enumerate(facts, 1):
        _text(sheet.cell(number, 1), head).font = Font(bold=True)
        cell = sheet.cell(number, 2)
        cell.alignment = Alignment(horizontal="left", vertical="top", wrap_text=True)
        if isinstance(value, Decimal):
            _amount(cell, int(value))
        elif isinstance(value, str):
            _text(cell, value)
        else:
            cell.value = value


def _amount(cell: Any, micro: int) -> Any:
    cell.value, cell.number_format = Decimal(micro) / money.MICRO, EXACT_FORMAT
    return cell


def _text(cell: Any, value: str) -> Any:
    cell.value = value
    cell.data_type = "s"  # also what begins with `=`
    return cell


KINDS: Final[dict[str, Callable[[Invoice, Seller], bytes]]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "pdf": lambda invoice, by: invoice_pdf.write(invoice, *by),
}
