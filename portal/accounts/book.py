"""An account's ledger, as a page and as a file; top-ups and corrections, which no double click books twice."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from flask import flash, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response

from emg.db import ledger, sent_forms
from emg.db.ledger import ENTRY
from emg.db.models import Entry
from emg.db.sent_forms import AlreadySent
from emg.rules import money
from emg.rules.rows import Fields, Known, RowFaults
from portal import csv_out, fields, house, scope
from portal import pages as made
from portal.accounts.blueprint import living, pages
from portal.csv_out import Amount
from portal.formats import money as shown_money
from portal.guard import needs
from portal.listing import Listing
from portal.permissions import Permission

LISTING: Final = Listing("accounts.book", sorts=("-at", "kind", "amount", "messages"), filters=("kind",))
CHUNK: Final = 2000
COLUMNS: Final = ("Time (UTC)", "What", "Amount", "Balance", "Currency", "Messages", "Why", "Reference", "Who")
CORRECTION: Final[Fields] = {
    **ENTRY,
    "amount": replace(ENTRY["amount"], about="How much is added; with a minus before it, how much is taken away."),
    "why": replace(ENTRY["why"], needed=True, about="For what reason; the customer reads it too."),
}


@pages.get("/accounts/<name:name>/ledger")
@needs(Permission.SEE_BALANCES)
def book(name: str) -> str:
    """Its rows."""
    shown = LISTING.asked(name=name)
    kind = shown.filters["kind"] if shown.filters["kind"] in {entry.value for entry in Entry} else ""
    with house.reading() as session:
        account = scope.own_account(session, name, deleted=True)
        found = ledger.page(session, account.id, kind=kind, order=shown.sort, offset=shown.offset, limit=shown.limit)
        total = ledger.count(session, account.id, kind=kind)
    kinds = [(entry.value, entry.value) for entry in Entry]
    return made.render(
        "accounts/book.html", name=name, account=account, shown=shown, rows=found, total=total, kinds=kinds
    )


@pages.get("/accounts/<name:name>/ledger.csv")
@needs(Permission.SEE_BALANCES)
def file(name: str) -> Response:
    """All its rows as a file, the newest first."""
    with house.reading() as session:
        number = scope.own_account(session, name, deleted=True).id
    columns = COLUMNS if scope.is_house() else COLUMNS[:-1]
    response = Response(stream_with_context(_lines(number, columns)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="ledger-{name}.csv"'
    return response


def _lines(number: int, columns: tuple[str, ...]) -> Iterator[str]:
    yield csv_out.head(columns)
    before = 0
    while True:
        with house.reading() as session:
            found = ledger.listing(session, number, before=before, limit=CHUNK)
        if not found:
            return
        before = found[-1].id
        cells = (
            (
                f"{row.at:%Y-%m-%d %H:%M:%S}", row.kind.value, Amount(money.show(row.amount)), Amount(money.show(row.balance)), row.currency,
                row.messages or "", row.why, row.reference, row.who,
            )
            for row in found
        )  # fmt: skip
        yield csv_out.lines([one[: len(columns)] for one in cells])


@pages.route("/accounts/<name:name>/topup", methods=["GET", "POST"])
@needs(Permission.CHANGE_BALANCES)
def topup(name: str) -> Response | str:
    """Put money on it."""
    return _entered(name, Entry.TOPUP, ENTRY)


@pages.route("/accounts/<name:name>/correct", methods=["GET", "POST"])
@needs(Permission.CHANGE_BALANCES)
def correct(name: str) -> Response | str:
    """Correct its balance, up or down."""
    return _entered(name, Entry.CORRECTION, CORRECTION)


def _entered(name: str, kind: Entry, table: Fields) -> Response | str:
    with house.reading() as session:
        account = living(scope.own_account(session, name))
    form = fields.form(table, Known())
    form.amount.label.text = f"Amount in {account.currency}"
    if request.method == "GET":
        form.amount.data = ""
    if form.validate_on_submit() and (given := fields.read(form, table, Known())) is not None:
        try:
            return _book(name, kind, given)
        except RowFaults as error:
            fields.blame(form, error)
        except AlreadySent:
            flash("This form was sent already: its amount was booked once, and not again.", "warning")
            return made.turn(url_for("accounts.book", name=name))
    return render_template(
        "accounts/entry.html", name=name, account=account, kind=kind.value, form=form, sent=sent_forms.token()
    )


def _book(name: str, kind: Entry, given: dict[str, object]) -> Response:
    act = ledger.topup if kind is Entry.TOPUP else ledger.correct
    with house.writing() as session:
        sent_forms.spend(session, request.form.get("sent", ""))
        row = act(session, house.actor(), name, **given)  # type: ignore[arg-type]  # by the table's fields
    amount, left = shown_money(row.amount, row.currency), shown_money(row.balance, row.currency)
    flash(f"{amount} is booked on account {name}; its balance is {left} in the database.", "success")
    house.tell_gateway()
    return made.turn(url_for("accounts.book", name=name))
