"""What the gateway decides by, put together from three sources: the configuration, the files that it names, and the database's tables.

`Tables` holds the newest copy of each table that the database's reader has written (`emg.rules.snapshot`), and `assemble` makes an `Assembled` of everything: all
of it or, with an EmgError, nothing. Both do their work in a native thread, and what has not changed is not made again. Where the sources
meet, the file wins: ROUTES and PRICES stand in the place of the tables, a USER or CONNECTOR section in the place of the row of its name; rows of the black and
the white list join those of the files. Each row that is not used is in `skipped`, with the reason.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from emg.config.changes import Changes, compare
from emg.config.model import ConnectorConfig, ServerConfig
from emg.config.stored import Stored, examine
from emg.engine import table_files
from emg.engine.account_users import accounts_of
from emg.engine.table_files import TableFiles, scheme_of
from emg.errors import EmgError
from emg.rules.billing import Billing
from emg.rules.blocklist import AddressList, BlockLists, Place
from emg.rules.numbering import Numbering, networks_of
from emg.rules.price_rows import prices_of
from emg.rules.prices import PriceTable
from emg.rules.retry import RetryScheme
from emg.rules.route_rows import routes_of
from emg.rules.routes import RouteTable
from emg.rules.snapshot import ROWS, Header, Skipped, Snapshot, SnapshotFault, decode, left_out

T = TypeVar("T")
DATABASE: Final = "database"
COPY: Final = "last good copy"
VARIABLE: Final = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)

_NOTHING: Final = Snapshot(Header("", 0, 0.0, "", 0), [])


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything that is swapped together."""

    config: ServerConfig
    """With the connectors and the users of the tables among those of the file."""
    schemes: Mapping[str, RetryScheme]
    """By connector."""
    routes: RouteTable | None
    prices: PriceTable | None
    numbering: Numbering | None
    lists: BlockLists | None
    billing: Mapping[str, Billing]
    changes: Changes
    """What differs from the configuration before."""
    skipped: Mapping[str, Sequence[Skipped]]
    """Rows that are not used, by subject."""
    tables: Mapping[str, tuple[Header, str]]
    """Which copies of the tables it is made of and where they are from, by subject."""


@dataclass(frozen=True, slots=True)
class _Connectors:
    configs: Mapping[str, ConnectorConfig]
    schemes: Mapping[str, RetryScheme]
    skipped: Sequence[Skipped]


class Tables:
    """See the module's text. Used by one greenlet at a time."""

    def __init__(self, folder: Path | None, source: str, environ: Mapping[str, str], place: str) -> None:
        """`folder` None: there is no database. `source`: which one; `place`: the configuration's folder."""
        self.held: dict[str, Snapshot] = {}
        self.origins: dict[str, str] = {}
        """By subject, `DATABASE` or `COPY`."""
        self._folder = folder
        self._source = source
        self._environ = environ
        self._place = place
        self._made: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def read(self, subjects: Iterable[str], origin: str) -> list[str]:
        """Take the copies of these subjects; gives a sentence for each reason why some can't be used, and what was held of those stays."""
        faults: dict[str, list[str]] = {}
        for subject in subjects:
            try:
                self.held[subject] = self._read(subject)
                self.origins[subject] = origin
            except SnapshotFault as fault:
                faults.setdefault(str(fault), []).append(subject)
        return [
            f"the copy of table {', '.join(names)} in {self._folder} is not used: {fault}"
            for fault, names in faults.items()
        ]

    def has_copies(self) -> bool:
        """There are files to read, good ones or not."""
        return self._folder is not None and any((self._folder / f"{subject}.bin").exists() for subject in ROWS)

    def _read(self, subject: str) -> Snapshot:
        assert self._folder is not None, "copies of no database"
        try:
            octets = (self._folder / f"{subject}.bin").read_bytes()
        except OSError as error:
            raise SnapshotFault((error.strerror or "it can't be read").lower()) from error
        snapshot = decode(octets, subject)
        if snapshot.header.source != self._source:
            raise SnapshotFault(f"it is of another database, {snapshot.header.source}")
        return snapshot

    def assemble(
        self, file: ServerConfig, files: TableFiles, before: ServerConfig, *, lenient: bool = False
    ) -> Assembled:
        """Put everything together; `before` is what holds now. Raises EmgError for faults of files.

        `lenient`: the files are those of before. When a row of ROUTES names a connector that has left the tables, the routes stay as they are.
        """
        stored = {subject: self.held.get(subject, _NOTHING) for subject in ROWS}
        tables = {subject: (snapshot.header, self.origins[subject]) for subject, snapshot in self.held.items()}
        connectors = self._keep(
            "connector", (file, stored["connector"]), lambda: self._connectors(file, stored["connector"])
        )
        names = frozenset(connectors.configs)
        accounts = self._keep(
            "account", (file, stored["account"], names), lambda: accounts_of(stored["account"].rows, names, file.users)
        )
        routes, bad_routes = self._routes(file, files, stored["route"], names, lenient=lenient)
        prices, bad_prices = self._keep(
            "price", (files.prices, stored["price"]), lambda: _prices(file, files, stored["price"])
        )
        numbering, bad_networks = self._keep("network", (stored["network"],), lambda: _numbering(stored["network"]))
        lists, bad_blocks = self._keep(
            "blacklist", (files.blacklist, files.whitelist, stored["blacklist"]),
            lambda: _lists(file, files, stored["blacklist"]),
        )  # fmt: skip
        config = replace(file, connectors=connectors.configs, users={**file.users, **accounts.users})
        unused = {
            "connector": connectors.skipped, "account": accounts.skipped, "route": bad_routes, "price": bad_prices,
            "network": bad_networks, "blacklist": bad_blocks, "setting": (),
        }  # fmt: skip
        skipped = {subject: (*stored[subject].header.skipped, *unused[subject]) for subject in ROWS}
        return Assembled(
            config, connectors.schemes, routes, prices, numbering, lists, accounts.billing, compare(before, config), skipped,
            tables,
        )  # fmt: skip

    def _keep(self, name: str, key: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What was made of the same objects before, or is made now."""
        known = self._made.get(name)
        if known is not None and all(
            a is b or (isinstance(a, frozenset) and a == b) for a, b in zip(known[0], key, strict=True)
        ):
            return known[1]  # type: ignore[no-any-return]  # under this name stands what `make` gave
        made = make()
        self._made[name] = (key, made)
        return made

    def _routes(
        self, file: ServerConfig, files: TableFiles, stored: Snapshot, names: Collection[str], *, lenient: bool
    ) -> tuple[RouteTable | None, Sequence[Skipped]]:
        try:
            return self._keep(
                "route", (files.routes, stored, names), lambda: _routes(file, files.routes, stored, names)
            )
        except EmgError as fault:
            if not lenient or "route" not in self._made:
                raise
            table, skipped = self._made["route"][1]
            return table, (*skipped, Skipped("route", 0, "", "", f"the routes stay as they were: {fault}"))

    def _connectors(self, file: ServerConfig, stored: Snapshot) -> _Connectors:
        """Those of the file and those of the table that have no fault."""
        ids = {row.name: row.id for row in stored.rows}
        skipped: list[Skipped] = []
        wanted = []
        for row in stored.rows:
            unset = [
                name for _keyword, value in row.lines for name in VARIABLE.findall(value) if name not in self._environ
            ]
            if unset:
                reason = f"the environment variable {unset[0]} is not set"
                skipped.append(Skipped("connector", row.id, row.name, "", reason))
            else:
                wanted.append(Stored(row.name, row.lines, row.disabled))
        schemes = {name: scheme_of(config) for name, config in file.connectors.items()}
        configs = dict(file.connectors)
        if not wanted:
            return _Connectors(configs, schemes, skipped)
        examined = examine(file, wanted, self._environ, self._place)
        skipped += [
            Skipped("connector", ids[fault.connector], fault.connector, fault.keyword, fault.reason)
            for fault in examined.faults
        ]
        for name, config in examined.connectors.items():
            try:
                schemes[name] = scheme_of(config)
                configs[name] = config
            except EmgError as fault:
                skipped.append(Skipped("connector", ids[name], name, "RETRYSCHEME", str(fault)))
        return _Connectors(configs, schemes, skipped)


def _routes(
    config: ServerConfig, text: str | None, stored: Snapshot, connectors: Collection[str]
) -> tuple[RouteTable | None, Sequence[Skipped]]:
    if text is not None:
        return table_files.routes_of(config, text, connectors), _idle(stored, "ROUTES")
    if not stored.header.subject:
        return None, ()
    routes, faults = routes_of(stored.rows, connectors)
    return RouteTable(routes), left_out("route", faults, stored)


def _prices(config: ServerConfig, files: TableFiles, stored: Snapshot) -> tuple[PriceTable | None, Sequence[Skipped]]:
    if files.prices is not None:
        return table_files.prices_of(config, files.prices), _idle(stored, "PRICES")
    prices, faults = prices_of(stored.rows)
    table = PriceTable(prices)
    if not prices:
        table.size = stored.header.rows + len(
            stored.header.skipped
        )  # a table of faults alone prices nothing, and lets nobody send for nothing
    return table if table.size else None, left_out("price", faults, stored)


def _numbering(stored: Snapshot) -> tuple[Numbering | None, Sequence[Skipped]]:
    networks, faults = networks_of(stored.rows)
    return Numbering(networks) if networks else None, left_out("network", faults, stored)


def _lists(config: ServerConfig, files: TableFiles, stored: Snapshot) -> tuple[BlockLists | None, Sequence[Skipped]]:
    """Rows of the tables join those of the files."""
    skipped: list[Skipped] = []
    joined = []
    for keyword, name, text, white in (
        ("BLACKLIST", config.blacklist, files.blacklist, False), ("WHITELIST", config.whitelist, files.whitelist, True),
    ):  # fmt: skip
        together = table_files.list_of(name, text, white=white)
        own, faults = AddressList.of(stored.rows, white=white)
        skipped += left_out("blacklist", faults, stored)
        for row in own.all():
            places = together.sources if row.place is Place.SOURCE else together.dests
            if places.add(row) is None:
                together.rows += 1
            else:
                skipped.append(
                    Skipped(
                        "blacklist", row.line, row.address, "address", f"the file of {keyword} speaks for this already"
                    )
                )
        joined.append(together)
    return BlockLists(*joined) if joined[0].rows else None, skipped


def _idle(stored: Snapshot, keyword: str) -> Sequence[Skipped]:
    """The table stands behind a file."""
    if not stored.rows:
        return ()
    reason = f"none of the table's {len(stored.rows)} rows is used: the configuration has {keyword}"
    return (Skipped(stored.header.subject, 0, "", "", reason),)
