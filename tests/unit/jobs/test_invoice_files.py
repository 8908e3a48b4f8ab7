"""Invoices as files: the same figures in each, read back with other programs."""

import csv
import datetime as dt
import io
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from emg.db import invoices, settings
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus
from emg.db.traffic import month
from emg.jobs import fonts, invoice_files
from emg.jobs import invoices as job
from emg.jobs.fonts import NoFont
from emg.jobs.invoice_files import Seller
from emg.rules import invoicing
from tests.log_rows import NOON, customer, row, write

NAMES = "Łódź Ελλάς Кириллица 株式会社"
SELLER = Seller(
    "House of Messages AB", "Vasagatan 1\nStockholm", "556000-0000", "SE556000000001", "IBAN SE35 5000\nThank you."
)
MOMENT = dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC)


def invoice(count: int = 3, *, status: InvoiceStatus = InvoiceStatus.ISSUED, sign: int = 1) -> Invoice:
    lines = [
        InvoiceLine(
            position=number + 1, account=f"acme{number // 10}", network="24001", prefix="", description="SE Telia", messages=1234 + number,
            parts=2000, unit_price=3251, amount=sign * 3251 * 2000,
        )
        for number in range(count)
    ]  # fmt: skip
    totals = invoicing.totals(sum(line.amount for line in lines), 2500, "EUR")
    return Invoice(
        id=4, number=1017 if status is InvoiceStatus.ISSUED else None, status=status, customer_id=1, period_start=dt.date(2026, 10, 1),
        kind=InvoiceKind.INVOICE if sign > 0 else InvoiceKind.CREDIT_NOTE, period_end=dt.date(2026, 10, 31), currency="EUR", vat=2500,
        **totals._asdict(), customer_name=NAMES, customer_number="C-7", organisation_number="55-1", vat_number="EL094014201", reference="Order 77, Αννα", country="GR", payment_days=30, address="=Street 1\nTown", note="",
        issued=MOMENT if status is InvoiceStatus.ISSUED else None, due=dt.date(2026, 12, 2), created=MOMENT, lines=lines,
    )  # fmt: skip


def pages(made: Invoice, tmp_path: Path) -> list[str]:
    """The PDF's text, page by page."""
    file = tmp_path / "made.pdf"
    file.write_bytes(invoice_files.write(made, SELLER, "pdf"))
    told = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, timeout=30)
    return told.stdout.decode().split("\f")[:-1]


def test_csv_has_each_line_exactly() -> None:
    rows = list(csv.DictReader(io.StringIO(invoice_files.write(invoice(), SELLER, "csv").decode())))
    assert len(rows) == 3
    assert rows[0] == {
        "number": "1017", "issued": "2026-11-02", "due": "2026-12-02", "customer": NAMES, "customer_number": "C-7",
        "organisation_number": "55-1", "vat_number": "EL094014201", "country": "GR", "reference": "Order 77, Αννα", "period_start": "2026-10-01", "period_end": "2026-10-31", "currency": "EUR", "account": "acme0",
        "network": "24001", "prefix": "", "description": "SE Telia", "messages": "1234", "parts": "2000", "unit_price": "0.003251", "amount": "6.502",
    }  # fmt: skip
    assert sum(Decimal(each["amount"]) for each in rows) == Decimal("19.506")


def test_xlsx_has_numbers_and_no_formula() -> None:
    book = load_workbook(io.BytesIO(invoice_files.write(invoice(), SELLER, "xlsx")))
    lines = [[cell.value for cell in row] for row in book["Lines"].iter_rows()]
    assert lines[1] == ["acme0", "24001", None, "SE Telia", 1234, 2000, 0.003251, 6.502]
    assert lines[-1][-1] == 19.506
    amount = book["Lines"].cell(2, 8)
    assert (amount.data_type, amount.number_format) == ("n", "#,##0.00####")
    about = {row[0].value: row[1] for row in book["Invoice"].iter_rows()}
    assert (about["Address"].value, about["Address"].data_type) == ("=Street 1\nTown", "s")
    assert (about["Net"].value, about["VAT"].value, about["Rounding"].value, about["Total"].value) == (
        19.506,
        4.88,
        0.004,
        24.39,
    )
    assert about["Customer"].value == NAMES
    labels = (
        "Registration number",
        "VAT number",
        "Country",
        "Your reference",
        "Payment terms",
        "VAT number of the sender",
    )
    assert [about[label].value for label in labels] == [
        "55-1",
        "EL094014201",
        "Greece",
        "Order 77, Αννα",
        "30 days",
        "SE556000000001",
    ]


def test_pdf_says_everything_in_any_script(tmp_path: Path) -> None:
    (page,) = pages(invoice(), tmp_path)
    for said in (
        NAMES, "House of Messages AB", "SE556000000001", "Invoice", "1017", "2026-11-02", "2026-12-02", "2026-10-01 – 2026-10-31", "C-7",
        "Reg. no. 55-1", "VAT no. EL094014201", "Greece", "Your reference", "Order 77, Αννα", "Payment terms", "30 days", "Reg. no. 556000-0000",
        "VAT no. SE556000000001", "SE Telia", "0.003251", "6.502", "19.506", "VAT 25 %", "4.88", "Rounding", "0.004", "24.39 EUR", "IBAN SE35 5000", "Page 1 of 1",
    ):  # fmt: skip
        assert said in page.replace("\u00a0", " "), said


def test_pdf_breaks_pages_between_lines_and_keeps_totals_together(tmp_path: Path) -> None:
    found = pages(invoice(120), tmp_path)
    assert len(found) > 2
    assert all("Destination" in page for page in found[:-1]), "each page of the table has its head"
    assert all(f"Page {number} of {len(found)}" in page for number, page in enumerate(found, 1))
    assert sum(page.count("SE Telia") for page in found) == 120
    assert [("Net" in page, "To pay" in page) for page in found] == [(False, False)] * (len(found) - 1) + [(True, True)]


@pytest.mark.parametrize("count", range(22, 34, 4))
def test_totals_are_never_torn_apart(tmp_path: Path, count: int) -> None:
    found = pages(invoice(count), tmp_path)
    assert [page.count("Net") for page in found] == [page.count("To pay") for page in found]


def test_a_draft_says_so(tmp_path: Path) -> None:
    (page,) = pages(invoice(status=InvoiceStatus.DRAFT), tmp_path)
    assert "DRAFT: not to be paid" in page
    assert "Draft 4" in page


def test_a_credit_note_is_not_to_be_paid(tmp_path: Path) -> None:
    (page,) = pages(invoice(sign=-1), tmp_path)
    assert "Credit note" in page
    assert "−24.39 EUR" in page
    assert "To pay" not in page
    assert "Due" not in page
    assert "Payment terms" not in page
    assert "IBAN" not in page


def test_what_a_customer_does_not_have_has_no_label(tmp_path: Path) -> None:
    made = invoice(1)
    made.organisation_number = made.vat_number = made.reference = made.country = ""
    (page,) = pages(made, tmp_path)
    for label in ("Your reference", "Greece"):
        assert label not in page
    assert page.count("VAT no.") == 1, "the sender's"


def test_a_long_reference_is_not_cut(tmp_path: Path) -> None:
    made = invoice(1)
    made.reference = (
        "Purchase order 2026-000123 for the department of public health and welfare, attention Anna Andersson"
    )
    (page,) = pages(made, tmp_path)
    assert all(word in page for word in made.reference.split())


def test_an_invoice_without_lines_is_a_page(tmp_path: Path) -> None:
    (page,) = pages(invoice(0), tmp_path)
    assert "No traffic." in page


def test_the_same_invoice_is_the_same_file() -> None:
    assert invoice_files.write(invoice(), SELLER, "pdf") == invoice_files.write(invoice(), SELLER, "pdf")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (invoice(0), "invoice-1017.pdf"),
        (invoice(0, sign=-1), "credit-note-1017.pdf"),
        (invoice(0, status=InvoiceStatus.DRAFT), "draft-4.pdf"),
    ],
)
def test_names_of_files(made: Invoice, name: str) -> None:
    assert invoice_files.name(made, "pdf") == name


def test_without_a_font_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "FOLDERS", (str(tmp_path),))
    with pytest.raises(NoFont, match="install DejaVu Sans"):
        invoice_files.write(invoice(), SELLER, "pdf")


def test_an_invoice_of_the_database_is_written_with_the_settings(database: Database) -> None:
    owner = customer(database, "Acme", vat=2500)
    write(database, [row(1, NOON, customer_id=owner, price=10_000)])
    (done,) = invoices.prepare(database, Actor("shell:test"), month(NOON.date()))
    with database.session() as session:
        settings.write(session, Actor("shell:test"), {"company_name": "House"})
        seller = invoice_files.seller(settings.read(session))
        assert seller.name == "House"
        made = invoices.by_id(session, done.id or 0)
        for kind in invoice_files.KINDS:
            assert invoice_files.write(made, seller, kind)


# -- the monthly job


def drafts(database: Database) -> list[str]:
    with database.session() as session:
        return sorted(f"{each.period_start:%Y-%m} {each.customer_name}" for each in invoices.listing(session))


def test_drafts_of_last_month_are_prepared_and_made_anew(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    today = dt.date(2026, 11, 1)
    assert job.prepare_months(database, today) == "1 drafts prepared"
    assert job.prepare_months(database, today) == "1 drafts prepared"
    assert drafts(database) == ["2026-10 Acme"]


def test_months_that_were_missed_are_made_up_for(database: Database) -> None:
    owner = customer(database, "Acme")
    write(
        database,
        [row(1, NOON, customer_id=owner, price=10), row(2, NOON - dt.timedelta(days=40), customer_id=owner, price=10)],
    )
    job.prepare_months(database, dt.date(2026, 12, 1))
    assert drafts(database) == ["2026-09 Acme", "2026-10 Acme"]


def test_a_month_that_somebody_has_worked_on_is_left_alone(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    (done,) = invoices.prepare(database, Actor("shell:test"), month(NOON.date()))
    invoices.issue(database, Actor("shell:test"), done.id or 0)
    write(database, [row(2, NOON, customer_id=owner, price=10)])
    assert job.prepare_months(database, dt.date(2026, 12, 1)) == "0 drafts prepared"
    assert drafts(database) == ["2026-10 Acme"]


def test_it_can_be_turned_off(database: Database) -> None:
    with database.session() as session:
        settings.write(session, Actor("shell:test"), {"invoices": "no"})
    assert job.prepare_months(database) == "turned off"
