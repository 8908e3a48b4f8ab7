"""Whose word a balance is."""

import pytest
from sqlalchemy import text

from emg.control.balances import told
from emg.db import accounts, balances, ledger
from emg.db.audit import Actor
from emg.db.balances import DATABASE, GATEWAY, Balance
from emg.db.engine import Database

ANN = Actor("shell:ann")


def test_the_gateways_word_goes_before_the_databases(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
        ledger.topup(session, ANN, "acme", 5)
    with database.session() as session:
        account = accounts.find(session, "acme")
        assert balances.of(account, {"acme": 3}) == Balance(3, GATEWAY)
        assert balances.of(account, {"other": 3}) == Balance(5, DATABASE)
        gone = accounts.delete(session, ANN, "acme")
        assert balances.of(gone, {gone.name: 3}).source == DATABASE


def test_what_is_no_amount_is_none(database: Database) -> None:
    if not database.is_sqlite:
        return  # MariaDB keeps whole numbers only
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
        session.execute(text("UPDATE account SET credited = 'much'"))
    with database.session() as session:
        assert balances.of(accounts.find(session, "acme"), {}).micros is None


@pytest.mark.parametrize(
    "answer", [None, [], "busy", {"accounts": 7}, {"accounts": [{"balance": 7}]}, {"accounts": [{}]}]
)
def test_an_answer_of_another_version_tells_nothing(answer: object) -> None:
    assert told(answer) == {}


def test_an_account_of_the_file_has_no_balance() -> None:
    assert told({"accounts": [{"account": "a", "balance": 5}, {"account": "b", "balance": None}]}) == {"a": 5}
    assert told({"account": "a", "balance": 5}) == {"a": 5}
