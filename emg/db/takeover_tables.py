"""Tables that a configuration file names, or that stand beside an exported one, taken over in the caller's transaction.

A file's rows are added to what the table holds; a row of the same key (for a route prefix, account and connectors, for a price what it is for and since
when) takes the place of the one that is there, and nothing is removed. A file with a fault is left out as a whole, each fault with its line, and so is one that
would make the table ambiguous; the routing table of the commercial product alone is taken line by line (`emg.rules.foreign_routes`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from emg.config.faults import Unreadable
from emg.config.foreign import ROUTING, ForeignFile, LeftOut
from emg.config.syntax import Source
from emg.db import account_lines, customers
from emg.db.audit import Actor
from emg.db.blacklist import BLACKLIST
from emg.db.networks import NETWORKS
from emg.db.prices import PRICES
from emg.db.routes import ROUTES
from emg.db.rule_table import RuleTable
from emg.db.takeover import ADDED, CHANGED, KEPT, Taken
from emg.rules import account_rows, foreign_routes, rows
from emg.rules.account_rows import CUSTOMER
from emg.rules.block_rows import is_csv, parse_entries, parse_file
from emg.rules.csv_rows import CsvReader
from emg.rules.faults import Fault, TableFaults
from emg.rules.numbering import parse_networks
from emg.rules.price_rows import PriceFaults, ambiguities, parse_prices
from emg.rules.route_rows import Route, parse_routes
from emg.rules.rows import Known, RowFaults

ACCOUNTS, CUSTOMERS = "ACCOUNTS", "CUSTOMERS"
BESIDE: Final = {
    "customers.csv": CUSTOMERS, "accounts.csv": ACCOUNTS, "routes.csv": "ROUTES", "prices.csv": "PRICES",
    "networks.csv": "NETWORKS", "blacklist.csv": "BLACKLIST",
}  # fmt: skip
"""Files beside an exported configuration, in the order in which they are taken over, and what each is."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go."""

    session: Session
    actor: Actor
    connectors: Collection[str]
    """Names that rows may name."""
    taken: Taken


def take_files(target: Target, files: Iterable[ForeignFile], source: Source) -> None:
    """All files, each of them whole or not at all."""
    for file in files:
        try:
            text = source.read(file.path)
        except Unreadable as reason:
            _leave(target, file, [Fault(0, "", f"can't be read: {reason}")])
            continue
        try:
            with target.session.begin_nested():
                _TAKE[file.kind](target, file, text)
        except TableFaults as faults:
            _leave(target, file, [*faults.faults, Fault(0, "", "has faults: none of its rows is taken over")])


def _leave(target: Target, file: ForeignFile, faults: Iterable[Fault]) -> None:
    target.taken.left_out += [
        LeftOut(
            file.path,
            fault.line,
            file.kind,
            fault.field,
            f"{fault.field}: {fault.reason}" if fault.field else fault.reason,
        )
        for fault in faults
    ]


def _merge(target: Target, table: RuleTable[Any], kind: str, given: list[Any]) -> None:
    """Put rows into a table."""
    keys = set(map(table.key, given))
    wanted = [row for row in table.load(target.session) if table.key(row) not in keys] + given
    if table is PRICES and (unclear := [fault for _row, fault in ambiguities(wanted)]):
        raise PriceFaults([Fault(0, fault.field, fault.reason) for fault in unclear])
    plan = table.plan(target.session, wanted)
    if plan:
        table.replace(target.session, target.actor, wanted)
    target.taken.count(kind, ADDED, len(plan.added))
    target.taken.count(kind, CHANGED, len(plan.changed))
    target.taken.count(kind, KEPT, len(given) - len(plan.added) - len(plan.changed))


def _routes(target: Target, _file: ForeignFile, text: str) -> None:
    _merge(target, ROUTES, "routes", parse_routes(text, target.connectors))


def _routing(target: Target, file: ForeignFile, text: str) -> None:
    rules, left = foreign_routes.parse(text)
    routes = []
    for rule in rules:
        unknown = [name for name in rule.connectors if name not in target.connectors]
        if unknown:
            left.append(Fault(rule.line, "", f"there is no connector {', '.join(unknown)}"))
        else:
            routes.append(Route(rule.line, rule.prefix, "", "", rule.connectors))
    _leave(target, file, sorted(left, key=lambda fault: fault.line))
    _merge(target, ROUTES, "routes", routes)


def _prices(target: Target, _file: ForeignFile, text: str) -> None:
    _merge(target, PRICES, "prices", parse_prices(text, target.connectors))


def _networks(target: Target, _file: ForeignFile, text: str) -> None:
    _merge(target, NETWORKS, "networks", parse_networks(text))


def _blacklist(target: Target, file: ForeignFile, text: str) -> None:
    entries = parse_entries(text) if is_csv(text) else parse_file(text, white=file.kind == "WHITELIST")
    _merge(target, BLACKLIST, "black and white list", entries)


def _accounts(target: Target, _file: ForeignFile, text: str) -> None:
    known = Known(target.connectors, customers.names(target.session))
    counts = account_lines.put(target.session, target.actor, *account_rows.examine(text, known))
    for what, number in ((ADDED, counts.added), (CHANGED, counts.changed), (KEPT, counts.same)):
        target.taken.count("accounts", what, number)


class _CustomerReader(CsvReader):
    columns = tuple(CUSTOMER)
    required = ("name",)


def _customers(target: Target, _file: ForeignFile, text: str) -> None:
    reader = _CustomerReader()
    there = set(customers.names(target.session))
    given: list[tuple[int, dict[str, Any]]] = []
    for line, cells in reader.lines(text):
        values, wrong = rows.values_of(CUSTOMER, cells, Known(), whole=False, line=line)
        reader.faults += wrong
        if not wrong:
            given.append((line, values))
    done = []
    for line, values in given:
        try:
            done.append(_customer(target, values, there))
        except RowFaults as faults:
            reader.faults += [Fault(line, fault.field, fault.reason) for fault in faults.faults]
    if reader.faults:
        raise RowFaults(account_rows.in_order(reader.faults))
    for what in done:
        target.taken.count("customers", what)


def _customer(target: Target, values: dict[str, Any], there: set[str]) -> str:
    name = values["name"]
    if name in there:
        return CHANGED if customers.change(target.session, target.actor, name, values, action="import") else KEPT
    there.add(name)
    customers.add(target.session, target.actor, values)
    return ADDED


_TAKE: Final[Mapping[str, Callable[[Target, ForeignFile, str], None]]] = {
    CUSTOMERS: _customers,
    ACCOUNTS: _accounts,
    "ROUTES": _routes,
    ROUTING: _routing,
    "PRICES": _prices,
    "NETWORKS": _networks,
    "BLACKLIST": _blacklist,
    "WHITELIST": _blacklist,
}
