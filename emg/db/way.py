"""Which way a message would go by configuration and database, without asking a running gateway: as if every connector worked.

What decides is what decides in the gateway: the account's ROUTE, the ROUTE of the connector it came in by, the routing table, and ROUTES of the configuration in the
place of the table; and of the tables only the rows that it uses (`emg.db.usable`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emg.config.model import ServerConfig
from emg.db.usable import Usable
from emg.errors import EmgError
from emg.rules.address import normal_dest
from emg.rules.routes import Explanation, RouteTable
from emg.rules.snapshot import Skipped

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


def currency_of(config: ServerConfig, tables: Usable, account: str) -> str:
    """In which an account is charged; empty for one of the configuration, or no name. Raises EmgError for one that is nowhere, or not used."""
    return "" if not account or account in config.users else tables.account(account).currency


def find(config: ServerConfig, tables: Usable, dest: str, account: str, connector_in: str) -> Way:
    """Look in `tables`, which have the subject `route`. Raises EmgError for an account or connector that is nowhere, or not used."""
    users = config.users
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
    file, known = config.routes, tables.connectors
    table = RouteTable(tables.routes()) if file is None else RouteTable.parse(text_of(file), known)
    skipped = tuple(tables.about("route", dest)) if file is None else ()
    told = table.explain(dest, account, connector_in, lambda connector: connector.partition("/")[0] in known)
    decided = TABLE if told.row else NOTHING
    return Way(dest, account, connector_in, told.connector or "", decided, told.reason, told, skipped)


def text_of(file: str) -> str:
    """A table that the configuration names. Raises EmgError."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise EmgError(f"{file} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise EmgError(f"{file} is not text in UTF-8") from None
