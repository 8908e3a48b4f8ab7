"""The tables as the gateway uses them: read as its reader reads them (`emg.db.snapshot`), judged by the functions that it judges by (`emg.rules.*_rows`,
`emg.config.stored`). For whoever says what the gateway does without asking one: a row that got in by hand and that it skips must not count here either.

What only the gateway's own machine can tell (a variable of its environment, a file that a connector names) is taken to be right. Raises DatabaseError, NotFound, and
`NotUsed` for a row that is there but is skipped.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from emg.config.connector import ConnectorConfig
from emg.config.stored import Stored
from emg.db import snapshot
from emg.db.changes import NotFound
from emg.db.connectors import Around, NoSuchConnector
from emg.db.engine import Database
from emg.errors import EmgError
from emg.rules import account_rows
from emg.rules.numbering import NetworkRow as Network
from emg.rules.numbering import networks_of
from emg.rules.price_rows import PriceRow, prices_of
from emg.rules.route_rows import Route, routes_of
from emg.rules.rows import Known
from emg.rules.snapshot import AccountRow, Skipped, Snapshot, left_out

ALWAYS: Final = ("connector", "account")


class NotUsed(EmgError):
    """The row is there, and the gateway skips it."""

    def __init__(self, skipped: Skipped) -> None:
        super().__init__(f"the gateway does not use {skipped}")


class Usable:
    """The tables `subjects`, and connectors and accounts besides, at one moment of the database."""

    def __init__(self, database: Database, around: Around, *subjects: str, dest: str = "") -> None:
        """`dest`: of routes and prices only rows whose prefix fits this number: a hundredth of the time."""
        with database.reading() as connection:
            self._read = {subject: snapshot.take(connection, subject, dest) for subject in (*ALWAYS, *subjects)}
        self.skipped: dict[str, list[Skipped]] = {name: list(read.header.skipped) for name, read in self._read.items()}
        """By subject."""
        self._around = around
        stored = self._read["connector"].rows
        examined = around.examine([Stored(row.name, row.lines, row.disabled) for row in stored])
        ids = {row.name: row.id for row in stored}
        self.skipped["connector"] += [
            Skipped("connector", ids[fault.connector], fault.connector, fault.keyword, fault.reason)
            for fault in examined.faults
        ]
        self.connectors: Mapping[str, ConnectorConfig] = {**around.config.connectors, **examined.connectors}
        """The file's, and those of the table."""

    def account(self, name: str) -> AccountRow:
        """One of the table."""
        rows: list[AccountRow] = self._read["account"].rows
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            self._refuse("account", name)
            raise NotFound("account", name)
        for fault in account_rows.stored_faults(row, Known(connectors=self.connectors)):
            raise NotUsed(Skipped("account", row.id, name, fault.field, fault.reason))
        return row

    def connector(self, name: str) -> ConnectorConfig:
        """One of the file, or of the table."""
        if name not in self.connectors:
            self._refuse("connector", name)
            raise NoSuchConnector(name)
        return self.connectors[name]

    def routes(self) -> list[Route]:
        """The routing table."""
        return self._sound("route", routes_of(self._read["route"].rows, self.connectors))

    def prices(self) -> list[PriceRow]:
        """The price table."""
        return self._sound("price", prices_of(self._read["price"].rows))

    def networks(self) -> list[Network]:
        """The numbering table."""
        return self._sound("network", networks_of(self._read["network"].rows))

    def about(self, subject: str, dest: str) -> list[Skipped]:
        """The skipped rows of a table whose prefix fits, as far as it is one; and the skipped connectors that they lead to."""
        fitting = [row for row in self.skipped[subject] if dest.startswith(_digits(row.name))]
        named = [row for row in self.skipped["connector"] if any(repr(row.name) in each.reason for each in fitting)]
        return [*fitting, *named]

    def _sound(self, subject: str, judged: tuple[list[Any], Iterable[Any]]) -> list[Any]:
        rows, faults = judged
        read: Snapshot = self._read[subject]
        self.skipped[subject] = [*read.header.skipped, *left_out(subject, faults, read)]
        return rows

    def _refuse(self, subject: str, name: str) -> None:
        for row in self.skipped[subject]:
            if row.name == name:
                raise NotUsed(row)


def _digits(prefix: str) -> str:
    return "".join(sign for sign in prefix if sign.isascii() and sign.isdigit())
