"""Keys of programs: told once, found by their digest, of no use when locked, over, revoked, or their customer is locked."""

import datetime as dt
import hashlib

import pytest
from sqlalchemy import select

from emg.db import customers, keys
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.db.models import ApiKey, AuditLog
from emg.rules.key_rows import CUSTOMERS, SCOPES, allows
from emg.rules.rows import RowFaults

ANN = Actor("shell:ann")
NOW = dt.datetime.now(dt.UTC)
READER = {"name": "reader", "scopes": "reports:read"}


def made(database: Database, **more: object) -> str:
    with database.session() as session:
        return keys.add(session, ANN, {**READER, **more})[1]


def works(database: Database, text: str, moment: dt.datetime = NOW) -> bool:
    with database.session() as session:
        return keys.verify(session, text, moment) is not None


def test_a_key_is_told_once_and_kept_as_its_digest(database: Database) -> None:
    text, other = made(database), made(database, name="other")
    assert text.startswith("emg_")
    assert len(text) == 4 + 43, "256 bits"
    assert text != other
    with database.session() as session:
        key = keys.find(session, "reader")
        assert (key.key_hash, key.prefix) == (hashlib.sha256(text.encode()).hexdigest(), text[:12])
        kept = [str(value) for row in session.execute(select(ApiKey.__table__)) for value in row]
        kept += [row.before + row.after for row in session.scalars(select(AuditLog))]
    assert not any(text in value or text[12:] in value for value in kept)


def test_a_program_shows_it_and_it_is_noted_when(database: Database) -> None:
    text = made(database)
    assert works(database, text)
    assert works(database, text, NOW + dt.timedelta(seconds=30))
    with database.session() as session:
        assert keys.find(session, "reader").last_used == NOW, "not with every request"
    assert works(database, text, NOW + dt.timedelta(seconds=90))
    with database.session() as session:
        assert keys.find(session, "reader").last_used == NOW + dt.timedelta(seconds=90)


def test_what_is_no_key_finds_none(database: Database) -> None:
    text = made(database)
    for wrong in ("", "emg_", text[:-1], text + "x", text.upper(), text[:12], "\udcff", "%"):
        assert not works(database, wrong), wrong


def test_a_key_that_is_over_locked_or_revoked_is_of_no_use(database: Database) -> None:
    soon = NOW + dt.timedelta(hours=1)
    text = made(database, expires=int(soon.timestamp()))
    assert works(database, text)
    assert not works(database, text, soon)
    with database.session() as session:
        assert keys.lock(session, ANN, "reader")
        assert not keys.lock(session, ANN, "reader")
    assert not works(database, text)
    with database.session() as session:
        assert keys.unlock(session, ANN, text[:12]), "found by how it begins"
    assert works(database, text)
    with database.session() as session:
        keys.revoke(session, ANN, "reader")
    assert not works(database, text)
    with database.session() as session:
        told = [
            (row.action, row.subject, row.name, row.who)
            for row in session.scalars(select(AuditLog).order_by(AuditLog.id))
        ]
    assert told == [(action, "api_key", "reader", "shell:ann") for action in ("add", "lock", "unlock", "revoke")]


def test_a_customers_key_goes_with_him(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
    text = made(database, customer="Acme")
    assert works(database, text)
    with database.session() as session:
        customers.lock(session, ANN, "Acme")
    assert not works(database, text)
    with database.session() as session:
        customers.delete(session, ANN, "Acme")
    with database.session() as session, pytest.raises(NotFound):
        keys.find(session, "reader")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "reader", "scopes": "reports:read"}, "name"),
        ({"name": "b", "scopes": "everything"}, "scopes"),
        ({"name": "b", "scopes": ""}, "scopes"),
        ({"name": "b"}, "scopes"),
        ({"name": "b", "scopes": "prices:write", "customer": "Acme"}, "scopes"),
        ({"name": "b", "scopes": "prices:read", "customer": "Nobody"}, "customer"),
        ({"name": "b", "scopes": "prices:read", "expires": 1_000_000}, "expires"),
        ({"name": "b", "scopes": "prices:read", "rate": 0.0}, "rate"),
        ({"name": "b c", "scopes": "prices:read"}, "name"),
    ],
)
def test_a_key_that_can_not_be_is_refused(database: Database, given: dict[str, object], field: str) -> None:
    made(database)
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
    with database.session() as session, pytest.raises(RowFaults) as caught:
        keys.add(session, ANN, given)
    assert [fault.field for fault in caught.value.faults] == [field]


def test_keys_come_in_pages_by_customer_and_text(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
    for name, owner in (("a", None), ("b", "Acme"), ("c", "Acme")):
        made(database, name=name, customer=owner)
    with database.session() as session:
        assert [(key.name, owner) for key, owner in keys.listing(session, limit=2)] == [("a", None), ("b", "Acme")]
        assert [key.name for key, _ in keys.listing(session, customer="Acme", offset=1)] == ["c"]
        assert (keys.count(session), keys.count(session, customer="Acme"), keys.count(session, text="ann")) == (3, 2, 3)


def test_writing_includes_reading() -> None:
    assert allows("prices:write", "prices:read")
    assert allows("prices:read,routes:write", "routes:write")
    assert not allows("prices:read", "prices:write")
    assert not allows("prices:write", "routes:read")
    assert set(SCOPES) >= CUSTOMERS
    assert all(scope.endswith(":read") for scope in CUSTOMERS)


def test_keys_are_listed_in_any_order(database: Database) -> None:
    for name, rate in (("a", 5.0), ("b", 20.0), ("c", 10.0)):
        made(database, name=name, rate=rate)
    with database.session() as session:
        assert [key.name for key, _ in keys.listing(session, order="-rate")] == ["b", "c", "a"]
        for order in keys.SORTS:
            assert len(keys.listing(session, order=order)) == 3
