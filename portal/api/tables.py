"""Routes and prices: row by row, and as a whole in CSV.

A customer's key sees the prices that are for his accounts, and those for everybody in their currencies, without costs, connectors and whose they are of others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, UnsetType

from emg.db import accounts
from emg.db.prices import PRICES, Payers
from emg.db.routes import ROUTES, known_connectors
from emg.db.rule_table import RuleTable, row_id, with_id
from emg.rules.price_rows import parse_prices, price_of
from emg.rules.route_rows import parse_routes, route_of
from portal import house
from portal.api import whose
from portal.api.caller import caller, tell_gateway
from portal.api.operations import CSV, Call, Operation, Page, Shape

LARGEST_ID: Final = (1 << 63) - 1
Prefix = Annotated[str, Meta(max_length=40, description="Of the destination; empty: any.")]
Of = Annotated[str, Meta(max_length=255, description="Only messages of this account; empty: of any.")]
On = Annotated[str, Meta(max_length=255, description="Only messages received on this connector; empty: on any.")]
Amount = Annotated[str, Meta(max_length=40, description="Such as 0.05, in the currency, a message part.")]
When = Annotated[str, Meta(max_length=40, description="2026-07-01 or 2026-07-01T12:30:00, in UTC; empty: always.")]


class RouteGiven(Shape):
    """A route; what is missing keeps its value, or has its default."""

    prefix: Prefix | UnsetType = UNSET
    account: Of | UnsetType = UNSET
    connector_in: On | UnsetType = UNSET
    connector_out: (
        Annotated[str, Meta(description="Where to: one, or several to try in order, with : between.")] | UnsetType
    ) = UNSET
    priority: Annotated[int, Meta(ge=0, le=65535, description="The lower is tried first; 10.")] | UnsetType = UNSET
    weight: Annotated[int, Meta(ge=0, le=65535, description="Share among equals, 0 for a reserve; 1.")] | UnsetType = (
        UNSET
    )
    enabled: bool | UnsetType = UNSET


class Route(Shape):
    """A route."""

    id: int
    prefix: str
    account: str
    connector_in: str
    connector_out: str
    priority: int
    weight: int
    enabled: bool


class RouteList(Shape):
    """A page of them."""

    rows: list[Route]
    total: int


class Routes(Page):
    """Which of them."""

    prefix: Annotated[str, Meta(max_length=40, description="The prefix begins so.")] = ""
    account: str = ""
    connector_in: str = ""
    connector_out: str = ""


class PriceGiven(Shape):
    """A price; what is missing keeps its value, or has its default."""

    prefix: Prefix | UnsetType = UNSET
    account: Of | UnsetType = UNSET
    connector_in: On | UnsetType = UNSET
    connector_out: Annotated[str, Meta(description="Only messages sent by it; empty: by any.")] | UnsetType = UNSET
    price: Amount | UnsetType = UNSET
    cost: Amount | UnsetType = UNSET
    currency: Annotated[str, Meta(description="For accounts of this currency.")] | UnsetType = UNSET
    valid_from: When | UnsetType = UNSET
    valid_until: When | UnsetType = UNSET
    refund: Annotated[str, Meta(description="When it is given back: never, refused, undelivered.")] | UnsetType = UNSET


class Price(Shape):
    """A price of a message part."""

    id: int
    prefix: str
    account: str
    price: str
    currency: str
    valid_from: str
    valid_until: str
    refund: str
    connector_in: str | UnsetType = UNSET
    connector_out: str | UnsetType = UNSET
    cost: str | UnsetType = UNSET


class PriceList(Shape):
    """A page of them."""

    rows: list[Price]
    total: int


class Prices(Page):
    """Which of them."""

    prefix: Annotated[str, Meta(max_length=40, description="The prefix begins so.")] = ""
    account: str = ""
    connector_in: str = ""
    connector_out: str = ""
    currency: str = ""


class RowDone(Shape):
    """What was done."""

    id: int
    changed: Annotated[bool, Meta(description="Whether it was not so already.")]


class Import(Shape):
    """How."""

    dry_run: Annotated[bool, Meta(description="Only say what would change.")] = False


class Imported(Shape):
    """What a file changes, or would change."""

    rows: int
    added: int
    removed: int
    changed: int
    unchanged: int
    dry_run: bool


HOUSE_ONLY: Final = ("connector_in", "connector_out", "cost")


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two."""

    area: str
    called: str
    table: RuleTable[Any]
    shape: type[Shape]
    page: type[Shape]
    query: type[Page]
    given: type[Shape]
    parse: Callable[[str, Any], list[Any]]
    one: Callable[[Mapping[str, str], Any], Any]

    def told(self, row: Any) -> Any:
        """A row as it goes out."""
        cells = dict(zip(self.table.head, self.table.cells(row), strict=True))
        if self.area == "routes":
            cells["enabled"] = bool(cells["enabled"])
        elif not caller().is_house:
            cells = {name: cell for name, cell in cells.items() if name not in HOUSE_ONLY}
        return self.shape(id=row_id(row), **cells)

    def list_(self, call: Call) -> Any:
        """Page by page."""
        query: Any = call.query
        names = [name for name in query.__struct_fields__ if name not in Page.__struct_fields__]
        wanted: dict[str, Any] = {name: value for name in names if (value := getattr(query, name))}
        whose.house_alone(connector_in=query.connector_in, connector_out=query.connector_out)
        if "prefix" in wanted:
            wanted["prefix"] = wanted["prefix"].removeprefix("+")
        with house.reading() as session:
            if not caller().is_house:
                own = accounts.listing(session, customer=caller().customer or "", limit=whose.MOST_ACCOUNTS)
                wanted["for"] = Payers([one.name for one in own], {one.currency for one in own})
            rows, total = self.table.find(session, wanted, offset=query.offset, limit=query.limit)
        return self.page(rows=[self.told(row) for row in rows], total=total)

    def add(self, call: Call) -> tuple[int, Any]:
        """A new row."""
        with house.writing() as session:
            wanted = self.one(self._cells(call.body), known_connectors(session, house.config().connectors))
            made = self.table.add(session, house.actor(), wanted)
        tell_gateway()
        return 201, self.told(made)

    def change(self, call: Call) -> RowDone:
        """Other values for what is given."""
        number = self._number(call)
        with house.writing() as session:
            old = dict(zip(self.table.head, map(str, self.table.cells(self.table.get(session, number))), strict=True))
            connectors = known_connectors(session, house.config().connectors)
            row = with_id(self.one(old | self._cells(call.body), connectors), number)
            changed = self.table.change(session, house.actor(), row)
        if changed:
            tell_gateway()
        return RowDone(id=number, changed=changed)

    def delete(self, call: Call) -> RowDone:
        """Take it away."""
        number = self._number(call)
        with house.writing() as session:
            self.table.delete(session, house.actor(), number)
        tell_gateway()
        return RowDone(id=number, changed=True)

    def _number(self, call: Call) -> int:
        number: int = call.path["id"]
        if number > LARGEST_ID:
            whose.missing("row", number)
        return number

    @staticmethod
    def _cells(body: Any) -> dict[str, str]:
        found = {name: getattr(body, name) for name in body.__struct_fields__}
        return {name: _text(value) for name, value in found.items() if value is not UNSET}

    def replace(self, call: Call) -> Imported:
        """The table holds the rows of this file, and no others."""
        dry = call.query.dry_run
        with house.reading() if dry else house.writing() as session:
            rows = self.parse(call.body, known_connectors(session, house.config().connectors))
            made = self.table.plan(session, rows) if dry else self.table.replace(session, house.actor(), rows)
        if made and not dry:
            tell_gateway()
        return Imported(**made.counts, rows=len(rows), dry_run=dry)

    def export(self, _call: Call) -> str:
        """All rows."""
        if not caller().is_house:
            whose.missing("table", "for keys of customers")
        with house.reading() as session:
            return self.table.export(session)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Its part of the table."""
        area, called = self.area, self.called
        read, write, one = f"{area}:read", f"{area}:write", f"/{area}/<int:id>"
        whole = "CSV with a header, as the export gives it. A file with faults changes nothing, and each fault is told with its line."
        return (
            Operation(f"{area}_list", "GET", f"/{area}", read, f"{called}, page by page.", self.list_, self.page, self.query),
            Operation(f"{area}_add", "POST", f"/{area}", write, "A new row.", self.add, self.shape, takes=self.given, status=201),
            Operation(f"{area}_change", "PATCH", one, write, "Other values for what is given.", self.change, RowDone, takes=self.given),
            Operation(f"{area}_delete", "DELETE", one, write, "Take a row away.", self.delete, RowDone),
            Operation(f"{area}_export", "GET", f"/{area}.csv", read, f"{called}, all of them as CSV.", self.export, CSV, about="For keys of the house."),
            Operation(f"{area}_replace", "PUT", f"/{area}.csv", write, "Have the table hold the rows of a file, and no others.", self.replace, Imported, Import, CSV, about=whole),
        )  # fmt: skip


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


SUBJECTS: Final = (
    Subject("routes", "Routes", ROUTES, Route, RouteList, Routes, RouteGiven, parse_routes, route_of),
    Subject("prices", "Prices", PRICES, Price, PriceList, Prices, PriceGiven, parse_prices, price_of),
)
OPERATIONS: Final = tuple(operation for subject in SUBJECTS for operation in subject.operations)
