"""Keys of programs to the REST API: those of the house and of all customers, or for a customer's administrator his customer's alone."""

import datetime as dt
from typing import Any, Final

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from emg.db import customers, keys, sent_forms
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import ApiKey
from emg.rules import rows
from emg.rules.key_rows import KEY
from emg.rules.rows import Known, RowFaults
from portal import fields, house, scope
from portal import pages as made
from portal.customers import scopes
from portal.customers.blueprint import pages
from portal.guard import needs
from portal.listing import Listing
from portal.permissions import Permission

LISTING: Final = Listing(
    "customers.all_keys",
    sorts=("name", "customer", "rate", "expires", "last_used", "created"),
    filters=("text", "customer"),
)
MADE_OF: Final = ("name", "rate", "expires")


@pages.get("/customers/keys")
@needs(Permission.CHANGE_KEYS)
def all_keys() -> str:
    """Those that the person may see."""
    return _listed(LISTING, scope.chosen_customer(request.args.get("customer", "").strip()))


@pages.get("/customers/<name:name>/keys")
@needs(Permission.CHANGE_KEYS)
def own_keys(name: str) -> Response:
    """Those of one customer."""
    _whose(name)
    return redirect(url_for("customers.all_keys", customer=name))


def _listed(listing: Listing, customer: str) -> str:
    shown = listing.asked()
    wanted = {"text": shown.filters["text"], "customer": customer}
    with house.reading() as session:
        found = keys.listing(session, **wanted, order=shown.sort, offset=shown.offset, limit=shown.limit)
        total = keys.count(session, **wanted)
    moment = dt.datetime.now(dt.UTC)
    return made.render("customers/keys.html", shown=shown, rows=found, total=total, customer=customer, moment=moment)


@pages.route("/customers/keys/new", methods=["GET", "POST"])
@needs(Permission.CHANGE_KEYS)
def new_key() -> Response | str:
    """A key of the house; an administrator of a customer makes one of his customer's."""
    return _new(scope.customer() or None)


@pages.route("/customers/<name:name>/keys/new", methods=["GET", "POST"])
@needs(Permission.CHANGE_KEYS)
def new_own_key(name: str) -> Response | str:
    """A key of a customer."""
    _whose(name)
    return _new(name)


def _new(customer: str | None) -> Response | str:
    form = fields.form(KEY, Known(), only=MADE_OF)
    offered = scopes.offered(customer)
    chosen = [one for one in request.form.getlist("scopes") if one in offered]
    fault = ""
    if form.validate_on_submit() and (given := fields.read(form, KEY, Known())) is not None:
        if not chosen:
            fault = "choose at least one"
        elif len(chosen) != len(request.form.getlist("scopes")):
            abort(403, "A key may not do more than whoever makes it.")
        else:
            wanted: dict[str, Any] = {
                **given,
                "customer": customer,
                "scopes": rows.read(KEY, {"scopes": ",".join(chosen)}, Known(), whole=False)["scopes"],
            }
            try:
                return _added(wanted)
            except RowFaults as error:
                fields.blame(form, error)
    return render_template(
        "customers/key.html",
        form=form,
        customer=customer,
        offered=offered,
        chosen=chosen,
        fault=fault,
        sent=sent_forms.token(),
    )


def _added(wanted: dict[str, Any]) -> str:
    with house.writing() as session:
        sent_forms.spend(session, request.form.get("sent", ""))
        key, text = keys.add(session, house.actor(), wanted)
        name = key.name
    sentences = [f"Key {name} is made. A program shows it with every request, as Authorization: Bearer KEY."]
    onward = url_for("customers.all_keys")
    return render_template(
        "secret.html", title=f"Key {name}", sentences=sentences, what="The key", secret=text, remarks=[], onward=onward
    )


@pages.post("/customers/keys/<name:name>/lock")
@needs(Permission.CHANGE_KEYS)
def lock_key(name: str) -> Response:
    """Of no use until it is unlocked."""
    with house.writing() as session:
        keys.lock(session, house.actor(), _own(session, name).name)
    return _turned(f"Key {name} is locked.")


@pages.post("/customers/keys/<name:name>/unlock")
@needs(Permission.CHANGE_KEYS)
def unlock_key(name: str) -> Response:
    """Take the lock away."""
    with house.writing() as session:
        key = _own(session, name)
        owner = keys.values(session, key)["customer"]
        if set(key.scopes.split(",")) - set(scopes.offered(owner)):
            abort(403, "This key may do more than you: somebody who may do as much has to unlock it.")
        keys.unlock(session, house.actor(), key.name)
    return _turned(f"Key {name} is unlocked.")


@pages.get("/customers/keys/<name:name>/revoke")
@needs(Permission.CHANGE_KEYS)
def ask_revoke(name: str) -> str:
    """What revoking does."""
    with house.reading() as session:
        key = _own(session, name)
    used = f"It was last used {key.last_used:%Y-%m-%d %H:%M} UTC." if key.last_used else "It was never used."
    sentences = [f"{used} Programs that show it are refused from now on; it can't be brought back."]
    address = url_for("customers.revoke", name=name)
    return made.confirm(
        f"Revoke key {name}?", sentences=sentences, action=address, verb="Revoke it", back=url_for("customers.all_keys")
    )


@pages.post("/customers/keys/<name:name>/revoke")
@needs(Permission.CHANGE_KEYS)
def revoke(name: str) -> Response:
    """Take it away for good."""
    with house.writing() as session:
        keys.revoke(session, house.actor(), _own(session, name).name)
    return _turned(f"Key {name} is revoked.")


def _whose(name: str) -> None:
    """404 for a customer that is not there, or not his."""
    if not scope.is_house() and name != scope.customer():
        abort(404, f"there is no customer {name!r}")
    with house.reading() as session:
        customers.find(session, name)


def _own(session: Session, name: str) -> ApiKey:
    """A key that he may see, by its whole name; 404 for any other."""
    try:
        key = keys.find(session, name)
    except NotFound:
        abort(404, f"there is no key {name!r}")
    if key.name != name or (not scope.is_house() and keys.values(session, key)["customer"] != scope.customer()):
        abort(404, f"there is no key {name!r}")
    return key


def _turned(sentence: str) -> Response:
    flash(sentence, "success")
    return made.turn(url_for("customers.all_keys"))
