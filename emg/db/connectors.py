"""Connectors of the tables: listed, added, changed as a whole, switched, renamed, deleted.

Every change is examined together with the configuration file and all other connectors of the tables by the file's own parser
(`emg.config.stored`), and written only when no fault is left; warnings come back to the caller. It raises the revision of `connector` and leaves an audit
row in the same transaction, where a secret shows as `***`. Raises `ConnectorFaults` (with all faults), `NoSuchConnector`, `StillNamed` (with all
places that name the connector).

Passwords of connectors are kept as they are, because operators want them so: `${NAME}` in their place keeps them out of the database.
"""

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from emg.config.connector import ConnectorConfig
from emg.config.keywords import Reads
from emg.config.model import ServerConfig
from emg.config.stored import ROWS, Examined, Stored, StoredFault, examine, shown
from emg.db import audit, revisions
from emg.db.audit import Actor
from emg.db.models import Account, AccountAccess, Connector, ConnectorOption, Price, Route
from emg.errors import EmgError
from emg.rules.rows import words

MOST_LISTED: Final = 20
"""So many places that name a connector stand in a sentence; all are in `StillNamed.places`."""


NOTE: Final = words(2000, lines=True)


class ConnectorFaults(EmgError):
    """What was wanted can't be used; `faults` has all that is wrong with it."""

    def __init__(self, faults: Sequence[StoredFault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class NoSuchConnector(EmgError):
    """The tables have no connector of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no connector {name} in the database")


class StillNamed(EmgError):
    """It can't be renamed or deleted: `places` name it."""

    def __init__(self, name: str, places: Sequence[str]) -> None:
        more = f" and {len(places) - MOST_LISTED} more" if len(places) > MOST_LISTED else ""
        super().__init__(f"connector {name} is still named by {', '.join(places[:MOST_LISTED])}{more}")
        self.places = tuple(places)


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around the tables' connectors: the file's configuration, its folder, and the environment of whoever checks."""

    config: ServerConfig
    folder: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def examine(self, connectors: Iterable[Stored]) -> Examined:
        """Check these connectors together."""
        return examine(self.config, connectors, self.environ, self.folder)


def listing(session: Session) -> list[Connector]:
    """All connectors with their options, in their order."""
    wanted = select(Connector).options(selectinload(Connector.options)).order_by(Connector.position, Connector.id)
    return list(session.scalars(wanted))


def find(session: Session, name: str) -> Connector:
    """One connector with its options. Raises NoSuchConnector."""
    found = session.scalar(select(Connector).options(selectinload(Connector.options)).where(Connector.name == name))
    if found is None:
        raise NoSuchConnector(name)
    return found


def stored(connector: Connector) -> Stored:
    """As it is examined: without the options that are switched off."""
    lines = tuple((option.keyword, option.value) for option in connector.options if not option.disabled)
    return Stored(connector.name, lines, connector.disabled)


def add(session: Session, actor: Actor, around: Around, wanted: Stored, *, note: str = "") -> list[StoredFault]:
    """Add a connector at the end of the list; gives the warnings."""
    others = [stored(row) for row in listing(session)]
    if any(other.name == wanted.name for other in others):
        raise ConnectorFaults([StoredFault(wanted.name, "", "there is one of this name in the database already")])
    warnings = _check(around, others, [*others, wanted], wanted.name)
    position = (session.scalar(select(func.max(Connector.position))) or 0) + 1
    _insert(session, actor, wanted, position, _note(wanted.name, note))
    return warnings


def change(
    session: Session,
    actor: Actor,
    around: Around,
    name: str,
    lines: Sequence[tuple[str, str]],
    *,
    disabled: bool | None = None,
    note: str | None = None,
) -> list[StoredFault]:
    """Put these options in the place of all that it has; `None` leaves as it is. Gives the warnings; equal values change nothing."""
    row = find(session, name)
    off = row.disabled if disabled is None else disabled
    wanted = Stored(name, tuple(lines), off)
    all_of_them = listing(session)
    changed = [wanted if other.id == row.id else stored(other) for other in all_of_them]
    warnings = _check(around, [stored(other) for other in all_of_them], changed, name)
    _write(session, actor, row, wanted, row.note if note is None else _note(name, note))
    return warnings


def put(session: Session, actor: Actor, around: Around, wanted: Sequence[Stored]) -> dict[str, str]:
    """Add or change several at once, examined as they will stand together; gives for each name what was done: added, changed, kept."""
    rows = {row.name: row for row in listing(session)}
    before = [stored(row) for row in rows.values()]
    names = {one.name for one in wanted}
    after = [*(one for one in before if one.name not in names), *wanted]
    known = {fault[:2] for fault in around.examine(before).faults}
    faults = [fault for fault in around.examine(after).faults if fault.connector in names or fault[:2] not in known]
    if faults:
        raise ConnectorFaults(faults)
    position = max((row.position for row in rows.values()), default=0)
    done: dict[str, str] = {}
    for number, one in enumerate(wanted, position + 1):
        row = rows.get(one.name)
        if row is None:
            _insert(session, actor, one, number, "")
            done[one.name] = "added"
        else:
            done[one.name] = "changed" if _write(session, actor, row, one, row.note) else "kept"
    return done


def switch(session: Session, actor: Actor, around: Around, name: str, *, disabled: bool) -> list[StoredFault]:
    """Enable or disable it; enabling examines it anew."""
    row = find(session, name)
    return change(session, actor, around, name, stored(row).lines, disabled=disabled)


def rename(session: Session, actor: Actor, around: Around, name: str, new: str) -> list[StoredFault]:
    """Give it another name. Refused while anything names the old one: what is queued and logged under it would be nobody's."""
    row = find(session, name)
    _refuse_if_named(session, around.config, name)
    all_of_them = listing(session)
    if any(other.name == new for other in all_of_them):
        raise ConnectorFaults([StoredFault(new, "", "there is one of this name in the database already")])
    changed = [stored(other)._replace(name=new) if other.id == row.id else stored(other) for other in all_of_them]
    warnings = _check(around, [stored(other) for other in all_of_them], changed, new)
    row.name, row.updated = new, dt.datetime.now(dt.UTC)
    session.flush()
    _told(session, actor, "rename", name, {"name": name}, {"name": new})
    return warnings


def delete(session: Session, actor: Actor, around: Around, name: str) -> None:
    """Take it out of the tables. Refused while anything names it."""
    row = find(session, name)
    _refuse_if_named(session, around.config, name)
    before = _columns(row)
    session.delete(row)
    session.flush()
    _told(session, actor, "delete", name, before, {})


def named_by(session: Session, name: str) -> list[str]:
    """All that names this connector, in words: routes, prices, accounts, other connectors of the tables."""
    places = [f"route {row.id} ({row.prefix or 'any prefix'})" for row in _routes(session, name)]
    priced = select(Price.id).where((Price.connector_in == name) | (Price.connector_out == name)).order_by(Price.id)
    places += [f"price {number}" for number in session.scalars(priced)]
    owned = select(Account.name).where(Account.deleted.is_(None), (Account.route == name) | (Account.routedlr == name))
    reached = select(Account.name).join(AccountAccess).where(Account.deleted.is_(None), AccountAccess.connector == name)
    accounts = {*session.scalars(owned), *session.scalars(reached)}
    places += [f"account {account}" for account in sorted(accounts)]
    options = (
        select(Connector.name, ConnectorOption.keyword)
        .join(ConnectorOption)
        .where(ConnectorOption.keyword.in_(("ROUTE", "ROUTEDLR", "REDIRECT")), ConnectorOption.value == name)
        .where(Connector.name != name, ConnectorOption.disabled.is_(False))
        .order_by(Connector.name)
    )
    return places + [f"connector {other} ({keyword})" for other, keyword in session.execute(options)]


def _routes(session: Session, name: str) -> list[Route]:
    wanted = select(Route).where((Route.connector_in == name) | Route.connector_out.contains(name, autoescape=True))
    return [
        row
        for row in session.scalars(wanted.order_by(Route.id))
        if row.connector_in == name or name in (item.partition("/")[0] for item in row.connector_out.split(":"))
    ]


def places(session: Session, config: ServerConfig, name: str) -> list[str]:
    """The same with what the configuration file says: while there is one, the connector is neither renamed nor deleted."""
    found = named_by(session, name)
    for user in config.users.values():
        if name in (user.route, user.routedlr, *user.connector):
            found.append(f"USER {user.name} of the configuration file")
    for other in config.connectors.values():
        if name in (other.route, other.routedlr, other.redirect):
            found.append(f"CONNECTOR {other.name} of the configuration file")
    return found


def _refuse_if_named(session: Session, config: ServerConfig, name: str) -> None:
    if found := places(session, config, name):
        raise StillNamed(name, found)


def _check(around: Around, before: Sequence[Stored], after: Sequence[Stored], name: str) -> list[StoredFault]:
    """Refuse what makes a fault, here or in another connector; a fault that another has already is not this change's."""
    found = around.examine(after)
    faults = found.faults
    if any(fault.connector != name for fault in faults):
        known = {(fault.connector, fault.keyword) for fault in around.examine(before).faults}
        faults = [fault for fault in faults if fault.connector == name or fault[:2] not in known]
    if faults:
        raise ConnectorFaults(faults)
    return [warning for warning in found.warnings if warning.connector == name] + _not_here(
        name, found.connectors[name]
    )


def _not_here(name: str, config: ConnectorConfig) -> list[StoredFault]:
    """Files that it names and that can't be read from here, where the gateway may not run."""
    named = {row.name: getattr(config, row.attribute) for row in ROWS.values() if row.kind.reads is Reads.FILE}
    if config.ssl_certfile == config.ssl_keyfile:
        del named["SSL_CERTFILE"]
    return [
        StoredFault(name, keyword, f"{keyword}: there is no file {file} here; the gateway will need it")
        for keyword, file in named.items()
        if file and not Path(file).is_file()
    ]


def _note(name: str, note: str) -> str:
    """A remark as it can be kept. Raises ConnectorFaults."""
    try:
        return NOTE.parse(note)
    except ValueError as reason:
        raise ConnectorFaults([StoredFault(name, "", f"the note {reason}")]) from None


def _insert(session: Session, actor: Actor, wanted: Stored, position: int, note: str) -> None:
    now = dt.datetime.now(dt.UTC)
    row = Connector(
        name=wanted.name, position=position, disabled=wanted.disabled, note=note, created=now, updated=now,
        options=_options(wanted.lines),
    )  # fmt: skip
    session.add(row)
    session.flush()
    _told(session, actor, "add", wanted.name, {}, _columns(row))


def _write(session: Session, actor: Actor, row: Connector, wanted: Stored, note: str) -> bool:
    """Make a row what is wanted; False if it is that already."""
    before = _columns(row)
    same = stored(row).lines == wanted.lines
    if same and wanted.disabled == row.disabled and note == row.note:
        return False
    if not same:
        kept = [option for option in row.options if option.disabled]
        row.options = []
        session.flush()  # the old places are free before the new options take them
        row.options = _options(wanted.lines, kept)
    row.disabled, row.note, row.updated = wanted.disabled, note, dt.datetime.now(dt.UTC)
    session.flush()
    _told(session, actor, "change", row.name, before, _columns(row))
    return True


def _options(lines: Sequence[tuple[str, str]], kept: Sequence[ConnectorOption] = ()) -> list[ConnectorOption]:
    rows = [
        ConnectorOption(position=number, keyword=keyword, value=value)
        for number, (keyword, value) in enumerate(lines, 1)
    ]
    for number, option in enumerate(kept, len(rows) + 1):
        rows.append(
            ConnectorOption(
                position=number, keyword=option.keyword, value=option.value, disabled=True, note=option.note
            )
        )
    return rows


def _columns(row: Connector) -> dict[str, Any]:
    """What the audit log tells of."""
    options = {("# " if option.disabled else "") + option.keyword: option.value for option in row.options}
    return {**options, "disabled": row.disabled, "note": row.note}


def _told(
    session: Session, actor: Actor, action: str, name: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Raise the revision, and write down what differs, secrets hidden."""
    revisions.touch(session, "connector")
    old, new = audit.difference({**dict.fromkeys(after), **before}, {**dict.fromkeys(before), **after})
    audit.note(
        session, actor, action, "connector", name, _hidden(old) if before else None, _hidden(new) if after else None
    )


def _hidden(values: dict[str, Any]) -> dict[str, Any]:
    return {
        keyword: shown(keyword.removeprefix("# "), value) if isinstance(value, str) else value
        for keyword, value in values.items()
    }
