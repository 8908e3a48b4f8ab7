"""Which way a message would go by configuration and database, without asking a running gateway: as if every connector worked.

What decides is what decides in the gateway: the account's ROUTE, the ROUTE of the connector it came in by, the routing table, and ROUTES of the configuration in the
place of the table.
"""

from dataclasses import dataclass
from typing import Final

from emg.db import accounts, connectors
from emg.db.routes import ROUTES, known_connectors
from emg.rules.address import normal_dest
from emg.rules.routes import Explanation, RouteTable
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


def digits(number: str) -> str:
    """A number as messages have it. Raises EmgError."""
    return normal_dest(number, _UNKNOWN_TON, 0)[0]


def currency_of(call: Call, account: str) -> str:
    """In which an account is charged; empty for one of the configuration, or no name. Raises EmgError for one that is nowhere."""
    if not account or account in call.config.users:
        return ""
    with call.database.session() as session:
        return accounts.find(session, account).currency


def find(call: Call, dest: str, account: str, connector_in: str) -> Way:
    """Look. Raises EmgError for an account or connector that is nowhere."""
    users, configured = call.config.users, call.config.connectors
    own = of_connector = ""
    with call.database.session() as session:
        if account in users:
            own = users[account].route or ""
        elif account:
            own = accounts.find(session, account).route
        if connector_in in configured:
            of_connector = configured[connector_in].route or ""
        elif connector_in:
            of_connector = dict(connectors.stored(connectors.find(session, connector_in)).lines).get("ROUTE", "")
        known = known_connectors(session, configured)
        rows = ROUTES.load(session)
    if own:
        return Way(dest, account, connector_in, own, ACCOUNT, f"account {account} has ROUTE={own}")
    if of_connector:
        reason = f"connector {connector_in} has ROUTE={of_connector}"
        return Way(dest, account, connector_in, of_connector, CONNECTOR, reason)
    file = call.config.routes
    table = RouteTable(rows) if file is None else RouteTable.parse(read(file), known)
    told = table.explain(dest, account, connector_in, lambda connector: connector.partition("/")[0] in known)
    return Way(dest, account, connector_in, told.connector or "", TABLE if told.row else NOTHING, told.reason, told)
