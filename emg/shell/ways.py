"""Which way a message would go by configuration and database, without asking a running gateway: as if every connector worked.

What decides is what decides in the gateway: the account's ROUTE, the ROUTE of the connector it came in by, the routing table, and ROUTES of the configuration in the
place of the table; and of the tables only the rows that it uses (`emg.db.usable`).
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from emg.control import show
from emg.db.usable import Usable
from emg.rules.address import normal_dest
from emg.rules.routes import Explanation, RouteTable
from emg.rules.snapshot import Skipped
from emg.shell.around import around
from emg.shell.common import Call
from emg.shell.tables import read

ACCOUNT, CONNECTOR, TABLE, NOTHING = "account", "connector", "table", "nothing"
_UNKNOWN_TON: Final = 0


@dataclass(frozen=True, slots=True)
class Way:
    """What was found. `connector` is empty when the message would be refused."""

    dest: str
    account: str
    connector_in: str
    connector: str
    decided_by: str
    reason: str
    table: Explanation | None = None
    skipped: tuple[Skipped, ...] = ()
    """Rows of the routing table whose prefix fits, and that the gateway does not use."""


def digits(number: str) -> str:
    """A number as messages have it. Raises EmgError."""
    return normal_dest(number, _UNKNOWN_TON, 0)[0]


def usable(call: Call, *subjects: str) -> Usable:
    """These tables, as the gateway uses them."""
    return Usable(call.database, around(call), *subjects)


def currency_of(call: Call, tables: Usable, account: str) -> str:
    """In which an account is charged; empty for one of the configuration, or no name. Raises EmgError for one that is nowhere, or not used."""
    return "" if not account or account in call.config.users else tables.account(account).currency


def find(call: Call, tables: Usable, dest: str, account: str, connector_in: str) -> Way:
    """Look in `tables`, which have the subject `route`. Raises EmgError for an account or connector that is nowhere, or not used."""
    users = call.config.users
    own = of_connector = ""
    if account in users:
        own = users[account].route or ""
    elif account:
        own = tables.account(account).route
    if connector_in:
        of_connector = tables.connector(connector_in).route or ""
    if own:
        return Way(dest, account, connector_in, own, ACCOUNT, f"account {account} has ROUTE={own}")
    if of_connector:
        reason = f"connector {connector_in} has ROUTE={of_connector}"
        return Way(dest, account, connector_in, of_connector, CONNECTOR, reason)
    file, known = call.config.routes, tables.connectors
    table = RouteTable(tables.routes()) if file is None else RouteTable.parse(read(file), known)
    skipped = tuple(tables.about("route", dest)) if file is None else ()
    told = table.explain(dest, account, connector_in, lambda connector: connector.partition("/")[0] in known)
    decided = TABLE if told.row else NOTHING
    return Way(dest, account, connector_in, told.connector or "", decided, told.reason, told, skipped)


def tell_skipped(skipped: Any) -> None:
    """Print the rows that are not used, if there are any."""
    if skipped:
        show.table(
            msgspec.to_builtins(skipped), show.SKIPPED, "\nRows that fit the number and that the gateway does not use"
        )
