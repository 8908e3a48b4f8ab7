"""What a search of messages was asked for: filters, period, order and place, all in the page's address.

Pages have no numbers: the next one begins behind the last row of this one (`after`), the one before ends before its first (`before`), so that the thousandth costs what the first
does and nobody's rows slip when new ones come. A search by an id knows no period unless one is chosen. For a customer's people the search is bound to
their customer's accounts, whatever they ask, and what would tell of operators can't be asked.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import abort, request, url_for

from emg.db import accounts, customers, messages
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.messages import After, Search, Whole
from emg.db.models import Status
from portal import scope
from portal.guard import allowed
from portal.listing import LONGEST, SIZE, SIZES
from portal.permissions import Permission

HOUSE_ONLY: Final = ("customer", "in", "out", "remote")
"""Filters that tell of operators or of others."""
FILTERS: Final = ("period", "since", "until", "number", "id", "reference", "account", "status", "text", *HOUSE_ONLY)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
PERIODS: Final = (
    ("1h", "last hour"), ("24h", "last 24 hours"), ("today", "today"), ("yesterday", "yesterday"), ("7d", "last 7 days"),
    ("30d", "last 30 days"), ("own", "from … to …"),
)  # fmt: skip
USUAL: Final = "24h"
BAD: Final = (Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.DELETED)
OPEN: Final = (Status.QUEUED, Status.SENT)
GROUPS: Final = {"open": OPEN, "bad": BAD}
STATUSES: Final = (
    *((status.value, status.value) for status in Status), ("open", "not ended yet"), ("bad", "all but delivered"),
)  # fmt: skip
SORTS: Final = ("-received", "received")
NEVER: Final = Search(accounts=())


@dataclass(frozen=True, slots=True)
class Asked:
    """See the module's text. Has what the macros of tables ask of `portal.listing.Shown`."""

    filters: Mapping[str, str]
    sort: str
    size: int
    after: After | None
    before: After | None
    since: dt.datetime | None
    until: dt.datetime | None
    usual: str = SORTS[0]
    sorts: tuple[str, ...] = ("received",)

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def falling(self) -> bool:
        """The newest first."""
        return self.sort.startswith("-")

    @property
    def filtered(self) -> bool:
        """Something but the period is asked for."""
        return any(value for name, value in self.filters.items() if name not in ("period", "since", "until"))

    @property
    def nothing(self) -> dict[str, str]:
        """No filter, for `address`."""
        return dict.fromkeys(self.filters, "")

    @property
    def period(self) -> str:
        """The chosen one, or the usual."""
        return self.filters["period"] or ("" if self.filters["id"] or self.filters["remote"] else USUAL)

    def address(self, endpoint: str = "messages.index", **other: Any) -> str:
        """This search with something else; it begins at its first page unless a place is given."""
        state: dict[str, Any] = {**self.filters, "sort": self.sort, "size": self.size, **other}
        usual = {"sort": self.usual, "size": SIZE, "period": USUAL}
        if state["id"] or state["remote"]:
            del usual["period"]
        return url_for(
            endpoint, **{name: value for name, value in state.items() if value not in ("", None) and usual.get(name) != value}
        )  # fmt: skip

    def here(self, **other: Any) -> str:
        """This very page with something else."""
        return self.address(after=self.after and str(self.after), before=self.before and str(self.before), **other)

    def by(self, column: str) -> str:
        """Sorted by a column; a second time the other way round."""
        return self.address(sort=column if self.sort == f"-{column}" else f"-{column}")

    def search(self, session: Session) -> Search:
        """What the log is asked for, as far as the person who asks may see it."""
        given = self.filters
        wanted = Search(
            since=self.since, until=self.until, number=messages.number(given["number"]), id=int(given["id"]) if given["id"] else None,
            reference=given["reference"], account=given["account"], statuses=_statuses(given["status"]), text=given["text"],
            connector_in=given["in"], connector_out=given["out"], remote_id=given["remote"],
        )  # fmt: skip
        if scope.is_house():
            return self._of_customer(session, wanted)
        return bound(session, wanted)

    def _of_customer(self, session: Session, wanted: Search) -> Search:
        if not self.filters["customer"]:
            return wanted
        try:
            customer = customers.find(session, self.filters["customer"])
        except NotFound:
            return NEVER
        return replace(wanted, customer=customer.id, accounts=names_of(session, customer.name))


def bound(session: Session, wanted: Search) -> Search:
    """No messages but those of the customer of the person who asks: sent by an account of his, as long as that was his."""
    customer = customers.find(session, scope.customer())
    return replace(wanted, customer=customer.id, accounts=names_of(session, customer.name))


def names_of(session: Session, customer: str) -> tuple[str, ...]:
    """Names that his accounts have, or had when they were deleted (`NAME~ID`)."""
    present = accounts.listing(session, customer=customer, limit=MOST_ACCOUNTS)
    gone = accounts.listing(session, customer=customer, deleted=True, limit=MOST_ACCOUNTS)
    return tuple({account.name for account in present} | {account.name.rpartition("~")[0] for account in gone})


MOST_ACCOUNTS: Final = 10_000


def asked() -> Asked:
    """What the request asks for. Nonsense is answered with 400."""
    args = request.values
    given = {name: args.get(name, "").strip() for name in FILTERS}
    if any(len(value) > LONGEST for value in given.values()):
        abort(400, f"A filter has at most {LONGEST} characters.")
    if not scope.is_house():
        given |= dict.fromkeys(HOUSE_ONLY, "")
    if not allowed(Permission.READ_TEXTS):
        given["text"] = ""
    if given["since"] or given["until"]:
        given["period"] = "own"
    _check(given)
    since, until = _times(given, dt.datetime.now(dt.UTC))
    sort = args.get("sort") or SORTS[0]
    if sort not in SORTS:
        abort(400, "Messages are sorted by received alone, both ways.")
    return Asked(given, sort, _size(args.get("size", "")), _place("after"), _place("before"), since, until)


def _check(given: Mapping[str, str]) -> None:
    if given["period"] and given["period"] not in dict(PERIODS):
        abort(400, f"A period is one of {', '.join(dict(PERIODS))}.")
    if given["status"] and given["status"] not in dict(STATUSES):
        abort(400, f"A status is one of {', '.join(dict(STATUSES))}.")
    number = given["id"]
    if number and not (number.isascii() and number.isdecimal() and len(number) < 20 and 0 < int(number) < 1 << 63):
        abort(400, "A message's id is a whole number.")


def _size(text: str) -> int:
    if text and text not in map(str, SIZES):
        abort(400, f"A page has {', '.join(map(str, SIZES))} rows.")
    return int(text or SIZE)


def _place(name: str) -> After | None:
    text = request.values.get(name, "")
    try:
        return After.parse(text) if text else None
    except ValueError as error:
        abort(400, f"{error}.")


def _statuses(word: str) -> tuple[Status, ...]:
    return GROUPS.get(word) or ((Status(word),) if word else ())


def _times(given: Mapping[str, str], now: dt.datetime) -> tuple[dt.datetime | None, dt.datetime | None]:
    """From when to when is looked."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    period = given["period"] or ("own" if given["id"] or given["remote"] else USUAL)
    if period == "own":
        since, until = _moment(given["since"]), _moment(given["until"])
        if since and until and since >= until:
            abort(400, "The period begins before it ends.")
        return since, until
    return {
        "1h": (now - HOUR, None), "24h": (now - DAY, None), "today": (today, None), "yesterday": (today - DAY, today),
        "7d": (now - 7 * DAY, None), "30d": (now - 30 * DAY, None),
    }[period]  # fmt: skip


def _moment(text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        abort(400, "A time is written as 2026-11-23 or 2026-11-23T14:30, in UTC.")


def own(session: Session, number: int) -> Whole:
    """The message, if the person who asks may see it; 404 for any other."""
    whole = messages.find(session, number) if number < 1 << 63 else None
    if whole is not None and not scope.is_house():
        mine = bound(session, Search())
        assert mine.accounts is not None, "a customer's people are bound to his accounts"
        if whole.row.customer_id != mine.customer or whole.row.account not in mine.accounts:
            whole = None
    if whole is None:
        abort(
            404,
            f"The log has no message {number}. One that has just come is there after a moment; old ones are deleted some day.",
        )
    return whole
