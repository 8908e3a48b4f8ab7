"""A new customer, with his first account in the same form; his details."""

from collections.abc import Mapping
from typing import Any, Final

from flask import flash, render_template, request
from werkzeug.wrappers import Response

from emg.db import customers, sent_forms
from emg.db.models import Account
from emg.rules.account_rows import CUSTOMER
from emg.rules.rows import Known, RowFaults
from portal import account_forms, fields, house, known
from portal import pages as made
from portal.account_forms import New
from portal.customers.blueprint import home, pages
from portal.fields import RowForm
from portal.guard import needs
from portal.permissions import Permission

FIELDSETS: Final = {
    "Company": (
        "name",
        "number",
        "organisation_number",
        "vat_number",
        "address",
        "country",
        "technical_contact",
        "note",
    ),
    "Invoices": ("email", "currency", "vat", "payment_days", "reference", "daily_report"),
}
FIRST: Final = (
    "name", "access", "prepaid", "credit_limit", "low_balance", "opening", "why", "sessions", "throughput", "daily_limit", "sourceaddr",
)  # fmt: skip
"""Of an account that is made together with its customer."""


@pages.route("/customers/new", methods=["GET", "POST"])
@needs(Permission.CHANGE_CUSTOMERS)
def new() -> Response | str:
    """All or nothing: customer, account, access list, password and first top-up are one transaction."""
    with house.reading() as session:
        names = known.rows(session)
    form = fields.form(CUSTOMER, names, omit=("locked",), prefix="c-")
    first = account_forms.form(names, only=FIRST, prefix="a-")
    if (
        form.validate_on_submit()
        and first.validate()
        and (wanted := _read(form, first, names)) is not None
        and (done := _keep(form, first, *wanted)) is not None
    ):
        return done
    return render_template(
        "customers/new.html", form=form, first=first, groups=FIELDSETS, only=FIRST, sent=sent_forms.token()
    )


def _read(form: RowForm, first: RowForm, names: Known) -> tuple[Mapping[str, Any], New | None] | None:
    """The customer, and his account if one is named; None: there are faults in either."""
    given = fields.read(form, CUSTOMER, names)
    if (first["name"].data or "").strip():
        account = account_forms.read(first, names)
        return None if given is None or account is None else (given, account)
    if any((first[name].data or "").strip() for name in ("access", "opening", "why", "sourceaddr") if name in first):
        first["name"].errors = ["must not be empty when something else is said of the account"]
        return None
    return None if given is None else (given, None)


def _keep(form: RowForm, first: RowForm, given: Mapping[str, Any], new: New | None) -> Response | str | None:
    hashed = new.hashed() if new is not None else {}
    account: Account | None = None
    remarks: list[str] = []
    blamed = form
    try:
        with house.writing() as session:
            sent_forms.spend(session, request.form.get("sent", ""))
            name = customers.add(session, house.actor(), given).name
            blamed = first
            if new is not None:
                account = account_forms.keep(session, house.actor(), new, {**hashed, "customer": name})
                remarks = account_forms.remarks(account)
    except RowFaults as error:
        fields.blame(blamed, error)
        return None
    house.tell_gateway()
    if new is None or account is None:
        flash(f"Customer {name} is added.", "success")
        return made.turn(home(name))
    sentences = [f"Customer {name} is added, with account {account.name}."]
    return render_template(
        "secret.html", title=f"Customer {name}", sentences=sentences, what=f"The password of {account.name}", secret=new.password,
        remarks=remarks, onward=home(name),
    )  # fmt: skip


@pages.route("/customers/<name:name>/edit", methods=["GET", "POST"])
@needs(Permission.CHANGE_CUSTOMERS)
def edit(name: str) -> Response | str:
    """His details, the name too."""
    with house.reading() as session:
        values = customers.values(customers.find(session, name))
    edited = {field: row for field, row in CUSTOMER.items() if field != "locked"}
    form = fields.form(edited, Known(), values=values)
    if form.validate_on_submit() and (given := fields.read(form, edited, Known())) is not None:
        try:
            with house.writing() as session:
                changed = customers.change(session, house.actor(), name, given)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            flash(f"Customer {given['name']} is changed." if changed else "The customer is so already.", "success")
            if changed:
                house.tell_gateway()
            return made.turn(home(given["name"]))
    return render_template("customers/edit.html", name=name, form=form, groups=FIELDSETS)
