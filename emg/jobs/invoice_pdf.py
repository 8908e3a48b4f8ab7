"""An invoice as PDF: A4, as many pages as its lines take, in any script that the system's fonts have (`emg.jobs.fonts`).

The first page names both parties, number, dates and period; each page repeats the head of the table and says which of how many it is; the totals stay together.
Nothing depends on when it is made: the same invoice gives the same file. A draft says so across its title. Raises NoFont.
"""

import logging
from typing import Final, NamedTuple

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TextEmphasis, VAlign
from fpdf.fonts import FontFace

from emg.db.models import Invoice, InvoiceKind, InvoiceStatus
from emg.jobs import fonts
from emg.rules import countries, invoicing, money

MARGIN: Final = 18.0
BOTTOM: Final = 24.0
RIGHT_COLUMN: Final = 112.0
INK, GREY, PALE = (25, 28, 33), (105, 112, 122), (238, 241, 245)
WIDTHS: Final = (33, 51, 23, 23, 20, 26)
HEADS: Final = ("Account", "Destination", "Messages", "Parts", "Price", "Amount")
TOTALS_ROOM: Final = 48.0
"""Millimetres that the totals take; they are not torn apart."""

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of each table of a font that it leaves out


def title(invoice: Invoice) -> str:
    """What it is."""
    return "Credit note" if invoice.kind is InvoiceKind.CREDIT_NOTE else "Invoice"


def terms(invoice: Invoice) -> str:
    """When it is to be paid, as people agreed on it; empty for a credit note."""
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        return ""
    days = invoice.payment_days
    return f"{days} {'day' if days == 1 else 'days'}" if days else "at once"


SPACE: Final = "\u00a0"
"""Between thousands; no line breaks there."""


def count(number: int) -> str:
    """With spaces between thousands."""
    return f"{number:,}".replace(",", SPACE)


def amount(micro: int, decimals: int) -> str:
    """With spaces between thousands, as many decimals as it takes to be exact, and a real minus."""
    whole, point, rest = money.show(abs(micro), decimals).partition(".")
    return f"{'−' * (micro < 0)}{count(int(whole))}{point}{rest}"


class _Page(FPDF):
    """What stands on every page."""

    def __init__(self, footer: str) -> None:
        super().__init__(format="A4")
        self._footer = footer
        found = fonts.find()
        self.add_font("text", "", found.plain)
        self.add_font("text", "B", found.bold)
        if found.fallback is not None:
            self.add_font("eastern", "", found.fallback)
            self.set_fallback_fonts(["eastern"], exact_match=False)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=BOTTOM)
        self.write_in(9)

    def write_in(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        """From here on."""
        self.set_font("text", "B" if bold else "", size)
        self.set_text_color(*colour)

    def footer(self) -> None:
        """The library calls it at the end of each page."""
        self.set_y(-16)
        self.write_in(7.5, colour=GREY)
        self.cell(0, 5, self._footer)
        self.set_x(MARGIN)
        self.cell(0, 5, f"Page {self.page_no()} of {{nb}}", align="R")


class _Party(NamedTuple):
    """Who stands on the first page."""

    name: str
    address: str
    country: str
    number: str
    vat_number: str

    @property
    def lines(self) -> str:
        """What stands below the name."""
        labelled = (("Reg. no. ", self.number), ("VAT no. ", self.vat_number))
        numbers = [f"{label}{value}" for label, value in labelled if value]
        return "\n".join(filter(None, (self.address, self.country, *numbers)))


def write(invoice: Invoice, name: str, address: str, number: str, vat_number: str, text: str) -> bytes:
    """The file. The other arguments are the seller's: `emg.jobs.invoice_files.Seller`."""
    known = f"{title(invoice)} {invoice.number}" if invoice.number is not None else f"Draft {invoice.id}"
    page = _Page(" · ".join(part for part in (name, vat_number or number, known) if part))
    page.set_creation_date(invoice.issued or invoice.created)
    page.set_title(known)
    page.set_author(name)
    page.set_lang("en")
    page.add_page()
    _parties(page, invoice, _Party(name, address, "", number, vat_number))
    _table(page, invoice)
    _totals(page, invoice)
    # how to pay stands on what is to be paid
    for words in (invoice.note, text if invoice.kind is InvoiceKind.INVOICE else ""):
        if words:
            page.ln(6)
            page.write_in(9)
            page.multi_cell(0, 4.6, words, new_x="LMARGIN", new_y="NEXT")
    return bytes(page.output())


def _parties(page: _Page, invoice: Invoice, seller: _Party) -> None:
    """Who sends it, who gets it, and its facts to the right."""
    country = countries.name(invoice.country)
    buyer = _Party(invoice.customer_name, invoice.address, country, invoice.organisation_number, invoice.vat_number)
    page.write_in(14, bold=True)
    page.multi_cell(RIGHT_COLUMN - MARGIN - 6, 6.5, seller.name, align="L", new_x="LMARGIN", new_y="NEXT")
    page.write_in(8.5, colour=GREY)
    page.multi_cell(
        RIGHT_COLUMN - MARGIN - 6,
        4.4,
        seller.lines,
        align="L",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    page.ln(10)
    page.write_in(8, colour=GREY)
    page.cell(0, 4.6, "To", new_x="LMARGIN", new_y="NEXT")
    page.write_in(10.5, bold=True)
    page.multi_cell(RIGHT_COLUMN - MARGIN - 6, 5.2, buyer.name, align="L", new_x="LMARGIN", new_y="NEXT")
    page.write_in(9.5)
    page.multi_cell(RIGHT_COLUMN - MARGIN - 6, 4.9, buyer.lines, align="L", new_x="LMARGIN", new_y="NEXT")
    left = page.get_y()
    _facts(page, invoice)
    page.set_xy(MARGIN, max(left, page.get_y()) + 10)


def _facts(page: _Page, invoice: Invoice) -> None:
    draft = invoice.status is InvoiceStatus.DRAFT
    page.set_xy(RIGHT_COLUMN, MARGIN)
    page.write_in(20, bold=True)
    page.cell(0, 8, title(invoice), align="R", new_x="LMARGIN", new_y="NEXT")
    if draft:
        page.set_x(RIGHT_COLUMN)
        page.write_in(10, bold=True, colour=(180, 40, 30))
        page.cell(0, 6, "DRAFT: not to be paid", align="R", new_x="LMARGIN", new_y="NEXT")
    page.ln(5)
    facts = [
        ("Number", "" if invoice.number is None else str(invoice.number)),
        ("Date", f"{invoice.issued:%Y-%m-%d}" if invoice.issued else ""),
        ("Due", f"{invoice.due}" if invoice.due and invoice.kind is InvoiceKind.INVOICE else ""),
        ("Payment terms", terms(invoice)),
        ("Period (UTC)", f"{invoice.period_start} – {invoice.period_end}"),
        ("Customer number", invoice.customer_number),
        ("Your reference", invoice.reference),
        ("Currency", invoice.currency),
    ]
    for head, value in facts:
        if value:
            page.set_x(RIGHT_COLUMN)
            page.write_in(9, colour=GREY)
            page.cell(34, 5.4, head)
            page.write_in(9, bold=head in ("Number", "Due"))
            page.multi_cell(0, 5.4, value, align="R", new_x="LMARGIN", new_y="NEXT")


def _table(page: _Page, invoice: Invoice) -> None:
    page.write_in(8.5)
    head = FontFace(emphasis=TextEmphasis.B, color=INK, fill_color=PALE)
    page.set_draw_color(*PALE)
    with page.table(
        col_widths=WIDTHS, text_align=("LEFT", "LEFT", "RIGHT", "RIGHT", "RIGHT", "RIGHT"), headings_style=head,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES, line_height=4.6, padding=(1.1, 1.5), v_align=VAlign.T,
    ) as table:  # fmt: skip
        table.row(HEADS)
        for line in invoice.lines:
            price = amount(line.unit_price, 2) if line.unit_price else "various"
            counts = (count(line.messages), count(line.parts))
            table.row((line.account, line.description, *counts, price, amount(line.amount, 2)))
    if not invoice.lines:
        page.cell(0, 8, "No traffic.", new_x="LMARGIN", new_y="NEXT")


def _totals(page: _Page, invoice: Invoice) -> None:
    """Net, VAT, rounding, and what is to be paid."""
    if page.will_page_break(TOTALS_ROOM):
        page.add_page()
    page.ln(4)
    coin = invoicing.decimals(invoice.currency)
    rows = [("Net", invoice.net), (f"VAT {money.show(invoice.vat * 10_000, 0)} %", invoice.vat_amount)]
    if invoice.rounding:
        rows.append(("Rounding", invoice.rounding))
    page.write_in(9.5)
    for head, value in rows:
        _total(page, head, amount(value, coin), 5.8)
    page.set_draw_color(*GREY)
    page.line(RIGHT_COLUMN, page.get_y() + 0.8, page.w - MARGIN, page.get_y() + 0.8)
    page.ln(1.8)
    page.write_in(12, bold=True)
    credited = invoice.kind is InvoiceKind.CREDIT_NOTE
    _total(page, "Credited" if credited else "To pay", f"{amount(invoice.total, coin)} {invoice.currency}", 7.5)
    if invoice.due and not credited:
        page.write_in(9, colour=GREY)
        _total(page, "", f"by {invoice.due}", 5.2)


def _total(page: _Page, head: str, value: str, height: float) -> None:
    page.set_x(RIGHT_COLUMN)
    page.cell(34, height, head)
    page.cell(0, height, value, align="R", new_x="LMARGIN", new_y="NEXT")
