"""A new account; its settings, its access list, its password."""

from ipaddress import ip_address, ip_network
from typing import Any, Final

from flask import abort, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from emg.config import hashes
from emg.db import accounts, sent_forms
from emg.rules import account_rows, rows
from emg.rules.account_rows import ACCOUNT, ANY, LONGEST_SMPP_PASSWORD, Access
from emg.rules.rows import Field, RowFaults
from portal import account_forms, fields, house, known, logins, scope
from portal import pages as made
from portal.accounts.blueprint import GROUPS, ask, home, living, pages
from portal.guard import needs
from portal.permissions import Permission

EDITED: Final = {name: field for name, field in ACCOUNT.items() if field.group}
FIELDSETS: Final = {
    title: tuple(name for name, field in EDITED.items() if field.group == group) for group, title in GROUPS.items()
}
NEW_FIELDSETS: Final = {
    "Login": ("name", "customer", "access"),
    "Balance": ("prepaid", "credit_limit", "currency", "low_balance", "opening", "why"),
    **{title: names for title, names in FIELDSETS.items() if title not in ("Login", "Balance")},
}
ROWS: Final = rows.table(
    Field(
        "access", rows.words(account_rows.LONGEST_LIST, lines=True), "",
        "Addresses or networks, such as 192.0.2.0/24 or 2001:db8::7; * for everywhere. Behind each @CONNECTOR if it is for that one alone.", needed=True,
    )
)  # fmt: skip


@pages.route("/accounts/new", methods=["GET", "POST"])
@needs(Permission.CHANGE_ACCOUNTS)
def new() -> Response | str:
    """A new account, with a password that is made and shown once."""
    with house.reading() as session:
        names = known.rows(session)
    wanted = request.args.get("customer", "")
    form = account_forms.form(names, values={"customer": wanted} if wanted in (names.customers or ()) else None)
    if form.validate_on_submit() and (given := account_forms.read(form, names)) is not None:
        hashed = given.hashed()
        try:
            with house.writing() as session:
                sent_forms.spend(session, request.form.get("sent", ""))
                account = account_forms.keep(session, house.actor(), given, hashed)
                remarks = account_forms.remarks(account)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            house.tell_gateway()
            return _told(account.name, f"Account {account.name} is added.", given.password, remarks)
    return render_template("accounts/new.html", form=form, groups=NEW_FIELDSETS, sent=sent_forms.token())


@pages.route("/accounts/<name:name>/edit", methods=["GET", "POST"])
@needs(Permission.CHANGE_ACCOUNTS)
def edit(name: str) -> Response | str:
    """Its settings."""
    with house.reading() as session:
        account = living(scope.own_account(session, name))
        names, values = known.rows(session), accounts.values(account)
    form = fields.form(EDITED, names, values=values)
    if form.validate_on_submit() and (given := fields.read(form, EDITED, names)) is not None:
        try:
            with house.writing() as session:
                changed = accounts.change(session, house.actor(), name, given)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            flash(f"Account {name} is changed." if changed else f"Account {name} is so already.", "success")
            if changed:
                house.tell_gateway()
            return made.turn(home(name))
    return render_template("accounts/edit.html", name=name, form=form, groups=FIELDSETS)


@pages.route("/accounts/<name:name>/access", methods=["GET", "POST"])
@needs(Permission.RUN_ACCOUNTS)
def access(name: str) -> Response | str:
    """From where it may log in: the rows, and a form that adds some."""
    with house.reading() as session:
        account = living(scope.own_account(session, name))
        had, names = accounts.access_of(account), known.doors(session)
    form = fields.form(ROWS, names)
    form.access.label.text = "Add"
    if form.validate_on_submit() and (given := fields.read(form, ROWS, names)) is not None:
        try:
            wanted = account_rows.access(given["access"], names)
            with house.writing() as session:
                scope.own_account(session, name, lock=True)
                changed = accounts.add_access(session, house.actor(), name, wanted)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            return _changed_access(name, changed=changed)
    return render_template("accounts/access.html", name=name, rows=had, form=form, doors=sorted(names.connectors or ()))


@pages.get("/accounts/<name:name>/access/remove")
@needs(Permission.RUN_ACCOUNTS)
def ask_remove(name: str) -> str:
    """What taking a row away does: sessions that it let in end."""
    text = request.args.get("row", "")
    with house.reading() as session:
        rows_ = accounts.access_of(living(scope.own_account(session, name)))
    left = [one for one in rows_ if str(one) != text]
    if len(left) == len(rows_):
        abort(404, f"Account {name} has no access row {text[:60]!r}.")
    live = ask(name)
    ending = [one for one in (live or {}).get("session_list", ()) if not _lets_in(left, one["connector"], one["ip"])]
    known_ends = f"Sessions that end now, for nothing else lets them in: {len(ending)}."
    sentences = [
        f"Account {name} can't log in from {text} any more{'' if left else '; as it is the last row, from nowhere'}.",
        "Sessions that no other row lets in end." if live is None else known_ends,
    ]
    return made.confirm(
        f"Remove {text}?", sentences=sentences, action=url_for("accounts.remove_access", name=name), verb="Remove it",
        back=url_for("accounts.access", name=name), fields={"row": text},
    )  # fmt: skip


def _lets_in(rows_: list[Access], connector: str, address: str) -> bool:
    try:
        place = ip_address(address)
    except ValueError:
        return True  # of a program on this machine: nobody knows here
    return any(one.connector in (ANY, connector) and place in ip_network(one.network, strict=False) for one in rows_)


@pages.post("/accounts/<name:name>/access/remove")
@needs(Permission.RUN_ACCOUNTS)
def remove_access(name: str) -> Response:
    """Take one row away."""
    text = request.form.get("row", "")
    with house.writing() as session:
        account = living(scope.own_account(session, name, lock=True))
        gone = [one for one in accounts.access_of(account) if str(one) == text]
        changed = bool(gone) and accounts.remove_access(session, house.actor(), name, gone)
    return _changed_access(name, changed=changed)


def _changed_access(name: str, *, changed: bool) -> Response:
    flash(f"The access list of {name} is changed." if changed else "The access list is so already.", "success")
    if changed:
        house.tell_gateway()
    return made.turn(home(name) + "/access")


@pages.route("/accounts/<name:name>/password", methods=["GET", "POST"])
@needs(Permission.RUN_ACCOUNTS)
def password(name: str) -> str:
    """Another password: one that is typed, or one that is made and shown once."""
    with house.reading() as session:
        account = living(scope.own_account(session, name))
        had = bool(account.password_hash)
    fault = ""
    if request.method == "POST":
        typed = request.form.get("password", "")
        text = typed or hashes.generated(LONGEST_SMPP_PASSWORD)
        try:
            hashed = logins.made(account_rows.password(text))
        except RowFaults as error:
            fault = error.faults[0].reason
        else:
            with house.writing() as session:
                sent_forms.spend(session, request.form.get("sent", ""))
                scope.own_account(session, name, lock=True)
                accounts.set_password(session, house.actor(), name, hashed)
            house.tell_gateway()
            remarks = (
                []
                if len(text) <= LONGEST_SMPP_PASSWORD
                else [f"The password is longer than the {LONGEST_SMPP_PASSWORD} characters that SMPP allows."]
            )
            return _told(name, f"Account {name} has another password.", "" if typed else text, remarks)
    return render_template("accounts/password.html", name=name, had=had, fault=fault, sent=sent_forms.token())


def _told(name: str, sentence: str, secret: str, remarks: list[str]) -> str:
    """The answer that holds a password, once: it is kept nowhere from which another page could show it."""
    given: dict[str, Any] = {"sentences": [sentence], "what": f"The password of {name}", "remarks": remarks}
    return render_template("secret.html", title=f"Account {name}", secret=secret, onward=home(name), **given)
