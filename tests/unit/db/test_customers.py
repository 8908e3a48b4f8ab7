"""Customers in the database."""

import pytest

from emg.db import accounts, customers, ledger, people
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.rules.rows import RowFaults

ANN = Actor("shell:ann")
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"


def fields(caught: pytest.ExceptionInfo[RowFaults]) -> list[str]:
    return [fault.field for fault in caught.value.faults]


def test_a_customer_reads_back(database: Database) -> None:
    given = {
        "name": "Åkes AB",
        "number": "7",
        "vat": 2500,
        "address": "Gata 1\nStad",
        "currency": "SEK",
        "daily_report": True,
    }
    with database.session() as session:
        customers.add(session, ANN, given)
    with database.session() as session:
        values = customers.values(customers.find(session, "Åkes AB"))
    assert given.items() <= values.items()
    assert (values["payment_days"], values["locked"], values["email"]) == (30, False, "")


def test_name_and_number_are_one_customers(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "A", "number": "7"})
        customers.add(session, ANN, {"name": "B"})
        customers.add(session, ANN, {"name": "C"})
    for given in ({"name": "A"}, {"name": "D", "number": "7"}):
        with pytest.raises(RowFaults) as caught, database.session() as session:
            customers.add(session, ANN, given)
        assert fields(caught) == [list(given)[-1]]
    with pytest.raises(RowFaults) as caught, database.session() as session:
        customers.change(session, ANN, "B", {"name": "A"})
    assert fields(caught) == ["name"]


def test_a_customer_can_get_another_name_and_keeps_his_accounts(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "A"})
        accounts.add(session, ANN, {"name": "acme", "customer": "A"})
    with database.session() as session:
        assert customers.change(session, ANN, "A", {"name": "B", "note": "was A"})
        assert not customers.change(session, ANN, "B", {"name": "B"})
    with database.session() as session:
        assert accounts.values(accounts.find(session, "acme"))["customer"] == "B"
        with pytest.raises(NotFound):
            customers.find(session, "A")


def test_a_lock_is_the_customers_and_leaves_his_accounts_their_own(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "A"})
        accounts.add(session, ANN, {"name": "acme", "customer": "A"})
        assert customers.lock(session, ANN, "A")
        assert not customers.lock(session, ANN, "A")
    with database.session() as session:
        assert customers.find(session, "A").locked
        assert not accounts.find(session, "acme").locked
        assert customers.unlock(session, ANN, "A")
        assert not customers.find(session, "A").locked


@pytest.mark.parametrize("kept", ["accounts", "web users", "ledger rows", ""])
def test_only_a_customer_of_whom_nothing_is_left_is_deleted(database: Database, kept: str) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "A"})
        accounts.add(session, ANN, {"name": "acme", "customer": "A"})
        if kept == "ledger rows":
            ledger.topup(session, ANN, "acme", 1)
        if kept != "accounts":
            accounts.delete(session, ANN, "acme")
        if kept == "web users":
            people.add(session, ANN, {"name": "bob", "role": "customer_user", "customer": "A"}, HASH)
    if not kept:
        with database.session() as session:
            customers.delete(session, ANN, "A")
            assert customers.names(session) == []
            assert len(accounts.listing(session, deleted=True)) == 1
        return
    with pytest.raises(RowFaults) as caught, database.session() as session:
        customers.delete(session, ANN, "A")
    assert kept in str(caught.value)


def test_customers_are_listed_with_the_number_of_their_accounts(database: Database) -> None:
    with database.session() as session:
        for name, mail in (("Acme", "a@acme.example"), ("Beta", ""), ("Ceta_", "")):
            customers.add(session, ANN, {"name": name, "email": mail})
        for number in range(3):
            accounts.add(session, ANN, {"name": f"a{number}", "customer": "Acme"})
        accounts.delete(session, ANN, "a0")
        customers.lock(session, ANN, "Beta")
    with database.session() as session:
        found = [(customer.name, number) for customer, number in customers.listing(session)]
        assert found == [("Acme", 2), ("Beta", 0), ("Ceta_", 0)]
        assert [customer.name for customer, _ in customers.listing(session, text="ACME.EX")] == ["Acme"]
        assert [customer.name for customer, _ in customers.listing(session, text="_")] == ["Ceta_"]
        assert [customer.name for customer, _ in customers.listing(session, offset=1, limit=1)] == ["Beta"]
        assert [customer.name for customer, _ in customers.listing(session, locked=True)] == ["Beta"]
        assert (customers.count(session), customers.count(session, text="eta")) == (3, 2)


def test_customers_are_listed_in_any_order(database: Database) -> None:
    with database.session() as session:
        for name, number in (("A", "2"), ("B", "1"), ("C", None)):
            customers.add(session, ANN, {"name": name, "number": number})
        accounts.add(session, ANN, {"name": "b1", "customer": "B"})
    with database.session() as session:
        assert [customer.name for customer, _ in customers.listing(session, order="-name")] == ["C", "B", "A"]
        assert [customer.name for customer, _ in customers.listing(session, order="-accounts")] == ["B", "A", "C"]
        for order in customers.SORTS:
            assert len(customers.listing(session, order=order)) == 3
