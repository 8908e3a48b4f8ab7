"""Pages of invoices.

People of the house who may see money see all; a customer's administrator sees the issued ones of his own customer, everything else is 404 for him. Nothing is counted here:
`emg.db.invoices` does that. Files are made in a thread beside the event loop: a PDF of thousands of lines takes seconds.
"""

import datetime as dt
import io
from typing import Any, Final

import gevent
from flask import Blueprint, abort, flash, request, send_file, url_for
from werkzeug.wrappers import Response

from emg.db import customers, invoices, settings
from emg.db.engine import Session
from emg.db.invoices import InvoiceError
from emg.db.models import Invoice, InvoiceKind, InvoiceStatus
from emg.db.traffic import DAY, Period, month
from emg.jobs import invoice_files
from emg.jobs.fonts import NoFont
from portal import formats, house, scope
from portal import pages as made
from portal.guard import needs
from portal.listing import Listing
from portal.permissions import Permission

pages: Final = Blueprint("invoices", __name__, template_folder="templates")
LISTING: Final = Listing(
    "invoices.index", sorts=("-number", "customer", "period", "total", "issued", "due"), filters=("customer", "status", "month")
)  # fmt: skip
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST_LINES: Final = 500
"""Lines of an invoice that its page shows; the files have all."""
LONGEST_NOTE: Final = 500


@pages.get("/invoices")
@needs(Permission.SEE_INVOICES)
def index() -> str:
    """Drafts and invoices."""
    shown = LISTING.asked()
    status = InvoiceStatus.ISSUED if not scope.is_house() else _status(shown.filters["status"])
    asked: dict[str, Any] = {
        "customer": scope.chosen_customer(shown.filters["customer"]), "status": status,
        "period": _month(shown.filters["month"]) if shown.filters["month"] else None,
    }  # fmt: skip
    order = "" if shown.sort == shown.usual else shown.sort
    with house.reading() as session:
        rows = invoices.listing(session, **asked, order=order, limit=shown.limit, offset=shown.offset)
        total = invoices.count(session, **asked)
        names = customers.names(session) if scope.is_house() else []
        taken_back = {row.id: note.number for row in rows if (note := invoices.credited_by(session, row))}
    return made.render("invoices/index.html", shown=shown, rows=rows, total=total, names=names, taken_back=taken_back)


def _status(text: str) -> InvoiceStatus | None:
    try:
        return InvoiceStatus(text) if text else None
    except ValueError:
        abort(400, "An invoice is a draft or issued.")


def _month(text: str) -> Period:
    try:
        return month(dt.date.fromisoformat(f"{text}-01"))
    except (ValueError, OverflowError):
        abort(400, "A month is written as 2026-10.")


# -- prepare


@pages.get("/invoices/prepare")
@needs(Permission.CHANGE_INVOICES)
def ask_prepare() -> str:
    """Which month and customer; then what would be on the drafts, out of the log."""
    last = month(dt.datetime.now(dt.UTC).date().replace(day=1) - DAY)
    chosen, customer = request.args.get("month", ""), request.args.get("customer", "")
    period = _month(chosen) if chosen else last
    rows: list[invoices.Foreseen] = []
    fault = ""
    with house.reading() as session:
        prepaid = settings.read(session)["invoice_prepaid"]
        names = customers.names(session)
    if chosen:
        try:
            rows = invoices.foresee(house.database(), period, customer=customer or None, prepaid=prepaid)
        except InvoiceError as error:
            fault = str(error)
    return made.render(
        "invoices/prepare.html", period=period, month=f"{period.start:%Y-%m}", customer=customer, rows=rows, asked=bool(chosen), fault=fault,
        names=names, prepaid=prepaid, running=period.end >= dt.datetime.now(dt.UTC).date(),
    )  # fmt: skip


@pages.post("/invoices/prepare")
@needs(Permission.CHANGE_INVOICES)
def prepare() -> Response:
    """Make or replace the drafts."""
    chosen, customer = request.form.get("month", ""), request.form.get("customer", "")
    period = _month(chosen)
    with house.reading() as session:
        prepaid = settings.read(session)["invoice_prepaid"]
    try:
        done = invoices.prepare(house.database(), house.actor(), period, customer=customer or None, prepaid=prepaid)
    except InvoiceError as error:
        flash(f"Nothing was prepared: {error}.", "danger")
        return made.turn(url_for("invoices.ask_prepare", month=chosen, customer=customer or None))
    drafts = [row for row in done if row.id is not None]
    if not done:
        flash(f"The log has nothing to invoice for {chosen}.", "info")
    elif drafts:
        flash(f"{_drafts(len(drafts))} prepared for {chosen}. Look at each before you issue it.", "success")
    for row in done:
        if row.refused:
            flash(f"No draft for {row.customer} ({row.currency}): {row.refused}.", "warning")
    if len(drafts) == 1:
        return made.turn(url_for("invoices.one", number=drafts[0].id))
    return made.turn(url_for("invoices.index", month=chosen))


def _drafts(count: int) -> str:
    return "One draft is" if count == 1 else f"{count} drafts are"


# -- one


def _own(session: Session, number: int) -> Invoice:
    """The invoice or draft of this id, if the person who asks may see it; 404 for any other."""
    try:
        found = invoices.by_id(session, number) if number < 1 << 63 else None
    except InvoiceError:
        found = None
    if found is not None and not scope.is_house():
        hidden = found.status is InvoiceStatus.DRAFT or invoices.owner(session, found) != scope.customer()
        found = None if hidden else found
    if found is None:
        abort(404, f"There is no invoice or draft with the id {number}.")
    return found


@pages.get("/invoices/<int:number>")
@needs(Permission.SEE_INVOICES)
def one(number: int) -> str:
    """What stands on it."""
    with house.reading() as session:
        found = _own(session, number)
        lines = list(found.lines)
        customer = invoices.owner(session, found)
        note = invoices.credited_by(session, found)
        taken = invoices.by_id(session, found.credits_id) if found.credits_id else None
        chosen = settings.read(session)
    log_now: int | None = None
    draft = found.status is InvoiceStatus.DRAFT
    if draft and request.args.get("check") == "yes":
        log_now = invoices.log_now(house.database(), found.id, prepaid=chosen["invoice_prepaid"])
    return made.render(
        "invoices/one.html", row=found, lines=lines[:MOST_LINES], all_lines=len(lines), customer=customer, note=note, taken=taken, draft=draft,
        credit_note=found.kind is InvoiceKind.CREDIT_NOTE, title=title(found), log_now=log_now, kinds=tuple(TYPES),
        running=found.period_end >= dt.datetime.now(dt.UTC).date(), seller=chosen["company_name"],
    )  # fmt: skip


def title(invoice: Invoice) -> str:
    """What it is called."""
    if invoice.status is InvoiceStatus.DRAFT:
        return f"Draft {invoice.id}"
    return f"{'Credit note' if invoice.kind is InvoiceKind.CREDIT_NOTE else 'Invoice'} {invoice.number}"


@pages.get("/invoices/<int:number>/file.<kind>")
@needs(Permission.SEE_INVOICES)
def file(number: int, kind: str) -> Response:
    """As PDF, XLSX or CSV."""
    if kind not in TYPES:
        abort(404, "An invoice is there as PDF, XLSX and CSV.")
    with house.reading() as session:
        found = _own(session, number)
        len(found.lines)  # loaded now, for the thread has no session
        by = invoice_files.seller(settings.read(session))
    try:
        octets = gevent.get_hub().threadpool.apply(invoice_files.write, (found, by, kind))
    except NoFont as error:
        abort(503, f"The PDF can't be made: {error}.")
    return send_file(
        io.BytesIO(octets), TYPES[kind], as_attachment=True, download_name=invoice_files.name(found, kind), max_age=0
    )


# -- acts


@pages.get("/invoices/<int:number>/issue")
@needs(Permission.CHANGE_INVOICES)
def ask_issue(number: int) -> str:
    """Asked once more."""
    with house.reading() as session:
        found = _own(session, number)
    if found.status is not InvoiceStatus.DRAFT:
        abort(409, f"It is already issued, as number {found.number}.")
    total = formats.money(found.total, found.currency)
    return made.confirm(
        f"Issue draft {number}",
        sentences=[
            f"This issues the draft for {found.customer_name}, {found.period_start} to {found.period_end}, {total} in all. It gets the next invoice number and today's date.",
            (
                "An issued invoice never changes again: what is wrong on it can only be taken back by a credit note. The log is counted once more first; if it has"
                " changed since the draft was prepared, nothing is issued."
            ),
        ],
        action=url_for("invoices.issue", number=number),
        verb="Issue the invoice",
        back=url_for("invoices.one", number=number),
        danger=False,
    )


@pages.post("/invoices/<int:number>/issue")
@needs(Permission.CHANGE_INVOICES)
def issue(number: int) -> Response:
    """Give it its number."""
    with house.reading() as session:
        _own(session, number)
        chosen = settings.read(session)
    try:
        given = invoices.issue(
            house.database(), house.actor(), number, first_number=chosen["invoice_first_number"], prepaid=chosen["invoice_prepaid"]
        )  # fmt: skip
        flash(f"Draft {number} is now invoice {given}.", "success")
    except InvoiceError as error:
        flash(f"Not issued: {error}.", "danger")
    return made.turn(url_for("invoices.one", number=number))


@pages.get("/invoices/<int:number>/credit")
@needs(Permission.CHANGE_INVOICES)
def ask_credit(number: int) -> str:
    """Asked once more, and why."""
    with house.reading() as session:
        found = _own(session, number)
        note = invoices.credited_by(session, found)
    if found.status is InvoiceStatus.DRAFT or found.kind is InvoiceKind.CREDIT_NOTE or note is not None:
        abort(409, "Only an issued invoice can be taken back, and only once.")
    return made.render("invoices/credit.html", row=found)


@pages.post("/invoices/<int:number>/credit")
@needs(Permission.CHANGE_INVOICES)
def credit(number: int) -> Response:
    """Take the whole invoice back."""
    with house.reading() as session:
        found = _own(session, number)
    why = " ".join(request.form.get("note", "").split())
    place = url_for("invoices.one", number=number)
    if found.number is None:
        flash("Not taken back: it is a draft, which can be thrown away.", "danger")
        return made.turn(place)
    if len(why) > LONGEST_NOTE:
        flash(f"Not taken back: the reason has at most {LONGEST_NOTE} characters.", "danger")
        return made.turn(place)
    try:
        given = invoices.credit(house.database(), house.actor(), found.number, note=why)
    except InvoiceError as error:
        flash(f"Not taken back: {error}.", "danger")
        return made.turn(place)
    flash(f"Invoice {found.number} is taken back by credit note {given}. Its period can be prepared again.", "success")
    with house.reading() as session:
        place = url_for("invoices.one", number=invoices.by_number(session, given).id)
    return made.turn(place)


@pages.get("/invoices/<int:number>/delete")
@needs(Permission.CHANGE_INVOICES)
def ask_delete(number: int) -> str:
    """Asked once more."""
    with house.reading() as session:
        found = _own(session, number)
    return made.confirm(
        f"Throw away draft {number}",
        sentences=[
            (
                f"This deletes the draft for {found.customer_name}, {found.period_start} to {found.period_end}, {formats.money(found.total, found.currency)} in all. The"
                " messages stay in the log: it can be prepared again."
            )
        ],
        action=url_for("invoices.delete", number=number),
        verb="Throw the draft away",
        back=url_for("invoices.one", number=number),
    )


@pages.post("/invoices/<int:number>/delete")
@needs(Permission.CHANGE_INVOICES)
def delete(number: int) -> Response:
    """Throw a draft away."""
    try:
        invoices.drop(house.database(), house.actor(), number)
    except InvoiceError as error:
        flash(f"Nothing was thrown away: {error}.", "danger")
        return made.turn(url_for("invoices.index"))
    flash(f"Draft {number} is gone.", "success")
    return made.turn(url_for("invoices.index"))
