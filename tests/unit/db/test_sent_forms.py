"""A form is taken once, together with what it does."""

import datetime as dt

import pytest
from sqlalchemy import func, select, update

from emg.db import accounts, ledger, sent_forms
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Ledger, SentForm
from emg.db.sent_forms import AlreadySent
from emg.errors import EmgError

ANN = Actor("ann")


def book(database: Database, token: str, amount: int = 5_000_000) -> None:
    with database.session() as session:
        sent_forms.spend(session, token)
        ledger.topup(session, ANN, "acme", amount)


def test_what_a_form_does_is_done_once(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
    token = sent_forms.token()
    assert token != sent_forms.token()
    book(database, token)
    with pytest.raises(AlreadySent):
        book(database, token)
    book(database, sent_forms.token())
    with database.session() as session:
        assert session.scalar(select(func.count(Ledger.id))) == 2


def test_a_form_that_did_nothing_can_be_sent_again(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
    token = sent_forms.token()
    with pytest.raises(EmgError):
        book(database, token, amount=-1)
    book(database, token)


@pytest.mark.parametrize("token", ["", "short", "x" * 65, "with a blank in the middle", "ü" * 20])
def test_what_is_no_token_is_refused(database: Database, token: str) -> None:
    with pytest.raises(EmgError, match="not whole"), database.session() as session:
        sent_forms.spend(session, token)


def test_old_ones_are_forgotten(database: Database) -> None:
    old = sent_forms.token()
    with database.session() as session:
        sent_forms.spend(session, old)
        session.execute(update(SentForm).values(at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))
    with database.session() as session:
        sent_forms.spend(session, sent_forms.token())
        assert session.scalar(select(func.count(SentForm.id))) == 1
