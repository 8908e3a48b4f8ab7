"""What a table of rows shows: sorted by what, filtered how, which page; all of it in the page's address, so that a view of a table can be linked, kept, and gone back to.

    LISTING = Listing("accounts.index", sorts=("name", "customer", "balance"), filters=("text", "customer", "locked"))
    shown = LISTING.asked()                       # from request.args; what is not known there is 400
    rows = accounts.listing(session, **shown.filters, order=shown.order, offset=shown.offset, limit=shown.limit)

In templates: `listing.heading(shown, 'name', 'Account')` and `listing.pager(shown, total)` (macros of `listing.html`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import abort, request, url_for

SIZES: Final = (25, 50, 100, 250)
SIZE: Final = 50
DEEPEST: Final = 1_000_000
"""The last row that can be paged to; whoever looks for more filters."""
LONGEST: Final = 200
"""Characters of a filter."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody has asked a table for."""

    endpoint: str
    values: Mapping[str, Any]
    """Of the address itself: a name in the path."""
    sort: str
    """A column, with `-` before it for the other way round."""
    filters: Mapping[str, str]
    page: int
    size: int
    usual: str
    """What it is sorted by when nothing is said."""
    sorts: tuple[str, ...]

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.page - 1) * self.size

    @property
    def limit(self) -> int:
        """Rows of this page."""
        return self.size

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def falling(self) -> bool:
        """From the largest to the smallest."""
        return self.sort.startswith("-")

    @property
    def filtered(self) -> bool:
        """Not everything is shown."""
        return any(self.filters.values())

    @property
    def nothing(self) -> dict[str, str]:
        """No filter, for `address`."""
        return dict.fromkeys(self.filters, "")

    def pages(self, total: int) -> int:
        """How many pages so many rows have."""
        return max(1, -(-min(total, DEEPEST) // self.size))

    def address(self, **other: Any) -> str:
        """This table with something else: `address(page=2)`, `address(sort='-name')`; another sorting or filter begins at the first page."""
        state: dict[str, Any] = {**self.filters, "sort": self.sort, "size": self.size, "page": self.page}
        if other.keys() - {"page"}:
            state["page"] = 1
        state |= other
        usual = {"sort": self.usual, "size": SIZE, "page": 1}
        asked = {name: value for name, value in state.items() if value not in ("", None) and usual.get(name) != value}
        return url_for(self.endpoint, **self.values, **asked)

    def by(self, column: str) -> str:
        """The address of this table sorted by a column; a second time the other way round."""
        return self.address(sort=f"-{column}" if self.sort == column else column)


@dataclass(frozen=True, slots=True)
class Listing:
    """A page's table: by what it can be sorted and filtered."""

    endpoint: str
    sorts: tuple[str, ...]
    """The first is the usual one; with `-` before it when that is the usual way round."""
    filters: tuple[str, ...] = ()

    def asked(self, **values: Any) -> Shown:
        """What the request asks for; `values` are those of the path. Nonsense is answered with 400."""
        usual = self.sorts[0]
        sort = request.args.get("sort") or usual
        columns = tuple(name.removeprefix("-") for name in self.sorts)
        if sort.removeprefix("-") not in columns:
            abort(400, f"This table is not sorted by {sort.removeprefix('-')[:40]!r}, but by {', '.join(columns)}.")
        given = {name: request.args.get(name, "").strip() for name in self.filters}
        if any(len(value) > LONGEST for value in given.values()):
            abort(400, f"A filter has at most {LONGEST} characters.")
        size = _whole("size", SIZE, SIZES[-1])
        page = _whole("page", 1, max(1, DEEPEST // size))
        return Shown(self.endpoint, values, sort, given, page, size, usual, columns)


def _whole(name: str, usual: int, most: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return usual
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text[:9]) <= most:
        abort(400, f"The {name} is a whole number from 1 to {most}.")
    return int(text)
