"""Accounts of the database as the gateway uses them: a row becomes a `UserConfig`, as if it stood in a USER section, and a `Billing`. Pure.

Each row is checked by the rules that it was entered by (`emg.rules.account_rows`): what got in by hand and can't be used is left out and told of, an access row
alone where only that is wrong. A name that stands in the configuration file too is the file's.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from emg.config import kinds
from emg.config.model import AccessPair, LogContent, Operation, UserConfig
from emg.rules import rows
from emg.rules.account_rows import ACCESS_ROW, ANY, AUTO, stored_faults
from emg.rules.billing import Billing
from emg.rules.rows import Known
from emg.rules.snapshot import AccountRow, Skipped


@dataclass(slots=True)
class Accounts:
    """What became of the rows."""

    users: dict[str, UserConfig] = field(default_factory=dict)
    billing: dict[str, Billing] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


def accounts_of(stored: Iterable[AccountRow], connectors: Collection[str], taken: Collection[str]) -> Accounts:
    """`connectors` are those that there are; `taken` are the names of the file's users."""
    made = Accounts()
    known = Known(connectors=connectors)
    for row in stored:
        if row.name in taken:
            made.skipped.append(
                Skipped("account", row.id, row.name, "name", "a USER of this name stands in the configuration file")
            )
            continue
        faults = stored_faults(row, known)
        made.skipped += [Skipped("account", row.id, row.name, fault.field, fault.reason) for fault in faults]
        if faults:
            continue
        made.users[row.name] = _user(row, _pairs(row, known, made.skipped))
        made.billing[row.name] = Billing(
            row.id, row.customer_id or 0, row.currency, row.prepaid, row.credit_limit, row.credited, row.charged
        )
    return made


def _pairs(row: AccountRow, known: Known, skipped: list[Skipped]) -> tuple[AccessPair, ...]:
    pairs = []
    for network, connector in row.access:
        values: Mapping[str, str] = {"network": network, "connector": "" if connector == ANY else connector}
        faults = rows.check(ACCESS_ROW, values, known)
        skipped += [
            Skipped("account_access", row.id, row.name, fault.field, f"{network}: {fault.reason}") for fault in faults
        ]
        if not faults:
            pairs.append(AccessPair(ip_network(network), connector))
    return tuple(pairs)


def _user(row: AccountRow, pairs: tuple[AccessPair, ...]) -> UserConfig:
    """Of a row without a fault."""
    return UserConfig(
        name=row.name,
        number=row.id,
        pairs=pairs,
        password=row.password_hash,
        sessions=row.sessions,
        operations=kinds.OPERATIONS.parse(row.operations) if row.operations else frozenset(Operation),
        disabled=row.locked or row.customer_locked,
        throughput=row.throughput,
        windowsize="auto" if row.windowsize == AUTO else row.windowsize,
        maxqueuesize=row.maxqueuesize,
        dailylimit=row.daily_limit,
        maxparts=row.maxparts,
        route=row.route or None,
        routedlr=row.routedlr or None,
        force_sourceaddr=row.force_sourceaddr or None,
        sourceaddr=kinds.PATTERNS.parse(row.sourceaddr) if row.sourceaddr else (),
        perpartdlr=row.perpartdlr,
        logcontent=LogContent(row.content),
    )
