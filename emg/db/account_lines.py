"""Accounts of a CSV file into the tables: each line adds an account or changes the one of its name. All lines or none.

`put` works in the caller's transaction and raises `RowFaults` with all faults and their lines; the caller's block then takes everything back.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy.orm import Session

from emg.db import accounts, ledger
from emg.db.audit import Actor
from emg.rules.account_rows import Access, Line, in_order
from emg.rules.faults import Fault
from emg.rules.rows import RowFaults


class Counts(NamedTuple):
    """How many accounts of a file were new, changed, or as they stand there."""

    added: int
    changed: int
    same: int


def put(
    session: Session, actor: Actor, lines: Iterable[Line], faults: Iterable[Fault] = (), *, why: str = "first balance"
) -> Counts:
    """See the module's text. `faults`: what is known to be wrong with other lines of the file; it is raised together with what is found here.

    `why` stands in the ledger for the balances of new accounts.
    """
    there = set(accounts.names(session))
    added = changed = same = 0
    faults = list(faults)
    for line in sorted(lines, key=lambda line: str(line.values["name"])):  # two imports lock rows in one order
        name = line.values["name"]
        try:
            if name not in there:
                _add(session, actor, line, why)
                added += 1
            elif _change(session, actor, line):
                changed += 1
            else:
                same += 1
        except RowFaults as found:
            faults += [Fault(line.line, fault.field, fault.reason) for fault in found.faults]
    if faults:
        raise RowFaults(in_order(faults))
    return Counts(added, changed, same)


def _add(session: Session, actor: Actor, line: Line, why: str) -> None:
    account = accounts.add(session, actor, line.values, line.access or ())
    if line.balance:
        ledger.topup(session, actor, account.name, line.balance, why=why)


def _change(session: Session, actor: Actor, line: Line) -> bool:
    if line.balance is not None:
        reason = "the account is there already: its balance is changed by a top-up or a correction"
        raise RowFaults([Fault(line.line, "balance", reason)])
    access: list[Access] | None = line.access
    return accounts.change(session, actor, line.values["name"], line.values, access)
