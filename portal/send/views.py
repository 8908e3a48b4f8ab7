"""The form, what it counts while somebody types, batches, and what is done to them."""

import contextlib
import datetime as dt
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from flask import Blueprint, abort, flash, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from emg.control import balances as control
from emg.control.client import part
from emg.db import accounts, balances, batches, people
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import Account, BatchState, ItemState, SendBatch
from emg.errors import ControlError, EmgError
from emg.text.errors import TextError
from portal import formats, house, scope
from portal import pages as made
from portal.guard import allowed, needs
from portal.listing import Listing
from portal.messages.asked import own
from portal.permissions import Permission
from portal.rule_tables import sheets
from portal.send import pricing, reading

pages: Final = Blueprint("send", __name__, template_folder="templates")
LISTING: Final = Listing("send.listing", ("-id",))
ITEMS: Final = Listing("send.batch", ("id",), ("state",))
LARGEST_FILE: Final = 4 << 20
OFFERED: Final = 500
LONGEST_SOURCE: Final = 20
MOST_FAULTS: Final = 100
"""Sentences that are kept of a batch."""
LONGEST_HOURS: Final = 168
LATEST: Final = dt.timedelta(days=366)
BACK: Final = dt.timedelta(minutes=10)
"""A time so far back is now: somebody took his time."""
FIELDS: Final = ("account", "source", "numbers", "text", "due", "hours")


class Wanted(NamedTuple):
    """A form that can be kept."""

    account: Account
    found: reading.Read
    due: dt.datetime | None
    validity: int | None


def _given() -> dict[str, str]:
    given = {name: request.form.get(name, "") for name in FIELDS}
    given["text"] = given["text"].replace("\r\n", "\n")
    return {name: value if name in ("text", "numbers") else value.strip() for name, value in given.items()}


def _names(session: Session) -> list[str]:
    """Accounts that he may send with: who was given one, with that alone."""
    own = scope.account_names(session)
    if own is None:
        return [row.name for row in accounts.listing(session, locked=False, limit=OFFERED)]
    bound = people.values(session, people.find(session, current_user.name))["account"]
    return [name for name in own if not bound or name == bound]


def _form(given: dict[str, str], faults: dict[str, str] | None = None, **more: Any) -> str:
    with house.reading() as session:
        names = _names(session)
    if not given.get("account") and len(names) == 1:
        given["account"] = names[0]
    counted = {"parts": 0, "encoding": "", "numbers": 0, "row": None, "refused": "", "characters": 0, **more}
    return made.render(
        "send/index.html", given=given, faults=faults or {}, names=names[:OFFERED], counted=counted,
        longest=reading.LONGEST_TEXT, longest_source=LONGEST_SOURCE, hours=LONGEST_HOURS, most=batches.MOST,
    )  # fmt: skip


@pages.route("/send", methods=["GET", "POST"])
@needs(Permission.SEND)
def index() -> Response | str:
    """The form; `number` of the address is filled in, or with `again` all of that message. What is posted is kept as a draft, and shown."""
    if request.method == "POST":
        return _preview()
    given = {**dict.fromkeys(FIELDS, ""), "numbers": request.args.get("number", "")[:64]}
    if again := request.args.get("again", type=int):
        given |= _again(again)
    return _form(given)


def _again(number: int) -> dict[str, str]:
    """A message as the form has it; its text where it was kept whole and he may read it."""
    with house.reading() as session:
        whole = own(session, number)
    row, body, text = whole.row, whole.body, ""
    if body is not None and allowed(Permission.READ_TEXTS) and not body.masked and not body.udh:
        text = body.text
    if not text:
        flash("The text of that message is not kept, or is none: write it anew.", "warning")
    text = text.replace("{", "{{").replace("}", "}}")  # what stands in braces is a placeholder here
    return {"account": row.account, "source": row.source, "numbers": row.dest, "text": text}


@pages.post("/send/count")
@needs(Permission.SEND)
def count() -> str:
    """Parts, encoding and price of what stands in the form so far; nothing is kept."""
    given = _given()
    counted: dict[str, Any] = {"characters": len(given["text"])}
    faults = {}
    try:
        coded = reading.coded(given["text"][: reading.LONGEST_TEXT])
        counted |= {"parts": coded.parts if given["text"] else 0, "encoding": coded.encoding}
    except TextError as error:
        faults["text"] = f"The text can't be sent: {error}."
    lines = [each for line in given["numbers"][: reading.LONGEST_PASTED].splitlines() for each in line.replace(";", ",").split(",") if each.strip()]  # fmt: skip
    counted["numbers"] = len(lines)
    with house.reading() as session:
        known = _may(session, given["account"]) is not None
    try:
        dest = reading.number(lines[0]) if lines else ""
        told = pricing.at_once(given["account"], given["source"][:LONGEST_SOURCE], dest) if dest and known else None
        counted |= told or {}
    except EmgError as error:
        faults["numbers"] = f"{str(error)[:1].upper()}{str(error)[1:]}."
    return _form(given, faults, **counted)


def _may(session: Session, name: str) -> Account | None:
    """The account, if he may send with it."""
    try:
        account = accounts.find(session, name)
    except NotFound:
        return None
    return account if scope.is_house() or name in _names(session) else None


def _preview() -> Response | str:
    given = _given()
    faults: dict[str, str] = {}
    with house.reading() as session:
        account = _may(session, given["account"])
    wanted = _wanted(given, account, faults)
    if wanted is None:
        return _form(given, faults)
    try:
        total = pricing.total(wanted.account.name, wanted.found.rows)
    except EmgError as error:
        return _form(given, {"account": f"{error}."})
    found = wanted.found
    batch = SendBatch(
        account_id=wanted.account.id, customer_id=wanted.account.customer_id, who=current_user.name, source=given["source"], template=given["text"],
        due=wanted.due, validity=wanted.validity, faulty=len(found.faults), faults="\n".join(found.faults[:MOST_FAULTS]),
        price=total.micros, unpriced=total.unpriced, currency=total.currency,
    )  # fmt: skip
    with house.writing() as session:
        number = batches.draft(session, batch, found.rows).id
    return made.turn(url_for("send.batch", number=number))


def _wanted(given: dict[str, str], account: Account | None, faults: dict[str, str]) -> Wanted | None:
    """What the form says; None with `faults`, a sentence a field."""
    if account is None:
        faults["account"] = f"There is no account {given['account']!r}." if given["account"] else "Choose an account."
    elif fault := _source_fault(given["source"], account):
        faults["source"] = fault
    if not given["text"].strip():
        faults["text"] = "The text is empty."
    elif len(given["text"]) > reading.LONGEST_TEXT:
        faults["text"] = f"The text has more than {reading.LONGEST_TEXT:,} characters."
    due, validity = _due(given["due"], faults), _validity(given["hours"], faults)
    found = None
    try:
        found = _found(given)
    except EmgError as error:
        field = "text" if "placeholder" in str(error) else "numbers"
        faults.setdefault(field, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    if found is not None and not found.rows and "text" not in faults:
        faults["numbers"] = " ".join(found.faults[:5]) or "Give a number, or upload a file."
    return None if faults or account is None or found is None else Wanted(account, found, due, validity)


def _found(given: dict[str, str]) -> reading.Read:
    file = request.files.get("file")
    if file is None or not file.filename:
        return reading.pasted(given["numbers"], given["text"])
    if given["numbers"].strip():
        raise EmgError("give either numbers or a file, not both")
    with contextlib.closing(file):
        octets = file.stream.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise EmgError(f"the file is too big: at most {formats.octets(LARGEST_FILE)} are taken")
    return reading.uploaded(sheets.text_of(octets), given["text"])


def _source_fault(source: str, account: Account) -> str:
    if len(source) > LONGEST_SOURCE or not source.isprintable():
        return f"A sender has at most {LONGEST_SOURCE} characters."
    allowed = [word.strip() for word in account.sourceaddr.split(",") if word.strip()]
    if source and allowed and not account.force_sourceaddr and not any(fnmatchcase(source, word) for word in allowed):
        return f"Account {account.name} may send as {', '.join(allowed)[:300]}, and not as {source}."
    return ""


def _due(text: str, faults: dict[str, str]) -> dt.datetime | None:
    if not text:
        return None
    now = dt.datetime.now(dt.UTC)
    try:
        due = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    except ValueError:
        faults["due"] = "A time is written as 2026-11-23T14:30, in UTC."
        return None
    if not now - BACK <= due <= now + LATEST:
        faults["due"] = "The time is in the past." if due < now else "The time is more than a year away."
    return due


def _validity(text: str, faults: dict[str, str]) -> int | None:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= LONGEST_HOURS):
        faults["hours"] = f"The validity is a whole number of hours from 1 to {LONGEST_HOURS}."
        return None
    return int(text) * 3600 if text else None


@pages.get("/send/batches")
@needs(Permission.SEND)
def listing() -> str:
    """All that he may see."""
    shown = LISTING.asked()
    with house.reading() as session:
        found = batches.listing(session, scope.customer(), offset=shown.offset, limit=shown.limit)
        total = batches.count(session, scope.customer())
        counts, names = batches.counts(session, [row.id for row in found]), batches.accounts_of(session, found)
    return made.render("send/batches.html", shown=shown, found=found, total=total, counts=counts, names=names)


def _own(session: Session, number: int) -> SendBatch:
    try:
        return batches.find(session, number, scope.customer())
    except NotFound:
        abort(404, f"There is no batch {number}.")


@pages.get("/send/batch/<int:number>")
@needs(Permission.SEND)
def batch(number: int) -> str:
    """One of them: what it would do, or how far it is."""
    shown = ITEMS.asked(number=number)
    state = shown.filters["state"]
    if state not in ("", *(each.value for each in ItemState)):
        abort(400, "There is no such state.")
    with house.reading() as session:
        row = _own(session, number)
        name = batches.accounts_of(session, [row])[row.account_id]
        counts = batches.counts(session, [number])[number]
        items = batches.items(session, number, state, offset=shown.offset, limit=shown.limit)
        account = session.get(Account, row.account_id)
        balance = balances.NONE if account is None else balances.stored(account)
    if row.state is BatchState.DRAFT and account is not None:
        balance = balances.of(account, control.told(_ask(name)))
    left = None if balance.micros is None else balance.micros - row.price
    short = bool(account and account.prepaid and left is not None and left < 0)
    return made.render(
        "send/batch.html", batch=row, name=name, counts=counts, items=items, shown=shown, balance=balance.micros, left=left, short=short,
        total=counts[state] if state else row.total, states=[(each.value, each.value) for each in ItemState],
    )  # fmt: skip


def _ask(name: str) -> Any:
    """The account as the gateway has it; None where it does not answer, or does not know it."""
    try:
        return house.look(f"/accounts/{part(name)}")
    except ControlError:
        return None


DONE: Final = {
    "confirm": "Batch {} is on its way: {} messages.",
    "pause": "Batch {} is paused; {} messages are not sent yet.",
    "resume": "Batch {} goes on with {} messages.",
    "cancel": "Batch {} is cancelled: {} messages are not sent.",
}


@pages.route("/send/batch/<int:number>/<act>", methods=["GET", "POST"])
@needs(Permission.SEND)
def act(number: int, act: str) -> Response | str:
    """Confirm, pause, resume, cancel; the last one is asked once more."""
    if act not in DONE:
        abort(404)
    place = url_for("send.batch", number=number)
    with house.reading() as session:
        _own(session, number)
        counts = batches.counts(session, [number])[number]
    if request.method == "GET":
        unsent = counts["waiting"] - counts["asked"]
        sentences = [
            f"{unsent} messages are not sent yet, and will not be.",
            f"{counts['sent']} were sent; that can't be taken back.",
        ]
        if counts["asked"]:
            sentences.append(f"{counts['asked']} are being handed over just now, and may be sent.")
        if act != "cancel":
            return made.turn(place)
        return made.confirm(
            f"Cancel batch {number}", sentences=sentences, action=url_for("send.act", number=number, act=act), verb="Cancel the batch", back=place
        )  # fmt: skip
    try:
        with house.writing() as session:
            many = batches.act(session, house.actor(), number, act, scope.customer())
    except EmgError as error:
        flash(f"Nothing was changed: {error}.", "warning")
    else:
        flash(DONE[act].format(number, many), "success")
    return made.turn(place)
