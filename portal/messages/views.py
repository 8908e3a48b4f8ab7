"""Pages of the message log."""

import datetime as dt
from pathlib import Path
from typing import Any, Final, cast

from flask import Blueprint, Response, abort, current_app, flash, redirect, request, send_file, url_for
from flask_login import current_user
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Answer

from emg.control.states import STATES
from emg.db import accounts, audit, customers, deadlines, messages
from emg.db.deadlines import TooSlow
from emg.db.engine import Session
from emg.db.messages import Found, Whole
from emg.db.models import Status
from emg.db.prices import PRICES
from emg.db.routes import ROUTES, known_connectors
from emg.db.rule_table import NoSuchRow
from emg.errors import ControlError
from emg.message import State
from portal import formats, house, scope
from portal import pages as made
from portal.guard import allowed, is_part, needs
from portal.messages import asked as wanted
from portal.messages import pdus, story, telling
from portal.messages.asked import Asked
from portal.messages.export import Exports, Job, TooMany
from portal.permissions import Permission

pages: Final = Blueprint("messages", __name__, template_folder="templates")
SEARCH_SECONDS: Final = 10.0
COUNT_SECONDS: Final = 3.0
MOST_OFFERED: Final = 500
TOO_SLOW: Final = f"The search took longer than {SEARCH_SECONDS:g} seconds and was ended. Choose a shorter period, or name a number or an account."
FINAL_STATES: Final = tuple(word for word, state in STATES.items() if state.final)


# -- the search


@pages.get("/messages")
@needs(Permission.SEE_MESSAGES)
def index() -> str:
    """Rows of the log."""
    shown = wanted.asked()
    if is_part() and request.args.get("part") == "count":
        return made.render("messages/index.html", shown=shown, total=_total(shown), counted=True)
    rows: list[Found] = []
    more = back = False
    total, slow = None, ""
    try:
        with house.reading() as session:
            rows, back, more = _page(session, shown)
            offered = _offered(session)
            texts = messages.texts(session, rows) if shown.filters["text"] else {}
    except TooSlow as error:
        slow = str(error)
        with house.reading() as session:
            offered = _offered(session)
            texts = {}
    if not slow and not back and not more:
        total = len(rows)
    elif not slow and request.args.get("count") == "yes":
        total = _total(shown)
    return made.render(
        "messages/index.html", shown=shown, rows=rows, texts=texts, more=more, back=back, total=total, counted=total is not None, slow=slow,
        offered=offered, sees=telling.sees(), periods=wanted.PERIODS, statuses=wanted.STATUSES, place=lambda row: str(messages.place(row)), took=telling.took,
    )  # fmt: skip


def _page(session: Session, shown: Asked) -> tuple[list[Found], bool, bool]:
    """Rows of this page; there are some before it; there are more behind it."""
    search, size, rising = shown.search(session), shown.size, not shown.falling
    with deadlines.within(session, SEARCH_SECONDS, TOO_SLOW):
        if shown.before is not None:
            rows = messages.page(session, search, size + 1, shown.before, rising=not rising)
            return rows[:size][::-1], len(rows) > size, True
        rows = messages.page(session, search, size + 1, shown.after, rising=rising)
        return rows[:size], shown.after is not None, len(rows) > size


def _total(shown: Asked) -> int | None:
    """How many there are, up to a bound; None: that takes too long."""
    try:
        with house.reading() as session:
            search = shown.search(session)
            with deadlines.within(session, COUNT_SECONDS, TOO_SLOW):
                return messages.count(session, search)
    except TooSlow:
        return None


def _offered(session: Session) -> dict[str, list[str]]:
    """Names that the filters offer."""
    if not scope.is_house():
        return {"accounts": sorted(wanted.names_of(session, scope.customer()))[:MOST_OFFERED]}
    return {
        "accounts": list(accounts.names(session)[:MOST_OFFERED]),
        "customers": customers.names(session)[:MOST_OFFERED],
        "connectors": sorted(known_connectors(session, house.config().connectors))[:MOST_OFFERED],
    }


# -- one message


@pages.get("/messages/<int:number>")
@needs(Permission.SEE_MESSAGES)
def one(number: int) -> str:
    """All that is known of a message; of one that the log does not have yet, what the gateway knows."""
    sees = telling.sees()
    with house.reading() as session:
        try:
            whole = wanted.own(session, number)
        except NotFound:
            live = _live(number)
            if live is None or not _his(session, live):
                raise
            return made.render("messages/coming.html", number=number, live=live)
        price = _row_of(session, "price", whole) if sees.prices else {}
        route = _row_of(session, "route", whole) if sees.house else {}
    live = _live(whole.row.id)
    may_see_pdus = allowed(Permission.SEE_SERVER)
    found = None
    if may_see_pdus and (request.args.get("pdus") == "yes" or request.args.get("part") == "pdus"):
        found = pdus.find(Path(house.config().logdir), whole)
    return made.render(
        "messages/one.html", asked=number, whole=whole, row=whole.row, live=live, steps=story.steps(whole, live, sees), sees=sees, price=price, route=route,
        took=telling.took(whole.row), alphabet=telling.alphabet(whole.row.encoding), waits=_waits(live), awaited=_awaited(whole),
        final=whole.row.status in story.FINAL, pdus=found, may_see_pdus=may_see_pdus,
    )  # fmt: skip


def _his(session: Session, live: dict[str, Any]) -> bool:
    """Whether a message that the gateway tells of is of an account that he sees."""
    names = scope.account_names(session)
    return names is None or any(step.get("account") in names for step in live["story"])


def _row_of(session: Session, kind: str, whole: Whole) -> dict[str, Any]:
    """The row of the route or price table that decided, as the table has it now; empty when it is gone or there was none."""
    try:
        if kind == "price":
            row = PRICES.get(session, whole.row.price_row) if whole.row.price_row else None
            return dict(zip(PRICES.head, PRICES.cells(row), strict=True)) if row else {}
        word, _, number = whole.row.route.partition(" ")
        found = ROUTES.get(session, int(number)) if word == "table" and number.isdecimal() else None
        return dict(zip(ROUTES.head, ROUTES.cells(found), strict=True)) if found else {}
    except NoSuchRow:
        return {}


def _live(number: int) -> dict[str, Any] | None:
    """What the gateway knows of it; None when nobody answers, or it knows nothing any more."""
    try:
        return cast("dict[str, Any] | None", house.look(f"/messages/{number}"))
    except ControlError:
        return None


def _waits(live: dict[str, Any] | None) -> bool:
    return live is not None and live["state"] == "queued" and bool(live.get("place"))


def _awaited(whole: Whole) -> bool:
    """A report may still come."""
    return whole.row.status is Status.SENT or any(part.status is Status.SENT for part in whole.parts)


# -- acts


@pages.get("/messages/<int:number>/cancel")
@needs(Permission.CHANGE_MESSAGES)
def ask_cancel(number: int) -> str:
    """Asked once more."""
    with house.reading() as session:
        whole = wanted.own(session, number)
    row = whole.row
    return made.confirm(
        f"Cancel message {row.id}",
        sentences=[
            f"This ends the message from {row.source} to {row.dest} of account {row.account or '–'}, unless it has gone out by then. It can't be taken back.",
            _told_to_sender(State.DELETED, row.price),
        ],
        action=url_for("messages.cancel", number=row.id),
        verb="Cancel the message",
        back=url_for("messages.one", number=row.id),
    )


@pages.post("/messages/<int:number>/cancel")
@needs(Permission.CHANGE_MESSAGES)
def cancel(number: int) -> Answer:
    """End a message that waits."""
    with house.reading() as session:
        row = wanted.own(session, number).row
    back = url_for("messages.one", number=row.id)
    try:
        done = house.gateway().post(f"/messages/{row.id}/cancel")
    except ControlError as error:
        flash(f"Not cancelled: {error}.", "warning")
        return made.turn(back)
    left = f" {done['not_cancelled']} parts had gone out already." if done["not_cancelled"] else ""
    _note("cancel", row, {"cancelled": done["cancelled"], "not_cancelled": done["not_cancelled"]})
    flash(f"Message {row.id} is cancelled.{left}", "success")
    return made.turn(back)


def _told_to_sender(state: State, price: int) -> str:
    refund = (
        " What was charged for it is given back, if its price says so (refund: undelivered)."
        if price and state is not State.DELIVERED else ""
    )  # fmt: skip
    return f"Its sender gets a report that says “{state.name.lower()}”, if he asked for one.{refund}"


@pages.get("/messages/<int:number>/report")
@needs(Permission.CHANGE_MESSAGES)
def ask_report(number: int) -> str:
    """Which report; then asked once more."""
    with house.reading() as session:
        whole = wanted.own(session, number)
        price = _row_of(session, "price", whole)
    row, word, error = whole.row, request.args.get("state", ""), request.args.get("error", "").strip()
    fault = _fault(word, error) if word else ""
    if not word or fault:
        return made.render(
            "messages/report.html",
            row=row,
            states=FINAL_STATES,
            chosen=word,
            error=error,
            fault=fault,
            awaited=_awaited(whole),
        )
    state = STATES[word]
    code = error or ("000" if state is State.DELIVERED else "255")
    parts = f", and each of its {len(whole.parts)} parts," if len(whole.parts) > 1 else ""
    sentences = [
        f"The message from {row.source} to {row.dest}{parts} ends as “{word}” with the code {code}, as if {row.connector_out} had reported so.",
        "It can't be taken back: what the operator reports later is ignored.",
        f"Account {row.account or '–'} gets this report, if it asked for one.",
        _refund(state, row, price),
    ]
    return made.confirm(
        f"Report on message {row.id}", sentences=[text for text in sentences if text], action=url_for("messages.report", number=row.id),
        verb=f"Report it as {word}", back=url_for("messages.one", number=row.id), fields={"state": word, "error": code},
    )  # fmt: skip


def _refund(state: State, row: Found, price: dict[str, Any]) -> str:
    if state is State.DELIVERED or not row.price:
        return ""
    amount = formats.money(row.price, row.currency)
    policy = price.get("refund")
    if policy is None:
        return f"If its price says so, {amount} are given back to account {row.account}."
    if policy == "undelivered":
        return f"{amount} are given back to account {row.account}: so its price says (refund: {policy})."
    return f"Nothing of the {amount} is given back: so its price says (refund: {policy})."


def _fault(word: str, error: str) -> str:
    if word not in FINAL_STATES:
        return f"The state is one of {', '.join(FINAL_STATES)}."
    if error and not (error.isascii() and error.isalnum() and len(error) <= 3):
        return "The code has up to three letters or digits."
    return ""


@pages.post("/messages/<int:number>/report")
@needs(Permission.CHANGE_MESSAGES)
def report(number: int) -> Answer:
    """Report on it in the operator's place."""
    with house.reading() as session:
        row = wanted.own(session, number).row
    word, code = request.form.get("state", ""), request.form.get("error", "").strip()
    if fault := _fault(word, code):
        abort(400, fault)
    back = url_for("messages.one", number=row.id)
    try:
        given = {"error": code} if code else {}
        house.gateway().post("/reports", id=str(row.id), state=word, **given)
    except ControlError as error:
        flash(f"Nothing was reported: {error}.", "warning")
        return made.turn(back)
    _note("report", row, {"state": word, "error": code})
    flash(f"Message {row.id} is reported as {word}.", "success")
    return made.turn(back)


def _note(action: str, row: Found, after: dict[str, Any]) -> None:
    with house.writing() as session:
        audit.note(session, house.actor(), action, "message", str(row.id), {"status": row.status.value}, after)


# -- exports


def _exports() -> Exports:
    """The portal's."""
    kept = current_app.extensions.get("exports")
    if kept is None:
        config = house.config()
        kept = current_app.extensions["exports"] = Exports(house.database(), Path(config.spooldir) / "exports")
    return cast(Exports, kept)


def _owner() -> tuple[int, str]:
    return current_user.id, f"{current_user.role.value} {scope.customer()}"


def _job(key: str) -> Job:
    job = _exports().find(_owner(), key)
    if job is None:
        abort(404, "There is no such export. They are kept for a day, and until the portal is started anew.")
    return job


@pages.post("/messages/export")
@needs(Permission.SEE_MESSAGES)
def export() -> Answer:
    """Write the rows of a search to a file."""
    shown = wanted.asked()
    with house.reading() as session:
        search = shown.search(session)
    try:
        job = _exports().start(_owner(), _title(shown), search, telling.sees(), rising=not shown.falling)
    except TooMany as error:
        flash(f"Not exported: {error}.", "warning")
        return made.turn(shown.address())
    return made.turn(url_for("messages.job", key=job.key))


def _title(shown: Asked) -> str:
    """What is exported, in a line."""
    said = [f"{name} {value}" for name, value in shown.filters.items() if value and name not in ("period", "text")]
    if shown.period and shown.period != "own":
        said.insert(0, dict(wanted.PERIODS)[shown.period])
    return ", ".join([*said, *(["a text"] if shown.filters["text"] else [])]) or "all messages"


@pages.get("/messages/exports")
@needs(Permission.SEE_MESSAGES)
def exports() -> str:
    """One's own."""
    return made.render("messages/exports.html", jobs=_exports().own(_owner()))


@pages.get("/messages/exports/<key>")
@needs(Permission.SEE_MESSAGES)
def job(key: str) -> str:
    """How far it is."""
    return made.render("messages/export.html", job=_job(key))


@pages.post("/messages/exports/<key>/cancel")
@needs(Permission.SEE_MESSAGES)
def cancel_export(key: str) -> Answer:
    """Stop it, or delete its file."""
    found = _job(key)
    _exports().forget(found)
    flash("The export is cancelled." if found.state == "cancelled" else "The file is deleted.", "success")
    return redirect(url_for("messages.exports"), 303)


@pages.get("/messages/exports/<key>/file")
@needs(Permission.SEE_MESSAGES)
def file(key: str) -> Response:
    """The rows."""
    found = _job(key)
    if found.state != "ready":
        abort(404, "It is not ready.")
    name = f"messages-{dt.datetime.fromtimestamp(found.begun, dt.UTC):%Y%m%d-%H%M%S}.csv"
    try:
        return send_file(_exports().file(found), mimetype="text/csv", as_attachment=True, download_name=name, max_age=0)
    except OSError:
        abort(404, "The file is gone.")
