"""What a configuration file holds (`emg.config.foreign`), taken over into the tables in the caller's transaction.

What is there under the same name is brought to what the file says, and nothing else is touched: a second time changes nothing. A line that can't stand
here (it names a connector that is not there, listens where another listens) is left out, and its connector is disabled, its account locked; the caller gets
all that was left out. An account that is there is never unlocked, keeps its password where the file has none that can be used, and keeps its access rows where
the file says nothing about them.

`hashed` comes before the transaction: an argon2 hash takes a tenth of a second, and all cores are used.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from emg.config import hashes
from emg.config.foreign import NO_PASSWORD, ForeignConnector, ForeignPlugin, ForeignUser, LeftOut
from emg.config.stored import HIDDEN, ROWS, Stored, StoredFault
from emg.config.syntax import Source
from emg.db import accounts, changes, connectors
from emg.db.audit import Actor
from emg.db.connectors import Around
from emg.db.models import Account, Plugin
from emg.errors import EmgError
from emg.rules import account_rows, retry_smpp, rows
from emg.rules.account_rows import ACCOUNT, ANY, Access
from emg.rules.retry import RetryScheme
from emg.rules.rows import Known, RowFaults

PLUGIN: Final = ("plugin", "plugin")
ADDED, CHANGED, KEPT = "added", "changed", "kept"
HIDDEN_PASSWORD: Final = ("PASSWORD", HIDDEN)


@dataclass(slots=True)
class Taken:
    """What was done: for each kind of thing (`connectors`, `accounts`, …) how many were added, changed, kept."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def count(self, kind: str, what: str, number: int = 1) -> None:
        """Add to the count."""
        self.counts.setdefault(kind, Counter({ADDED: 0, CHANGED: 0, KEPT: 0}))[what] += number


def kept_hashes(session: Session) -> dict[str, str]:
    """The password hash of each account."""
    wanted = select(Account.name, Account.password_hash).where(Account.deleted.is_(None))
    return {row.name: row.password_hash for row in session.execute(wanted)}


def hashed(kept: Mapping[str, str], users: Iterable[ForeignUser]) -> dict[str, str]:
    """The password hash of each user that has a usable password: the one that is kept already if it is of that password."""
    wanted = {user.name: user.password for user in users if user.password and user.password != NO_PASSWORD}

    def one(name: str) -> str:
        password = wanted[name]
        if hashes.is_hash(password):
            return password
        octets = password.encode("latin-1", "replace")
        old = kept.get(name, "")
        return old if old and hashes.matches(old, octets) else hashes.make(octets)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def take_connectors(
    session: Session, actor: Actor, around: Around, given: Sequence[ForeignConnector], source: Source, taken: Taken
) -> None:
    """All connectors, examined together; what keeps one from being used is left out until none has a fault. `source`: where their files are read."""
    old = {row.name: connectors.stored(row) for row in connectors.listing(session)}
    places = {one.stored.name: one for one in given}
    wanted = {name: _with_password(one, old.get(name)) for name, one in places.items()}
    for name, one in places.items():
        for reason in _scheme_faults(wanted[name], source):
            _without(StoredFault(name, "RETRYSCHEME", reason), wanted, one, taken)
    while True:
        others = [one for name, one in old.items() if name not in wanted]
        faults = [fault for fault in around.examine([*others, *wanted.values()]).faults if fault.connector in wanted]
        if not faults:
            break
        for fault in faults:
            _without(fault, wanted, places[fault.connector], taken)
    for name, stored in wanted.items():
        if HIDDEN_PASSWORD in stored.lines:
            reason = "taken over disabled: the file holds *** instead of its password; set one, then enable it"
            taken.left_out.append(LeftOut(*places[name].places["PASSWORD"], f"CONNECTOR {name}", "PASSWORD", reason))
    for what in connectors.put(session, actor, around, list(wanted.values())).values():
        taken.count("connectors", what)


def _with_password(one: ForeignConnector, old: Stored | None) -> Stored:
    """An export without secrets has `***` where a password was: the one that is kept stays, or the connector is disabled."""
    if HIDDEN_PASSWORD not in one.stored.lines:
        return one.stored
    kept = dict(old.lines).get("PASSWORD", HIDDEN) if old else HIDDEN
    if kept != HIDDEN:
        lines = tuple((keyword, kept if keyword == "PASSWORD" else value) for keyword, value in one.stored.lines)
        return one.stored._replace(lines=lines)
    return one.stored._replace(disabled=True)


def _scheme_faults(stored: Stored, source: Source) -> list[str]:
    """What is wrong with the file of its RETRYSCHEME, whose form is not that of the commercial product; at most one sentence."""
    value = dict(stored.lines).get("RETRYSCHEME", "").strip('"')
    if not value or "${" in value:
        return []
    try:
        RetryScheme.parse(source.read(value), retry_smpp.NAMES)
    except EmgError as reason:
        return [f"RETRYSCHEME={value} can't be used: {reason}"]
    return []


def _without(fault: StoredFault, wanted: dict[str, Stored], one: ForeignConnector, taken: Taken) -> None:
    """Leave out the line that makes this fault, or the whole connector where it needs that line."""
    name, keyword = fault.connector, fault.keyword
    stored = wanted.get(name)
    if stored is None:
        return  # a fault before this one in the same round
    row = ROWS.get(keyword)
    lines = tuple(line for line in stored.lines if line[0] != keyword)
    file, line = one.places.get(keyword, (one.file, one.line))
    section = f"CONNECTOR {name}"
    if not keyword or row is None or row.needed or len(lines) == len(stored.lines):
        del wanted[name]
        taken.left_out.append(
            LeftOut(file, line, section, keyword, f"{fault.reason}; the connector is left out as a whole")
        )
        return
    wanted[name] = stored._replace(lines=lines, disabled=True)
    taken.left_out.append(
        LeftOut(file, line, section, keyword, f"{fault.reason}; the connector is taken over disabled")
    )


def take_users(
    session: Session,
    actor: Actor,
    given: Iterable[ForeignUser],
    passwords: Mapping[str, str],
    known: Collection[str],
    taken: Taken,
) -> None:
    """All users as accounts. `known`: the connectors that there are now, `passwords`: what `hashed` gave."""
    there = set(session.scalars(select(Account.name).where(Account.deleted.is_(None))))
    for user in given:
        reader = _User(user, Known(connectors=known), taken)
        try:
            taken.count(
                "accounts", _take_user(session, actor, reader, passwords.get(user.name, ""), user.name in there)
            )
        except RowFaults as faults:
            taken.left_out.append(
                LeftOut(user.file, user.line, f"USER {user.name}", "", f"left out as a whole: {faults}")
            )


def _take_user(session: Session, actor: Actor, reader: "_User", password_hash: str, there: bool) -> str:
    user = reader.user
    values, access = reader.values(), reader.access()
    if password_hash:
        values["password_hash"] = password_hash
    if there:
        if user.disabled:
            values["locked"] = True
        same = set(access) == set(accounts.access_of(accounts.find(session, user.name)))
        given = None if same or not (user.access or user.connectors) else access
        return CHANGED if accounts.change(session, actor, user.name, values, given, action="import") else KEPT
    if not password_hash and not user.held:
        reader.leave("PASSWORD", "taken over without a password: the file holds none; set one")
    values |= {"name": user.name, "locked": user.disabled or user.held or reader.faulty}
    accounts.add(session, actor, values, access)
    return ADDED


class _User:
    """Reads what a user of the file says as an account's values, and leaves out what can't stand."""

    def __init__(self, user: ForeignUser, known: Known, taken: Taken) -> None:
        self.user = user
        self.known = known
        self.taken = taken
        self.faulty = False

    def leave(self, keyword: str, reason: str) -> None:
        file, line = self.user.places.get(keyword, (self.user.file, self.user.line))
        self.taken.left_out.append(LeftOut(file, line, f"USER {self.user.name}", keyword, reason))

    def values(self) -> dict[str, Any]:
        """By column."""
        texts = {keyword.lower(): text for keyword, text in self.user.texts.items()}
        found, faults = rows.values_of(ACCOUNT, texts, self.known, whole=False)
        for fault in faults:
            self.faulty = True
            self.leave(fault.field.upper(), f"{fault.field.upper()} {fault.reason}; the account is locked if it is new")
        return found

    def access(self) -> list[Access]:
        """Every network at every connector."""
        found: dict[Access, None] = {}
        for network in self.user.access or (ANY,):
            for connector in self.user.connectors or (ANY,):
                try:
                    found |= dict.fromkeys(account_rows.access(f"{network}@{connector}", self.known))
                except RowFaults as faults:
                    self.leave("CONNECTOR" if connector != ANY else "ACCESS", f"no access: {faults}")
        return list(found)


def take_plugins(session: Session, actor: Actor, given: Iterable[ForeignPlugin], taken: Taken) -> None:
    """All plugins."""
    there = {row.name: row for row in session.scalars(select(Plugin))}
    position = session.scalar(select(func.max(Plugin.position))) or 0
    for number, plugin in enumerate(given, position + 1):
        fault = _plugin_fault(plugin)
        if fault:
            taken.left_out.append(LeftOut(plugin.file, plugin.line, f"PLUGIN {plugin.name}", *fault))
            continue
        taken.count("plugins", _take_plugin(session, actor, there.get(plugin.name), plugin, number))


def _plugin_fault(plugin: ForeignPlugin) -> tuple[str, str] | None:
    """(keyword, reason) of what can't be kept."""
    count = plugin.values.get("INSTANCES", "1")
    if not (count.isascii() and count.isdigit() and 0 < int(count[:6]) <= 1000 and len(count) < 6):
        return "INSTANCES", "left out as a whole: INSTANCES must be a whole number from 1 to 1000"
    for keyword in ("LIBRARY", "URL"):
        if len(plugin.values.get(keyword, "")) > 255:
            return keyword, f"left out as a whole: {keyword} is longer than 255 characters"
    return None


def _take_plugin(session: Session, actor: Actor, row: Plugin | None, plugin: ForeignPlugin, position: int) -> str:
    values = plugin.values
    off = values.get("DISABLED")
    wanted = {
        "library": values.get("LIBRARY", ""), "url": values.get("URL", ""), "config": values.get("CONFIG", ""),
        "instances": int(values.get("INSTANCES", "1")), "disabled": off is not None and off.upper() not in ("0", "NO", "OFF"),
    }  # fmt: skip
    before = None if row is None else {name: getattr(row, name) for name in wanted}
    if before == wanted:
        return KEPT
    now = changes.now()
    if row is None:
        session.add(Plugin(name=plugin.name, position=position, created=now, updated=now, **wanted))
    else:
        for name, value in wanted.items():
            setattr(row, name, value)
        row.updated = now
    session.flush()
    changes.tell(session, actor, "import", PLUGIN, plugin.name, before, wanted)
    return ADDED if row is None else CHANGED
