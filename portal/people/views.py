"""People who log in, and the audit log. Administrators of a customer see and change the people of their customer alone, and can make nobody of the house."""

import datetime as dt
from typing import Any, Final

from flask import Blueprint, abort, flash, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from emg.db import accounts, audit, audit_log, customers, people, second_factor, web_sessions, web_tokens
from emg.db.audit_log import Wanted
from emg.db.engine import Session
from emg.db.models import Promise, Role, WebUser
from emg.rules import rows
from emg.rules.people_rows import CUSTOMERS, WEB_USER
from emg.rules.rows import Known, RowFaults
from portal import fields, house, scope
from portal import pages as made
from portal.guard import needs, words
from portal.listing import Listing
from portal.permissions import Permission
from portal.signin import links

pages: Final = Blueprint("people", __name__, template_folder="templates")
LISTING: Final = Listing(
    "people.index",
    ("name", "full_name", "role", "customer", "last_login", "email"),
    ("text", "role", "customer", "state"),
)
AUDIT: Final = Listing("people.audit_page", ("-at",), ("who", "action", "subject", "name", "since", "until"))
ROLES: Final = [(role.value, words(role)) for role in Role]


def _find(tables: Session, name: str, *, lock: bool = False) -> WebUser:
    """Somebody whom he may see; 404 for anybody else."""
    user = people.find(tables, name, lock=lock)
    if not scope.is_house() and people.values(tables, user)["customer"] != scope.customer():
        abort(404, f"There is no web user {name!r}.")
    return user


def _roles() -> list[tuple[str, str]]:
    return [pair for pair in ROLES if scope.is_house() or pair[0] in CUSTOMERS]


@pages.get("/people")
@needs(Permission.SEE_PEOPLE)
def index() -> str:
    """Everybody."""
    shown = LISTING.asked()
    wanted = {**shown.filters, "customer": scope.chosen_customer(shown.filters["customer"])}
    if wanted["role"] not in ("", *dict(ROLES)) or wanted["state"] not in ("", *people.STATES):
        abort(400, "There is no such role or state.")
    with house.reading() as tables:
        found = people.listing(tables, **wanted, order=shown.sort, offset=shown.offset, limit=shown.limit)
        total, waiting = people.count(tables, **wanted), web_tokens.waiting(tables, dt.datetime.now(dt.UTC))
    return made.render(
        "people/index.html", shown=shown, found=found, total=total, waiting=waiting, roles=_roles(), words=words, states=[(name, name) for name in people.STATES]
    )  # fmt: skip


def _form(tables: Session, user: WebUser | None) -> Any:
    known = Known(
        customers=[row.name for row, _count in customers.listing(tables, limit=1000)] if scope.is_house() else ()
    )
    only = [
        name
        for name in WEB_USER
        if name != "locked" and (user is None or name != "name") and (scope.is_house() or name != "customer")
    ]
    values = people.values(tables, user) if user else {"role": CUSTOMERS[1], "name": "", "full_name": "", "email": ""}
    form = fields.form(WEB_USER, known, values=values, only=only)
    form.role.choices = _roles()
    form.account.render_kw = {
        "data_offered": (scope.account_names(tables) or [row.name for row in accounts.listing(tables, limit=500)])
    }
    return form


def _given(form: Any) -> dict[str, Any] | None:
    """What was typed; None with faults. A customer's people can be given nothing of another's."""
    given = fields.read(form, WEB_USER, Known())
    if given is None or scope.is_house():
        return given
    given["customer"] = scope.customer()
    with house.reading() as tables:
        own = scope.account_names(tables) or []
    faults = []
    if given["role"] not in CUSTOMERS:
        faults.append(rows.fault("role", "is not for you to give").faults[0])
    if given.get("account") and given["account"] not in own:
        faults.append(rows.fault("account", f"there is no account {given['account']!r}").faults[0])
    if faults:
        fields.blame(form, RowFaults(faults))
        return None
    return given


@pages.route("/people/invite", methods=["GET", "POST"])
@needs(Permission.CHANGE_PEOPLE)
def invite() -> str:
    """Somebody new."""
    with house.reading() as tables:
        form = _form(tables, None)
    if form.validate_on_submit() and (given := _given(form)) is not None:
        try:
            with house.writing() as tables:
                user = people.invite(tables, house.actor(), given)
                tables.flush()
                place = links.promise(tables, user, Promise.INVITATION, house.actor())
        except RowFaults as error:
            fields.blame(form, error)
        else:
            return render_template("people/link.html", user=user, place=place, title="Invited")
    return render_template(
        "people/form.html", form=form, title="Invite somebody", verb="Invite", back=url_for("people.index")
    )


@pages.route("/people/user/<name>", methods=["GET", "POST"])
@needs(Permission.SEE_PEOPLE)
def one(name: str) -> Response | str:
    """One of them, to change."""
    with house.reading() as tables:
        user = _find(tables, name)
        form = _form(tables, user)
        sessions = web_sessions.of_user(tables, user.id)
        customer = people.values(tables, user)["customer"]
    if form.validate_on_submit() and (given := _given(form)) is not None:
        try:
            with house.writing() as tables:
                was = _find(tables, name, lock=True).email
                changed = people.change(tables, house.actor(), name, given)
                if given.get("email", was) != was:
                    web_tokens.drop(tables, user.id)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            flash(f"{name} is changed." if changed else f"{name} is so already.", "success")
            return made.turn(url_for("people.one", name=name))
    return render_template(
        "people/one.html", user=user, form=form, sessions=sessions, customer=customer, role=words(user.role)
    )


ACTS: Final = {
    "lock": ("Lock", "can't log in any more and is logged out everywhere ({} logins now)."),
    "unlock": ("Unlock", "can log in again."),
    "end": ("Log out everywhere", "is logged out at {} browsers, and can log in again."),
    "second": ("Take the second factor away", "is asked for the password alone, until a second factor is set up again. Recovery codes are of no use any more."),
    "link": ("Make a link", "gets a link by mail, where the address is known, to choose a password; you see it once too. The password that holds now holds until then."),
    "delete": ("Delete", "is deleted, with {} logins and all saved reports. The audit log keeps the name."),
}  # fmt: skip


@pages.route("/people/user/<name>/<act>", methods=["GET", "POST"])
@needs(Permission.CHANGE_PEOPLE)
def act(name: str, act: str) -> Response | str:
    """Do something to one of them, asked once more."""
    if act not in ACTS:
        abort(404)
    with house.reading() as tables:
        user = _find(tables, name)
        count = len(web_sessions.of_user(tables, user.id))
    if name == current_user.name and act in ("lock", "delete"):
        abort(400, "Nobody locks or deletes himself: somebody else has to.")
    verb, sentence = ACTS[act]
    place = ""
    back = url_for("people.one", name=name)
    if request.method == "GET":
        return made.confirm(f"{verb}: {name}", sentences=[f"{name} {sentence.format(count)}"], action=url_for("people.act", name=name, act=act), verb=verb, back=back, danger=act in ("lock", "second", "delete"))  # fmt: skip
    with house.writing() as tables:
        user = _find(tables, name, lock=True)
        if act == "link":
            kind = Promise.RESET if user.password_hash else Promise.INVITATION
            place = links.promise(tables, user, kind, house.actor())
            audit.note(tables, house.actor(), "link", "web_user", name)
        else:
            _do(tables, act, name)
    if act == "link":
        return render_template("people/link.html", user=user, place=place, title="A link to choose a password")
    flash(f"{verb}: done for {name}.", "success")
    return made.turn(url_for("people.index") if act == "delete" else back)


def _do(tables: Session, act: str, name: str) -> None:
    does = {
        "lock": people.lock,
        "unlock": people.unlock,
        "end": people.log_out,
        "second": second_factor.remove,
        "delete": people.delete,
    }
    does[act](tables, house.actor(), name)


@pages.get("/people/audit")
@needs(Permission.SEE_AUDIT)
def audit_page() -> str:
    """Who changed what."""
    shown = AUDIT.asked()
    asked = shown.filters
    until = _day(asked["until"])
    wanted = Wanted(
        asked["who"],
        asked["action"],
        asked["subject"],
        asked["name"],
        _day(asked["since"]),
        until and until + dt.timedelta(days=1),
    )
    with house.reading() as tables:
        found = audit_log.listing(tables, wanted, falling=shown.falling, offset=shown.offset, limit=shown.limit)
        total, known = audit_log.count(tables, wanted), audit_log.words(tables)
    changed = [(row, audit_log.differences(row)) for row in found]
    return made.render(
        "people/audit.html", shown=shown, changed=changed, total=total, actions=known[0], subjects=known[1]
    )


def _day(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) if text else None
    except ValueError:
        abort(400, "A day is written as 2026-11-23.")
