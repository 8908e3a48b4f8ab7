"""Looking at queues: all of them, and one with its first messages."""

from collections.abc import Callable
from typing import Any, Final

from portal import names
from portal import pages as made
from portal.guard import needs
from portal.listing import Listing, Shown
from portal.permissions import Permission
from portal.queues import acts, asking
from portal.queues.asking import Row
from portal.queues.blueprint import pages

__all__ = ["acts", "pages"]

LISTING: Final = Listing(
    "queues.index",
    sorts=("-size", "queue", "in_flight", "deferred", "oldest", "rate", "why"),
    filters=("text", "state"),
)
STATES: Final = (
    ("waiting", "messages wait"),
    ("held", "held"),
    ("disk", "longer than its head in memory"),
    ("deferred", "wait for a time"),
    ("gone", "connector gone"),
)
_IS: Final[dict[str, Callable[[Row], Any]]] = {
    "": bool,
    "waiting": lambda row: row["size"],
    "held": lambda row: row["held"],
    "disk": lambda row: row["on_disk"],
    "deferred": lambda row: row["deferred"],
    "gone": lambda row: not row["connector_exists"],
}
_BY: Final[dict[str, Callable[[Row], Any]]] = {
    "size": lambda row: row["size"],
    "queue": lambda row: row["queue"],
    "in_flight": lambda row: row["in_flight"],
    "deferred": lambda row: row["deferred"],
    "oldest": lambda row: row["oldest_seconds"] or 0.0,
    "rate": lambda row: row["rate"] or 0.0,
    "why": lambda row: row["waits_for"],
}


@pages.get("/queues")
@needs(Permission.SEE_QUEUES)
def index() -> str:
    """All of them."""
    shown = LISTING.asked()
    answer = asking.everything()
    found = answer["queues"] if answer else []
    rows = sorted(filter(_wanted(shown), found), key=lambda row: row["queue"])
    rows.sort(key=_BY[shown.column], reverse=shown.falling)
    return made.render(
        "queues/index.html", shown=shown, answer=answer, rows=rows[shown.offset : shown.offset + shown.limit], total=len(rows), states=STATES,
        held=sum(1 for row in found if row["held"]), fresh=any(row["rate"] is None for row in found), page=asking.page,
        oldest=max((row["oldest_seconds"] or 0.0 for row in found), default=0.0) or None,
    )  # fmt: skip


def _wanted(shown: Shown) -> Callable[[Row], bool]:
    words = shown.filters["text"].casefold().split()
    is_so = _IS.get(shown.filters["state"], _IS[""])

    def wanted(row: Row) -> bool:
        told = f"{row['queue']} {row['waits_for']}".casefold()
        return all(word in told for word in words) and bool(is_so(row))

    return wanted


@pages.get("/queues/<path:name>")
@needs(Permission.SEE_QUEUES)
def one(name: str) -> str:
    """How it is, and its first messages."""
    name = names.read(name)
    return made.render(
        "queues/one.html", name=name, queue=asking.one(name), most=asking.HEAD, here=asking.page(name), page=asking.page
    )  # fmt: skip
