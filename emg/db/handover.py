"""The tables written as files that `emg import` takes back: connectors, plugins and accounts as a configuration, the others as CSV.

`configuration` is a text that `emg check` accepts, as long as all that the tables name stands in it; what a configuration can't say of an account
(money, customer, access rows that differ by connector) stands in accounts.csv alone. Passwords of connectors are `***` and accounts have a hash
that no password fits, unless `secrets` are asked for; `${NAME}` is a reference and no secret. An import leaves a password that is there alone when
it meets either.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.config.effective import HIDDEN as SECRET
from emg.config.effective import quoted, values
from emg.config.foreign import NO_PASSWORD
from emg.config.keywords import table
from emg.config.model import ConnectorConfig, ServerConfig, UserConfig
from emg.config.stored import HIDDEN, line, section, shown
from emg.db import accounts, connectors, customers
from emg.db.blacklist import BLACKLIST
from emg.db.models import Account, Connector, Plugin
from emg.db.networks import NETWORKS
from emg.db.prices import PRICES
from emg.db.routes import ROUTES
from emg.rules import csv_rows, rows
from emg.rules.account_rows import ACCOUNT, ANY, CUSTOMER, EVERYWHERE, Access, format_accounts

HEAD: Final = "# Written by `emg export`; `emg import` takes it back."
NO_SECRETS: Final = "# Passwords are left out; `emg export --with-secrets` writes them."
PAGE: Final = 1000
_APART: Final = ("PASSWORD", "ACCESS", "CONNECTOR", "DISABLED")


def configuration(session: Session, config: ServerConfig, *, secrets: bool, users: bool = True) -> str:
    """Connectors, plugins and (`users`) accounts of the tables. `config`: connectors of the file come along where the tables may name them."""
    parts = [HEAD if secrets else f"{HEAD}\n{NO_SECRETS}"]
    parts += [_plugin(plugin) for plugin in session.scalars(select(Plugin).order_by(Plugin.position, Plugin.id))]
    parts += [_of_the_file(connector, secrets=secrets) for connector in config.connectors.values()]
    parts += [_connector(connector, secrets=secrets) for connector in connectors.listing(session)]
    if users:
        parts += [_user(account, secrets=secrets) for account in _accounts(session)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def tables(session: Session, *, secrets: bool) -> Iterator[tuple[str, str]]:
    """(file name, text) of each table as CSV."""
    yield "customers.csv", _customers(session)
    told = ((accounts.values(account), accounts.access_of(account)) for account in _accounts(session))
    hidden = {} if secrets else {"password_hash": ""}
    yield "accounts.csv", format_accounts([({**given, **hidden}, access) for given, access in told])
    for name, rule_table in (("routes", ROUTES), ("prices", PRICES), ("networks", NETWORKS), ("blacklist", BLACKLIST)):
        yield f"{name}.csv", rule_table.export(session)


def _accounts(session: Session) -> Iterator[Account]:
    for offset in range(0, accounts.count(session), PAGE):
        yield from accounts.listing(session, offset=offset, limit=PAGE)


def _customers(session: Session) -> str:
    found = []
    for offset in range(0, customers.count(session), PAGE):
        found += [customers.texts(customer) for customer, _ in customers.listing(session, offset=offset, limit=PAGE)]
    return csv_rows.text_of(tuple(CUSTOMER), ([texts[name] for name in CUSTOMER] for texts in found))


def _plugin(plugin: Plugin) -> str:
    given = {"LIBRARY": plugin.library, "URL": plugin.url, "CONFIG": plugin.config, "INSTANCES": str(plugin.instances)}
    lines = [f"{keyword}={quoted(value)}" for keyword, value in given.items() if value]
    return _section("PLUGIN", plugin.name, [*lines, *(["DISABLED"] if plugin.disabled else [])])


def _connector(connector: Connector, *, secrets: bool) -> str:
    stored = connectors.stored(connector)
    if not secrets:
        stored = stored._replace(lines=tuple((keyword, shown(keyword, value)) for keyword, value in stored.lines))
    off = [
        f"# {line(option.keyword, option.value if secrets else shown(option.keyword, option.value))}"
        for option in connector.options
        if option.disabled
    ]
    return "\n".join([*_remark(connector.note), *off, section(stored)])


def _remark(note: str) -> list[str]:
    return [f"# {words}" for words in note.splitlines() if words.isprintable()]


def _of_the_file(connector: ConnectorConfig, *, secrets: bool) -> str:
    """One of the configuration file, for those that name it; an import leaves it out where it still stands in the file."""
    rules = table(ConnectorConfig)
    lines = []
    for keyword, value in values(connector).items():
        own = getattr(connector, rules[keyword].attribute)
        if value is None or keyword == "USERS" or (own == rules[keyword].default and not rules[keyword].needed):
            continue
        text = (own if secrets else HIDDEN) if value == SECRET else value
        lines.append(f"{keyword}={quoted(text)}")
    return _section("CONNECTOR", connector.name, lines, "# This one stands in the configuration file.")


def _user(account: Account, *, secrets: bool) -> str:
    pairs = accounts.access_of(account)
    access = access_lines(pairs)
    if access is None:
        told = " ".join(map(str, pairs)) or "none"
        return (
            f"# USER {account.name} is left out: a section can't say its access, which is {told}; accounts.csv has it."
        )
    given = accounts.values(account)
    texts = rows.write(ACCOUNT, given)
    lines = [f"PASSWORD={quoted((account.password_hash if secrets else '') or NO_PASSWORD)}", *access]
    for keyword in table(UserConfig):
        name = keyword.lower()
        if keyword not in _APART and name in ACCOUNT and given[name] != ACCOUNT[name].default:
            lines.append(f"{keyword}={quoted(texts[name])}")
    return _section("USER", account.name, [*lines, *(["DISABLED"] if account.locked else [])])


def access_lines(pairs: Sequence[Access]) -> list[str] | None:
    """ACCESS and CONNECTOR of a section that mean these rows exactly; None where they can't."""
    networks = list(dict.fromkeys(pair.network for pair in pairs))
    names = list(dict.fromkeys(pair.connector for pair in pairs))
    if not pairs or len(set(pairs)) != len(networks) * len(names) or (ANY in names and len(names) > 1):
        return None
    lines = [] if set(networks) == set(EVERYWHERE) else [f"ACCESS={','.join(networks)}"]
    return lines if names == [ANY] else [*lines, f"CONNECTOR={','.join(names)}"]


def _section(kind: str, name: str, lines: Sequence[str], head: str = "") -> str:
    return "\n".join([*([head] if head else []), f"{kind} {name} <", *lines, ">"])
