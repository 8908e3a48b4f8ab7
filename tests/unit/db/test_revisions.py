"""Revisions: one number a subject, raised once by each transaction that changes it, in the order of commits."""

import threading

import pytest

from emg.db import revisions
from emg.db.engine import Database
from emg.errors import EmgError


def account_of(database: Database) -> int:
    with database.session() as session:
        return revisions.current(session)["account"]


def test_a_transaction_raises_a_number_once_and_the_next_one_again(database: Database) -> None:
    assert account_of(database) == 0
    for number in (1, 2, 3):
        with database.session() as session:
            revisions.touch(session, "account")
            revisions.touch(session, "account")
            revisions.touch(session, "route")
        assert account_of(database) == number
    with database.session() as session:
        assert revisions.current(session)["route"] == 3


def test_what_is_taken_back_raises_nothing(database: Database) -> None:
    with pytest.raises(EmgError), database.session() as session:
        revisions.touch(session, "account")
        raise EmgError("taken back")
    assert account_of(database) == 0


def test_a_savepoint_that_is_taken_back_does_not_take_the_transactions_own_with_it(database: Database) -> None:
    with database.session() as session:
        inner = session.begin_nested()
        revisions.touch(session, "account")
        inner.rollback()
        revisions.touch(session, "account")
    assert account_of(database) == 1


def test_many_first_ones_at_once_are_all_counted(database: Database) -> None:
    def touch() -> None:
        with database.session() as session:
            revisions.touch(session, "account")

    threads = [threading.Thread(target=touch, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert account_of(database) == 8


def test_a_subject_that_nobody_reads_is_a_mistake(database: Database) -> None:
    with pytest.raises(AssertionError), database.session() as session:
        revisions.touch(session, "weather")
