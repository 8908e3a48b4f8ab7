"""Guard: whatever changes an account, a customer, a web user, the ledger or a setting leaves an audit row, without secrets, and tells the gateway."""

import contextlib
import inspect
import json
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from emg.db import account_lines, accounts, audit, customers, ledger, people, revisions, settings
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import AuditLog
from emg.rules import account_rows
from emg.rules.account_rows import Access
from emg.rules.rows import Known

MODULES: tuple[ModuleType, ...] = (accounts, customers, people, ledger, settings, account_lines)
ANN = Actor("ann", "2001:db8::7")
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
OTHER_HASH = HASH.replace("YWFh", "YmJi")


class Case(NamedTuple):
    """A change, and what it leaves: action, table, what the row is called, and the subject whose revision goes up."""

    change: Callable[[Session], object]
    left: tuple[str, str, str]
    revision: str = "account"


NEW = {"password_hash": HASH, "note": "new"}
OFF = {"locked": True}
CASES: dict[str, Case] = {
    "accounts.add": Case(lambda s: accounts.add(s, ANN, {"name": "new", **NEW}), ("add", "account", "new")),
    "accounts.change": Case(lambda s: accounts.change(s, ANN, "acme", NEW), ("change", "account", "acme")),
    "accounts.lock": Case(lambda s: accounts.lock(s, ANN, "acme"), ("lock", "account", "acme")),
    "accounts.unlock": Case(lambda s: accounts.unlock(s, ANN, "locked"), ("unlock", "account", "locked")),
    "accounts.set_password": Case(
        lambda s: accounts.set_password(s, ANN, "acme", OTHER_HASH), ("password", "account", "acme")
    ),
    "accounts.add_access": Case(
        lambda s: accounts.add_access(s, ANN, "acme", [Access("::/0")]), ("change", "account", "acme")
    ),
    "accounts.remove_access": Case(
        lambda s: accounts.remove_access(s, ANN, "acme", [Access("10.0.0.0/8")]), ("change", "account", "acme")
    ),
    "accounts.delete": Case(lambda s: accounts.delete(s, ANN, "acme"), ("delete", "account", "acme")),
    "account_lines.put": Case(
        lambda s: account_lines.put(s, ANN, account_rows.parse("name,note\nacme,x\n", Known())),
        ("change", "account", "acme"),
    ),
    "customers.add": Case(lambda s: customers.add(s, ANN, {"name": "New"}), ("add", "customer", "New")),
    "customers.change": Case(lambda s: customers.change(s, ANN, "Acme", {"name": "B"}), ("change", "customer", "Acme")),
    "customers.lock": Case(lambda s: customers.lock(s, ANN, "Acme"), ("lock", "customer", "Acme")),
    "customers.unlock": Case(lambda s: customers.unlock(s, ANN, "Locked"), ("unlock", "customer", "Locked")),
    "customers.delete": Case(lambda s: customers.delete(s, ANN, "Locked"), ("delete", "customer", "Locked")),
    "ledger.topup": Case(lambda s: ledger.topup(s, ANN, "acme", 1), ("topup", "account", "acme")),
    "ledger.correct": Case(lambda s: ledger.correct(s, ANN, "acme", -1, why="x"), ("correction", "account", "acme")),
    "people.add": Case(lambda s: people.add(s, ANN, {"name": "new", "role": "owner"}, HASH), ("add", "web_user", "new"), ""),
    "people.invite": Case(lambda s: people.invite(s, ANN, {"name": "new", "role": "owner"}), ("invite", "web_user", "new"), ""),
    "people.log_out": Case(lambda s: people.log_out(s, ANN, "eve"), ("log out", "web_user", "eve"), ""),
    "people.change": Case(lambda s: people.change(s, ANN, "eve", {"email": "e@x.example"}), ("change", "web_user", "eve"), ""),
    "people.set_role": Case(lambda s: people.set_role(s, ANN, "eve", "finance"), ("role", "web_user", "eve"), ""),
    "people.lock": Case(lambda s: people.lock(s, ANN, "eve"), ("lock", "web_user", "eve"), ""),
    "people.unlock": Case(lambda s: people.unlock(s, ANN, "locked"), ("unlock", "web_user", "locked"), ""),
    "people.set_password": Case(
        lambda s: people.set_password(s, ANN, "eve", OTHER_HASH), ("password", "web_user", "eve"), ""
    ),
    "people.reset": Case(lambda s: people.reset(s, ANN, "eve", OTHER_HASH), ("reset", "web_user", "eve"), ""),
    "people.delete": Case(lambda s: people.delete(s, ANN, "eve"), ("delete", "web_user", "eve"), ""),
    "settings.write": Case(
        lambda s: settings.write(s, ANN, {"keep_audit": "7"}), ("change", "setting", "keep_audit"), "setting"
    ),
}  # fmt: skip


@pytest.fixture
def filled(database: Database) -> Database:
    """What there is before each change."""
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        customers.add(session, ANN, {"name": "Locked", **OFF})
        accounts.add(session, ANN, {"name": "acme", "customer": "Acme", "password_hash": HASH}, [Access("10.0.0.0/8")])
        accounts.add(session, ANN, {"name": "locked", **OFF})
        people.add(session, ANN, {"name": "olga", "role": "owner"}, HASH)
        people.add(session, ANN, {"name": "eve", "role": "engineer"}, HASH)
        people.add(session, ANN, {"name": "locked", "role": "engineer", **OFF}, HASH)
    return database


def test_every_function_that_changes_something_has_its_case() -> None:
    """It is known by its actor: nothing is changed by nobody."""
    changing = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "actor" in inspect.signature(function).parameters
    }
    assert changing == set(CASES)


class _TakenBackError(Exception):
    """Ends a transaction without a trace."""


def test_every_change_is_in_the_audit_log_and_told_to_the_gateway(filled: Database) -> None:
    for name, case in CASES.items():
        with contextlib.suppress(_TakenBackError), filled.session() as session:
            before = revisions.current(session)
            last = max(session.scalars(select(AuditLog.id)))
            case.change(session)
            (row,) = session.scalars(select(AuditLog).where(AuditLog.id > last))
            assert (row.action, row.subject, row.name) == case.left, name
            assert (row.who, row.origin) == ("ann", "2001:db8::7"), name
            assert row.before or row.after, name
            after = revisions.current(session)
            assert {subject for subject in after if after[subject] != before[subject]} == {case.revision} - {""}, name
            raise _TakenBackError


def test_no_secret_gets_into_the_audit_log(filled: Database) -> None:
    with filled.session() as session:
        for name in ("accounts.add", "accounts.set_password", "people.add", "people.set_password", "people.reset"):
            CASES[name].change(session)
        accounts.delete(session, ANN, "acme")
    with filled.session() as session:
        told = [(row.before, row.after) for row in session.scalars(select(AuditLog))]
    assert "argon2" not in json.dumps(told)
    assert any('"password_hash": "***"' in after for _before, after in told)


def test_a_change_shows_what_differs_and_an_addition_what_was_given(filled: Database) -> None:
    with filled.session() as session:
        accounts.add(session, ANN, {"name": "new", "credit_limit": 1_500_000}, [Access("::/0")])
        accounts.change(session, ANN, "new", {"sessions": 3}, [])
        added, changed = list(session.scalars(select(AuditLog).order_by(AuditLog.id)))[-2:]
        assert json.loads(added.after)["credit_limit"] == "1.50"
        assert "customer" not in json.loads(added.after)
        assert json.loads(changed.before) == {"access": "::/0", "sessions": "10"}
        assert json.loads(changed.after) == {"access": "", "sessions": "3"}


def test_every_column_that_holds_a_secret_is_known_to_the_audit_log() -> None:
    secret = {
        field.name
        for fields in (account_rows.ACCOUNT, account_rows.CUSTOMER)
        for field in fields.values()
        if field.secret
    }
    assert secret <= audit.SECRETS


def test_however_much_a_change_says_the_audit_log_has_room_and_its_rows_read_back(database: Database) -> None:
    long = {f"field{number:03d}": "🙂" * 5000 for number in range(40)}
    with database.session() as session:
        audit.note(session, ANN, "change", "thing", "x" * 500, {"a": 1}, {**long, "password": "secret"})
        audit.note(session, ANN, "change", "thing", "y", {}, {"password": ""})
    with database.session() as session:
        first, second = session.scalars(select(AuditLog).order_by(AuditLog.id))
        told = json.loads(first.after)
        assert len(first.after.encode()) < 65_536
        assert told["field000"] == "🙂" * audit.LONGEST_VALUE + "…"
        assert told["…"] == f"{41 - (len(told) - 1)} more"
        assert (second.before, json.loads(second.after)) == ("", {"password": ""})
