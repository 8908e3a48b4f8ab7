"""The ledger: top-ups and corrections, and that its sum is the balance however many people are at it at once."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update

from emg.db import accounts, ledger
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.engine import Database, DatabaseError
from emg.db.models import Account, Entry
from emg.rules import money
from emg.rules.rows import RowFaults

ANN = Actor("shell:ann")
THREADS, EACH = 8, 12
DEADLINE = 50.0


@pytest.fixture
def acme(database: Database) -> int:
    with database.session() as session:
        return accounts.add(session, ANN, {"name": "acme", "currency": "SEK"}).id


def test_a_topup_and_a_correction_say_who_when_why_and_what_was_left(database: Database, acme: int) -> None:
    with database.session() as session:
        ledger.topup(session, ANN, "acme", 10_000_000, why=" paid ", reference="7")
        session.execute(update(Account).values(charged=2_500_000))
    with database.session() as session:
        ledger.correct(session, Actor("bob", "192.0.2.1"), "acme", -500_000, why="typed wrong")
    with database.session() as session:
        last, first = ledger.listing(session, acme)
        assert (first.kind, first.amount, first.balance, first.currency) == (Entry.TOPUP, 10_000_000, 10_000_000, "SEK")
        assert (first.who, first.why, first.reference) == ("shell:ann", "paid", "7")
        assert (last.kind, last.amount, last.balance, last.who) == (Entry.CORRECTION, -500_000, 7_000_000, "bob")
        assert first.at <= last.at
        account = accounts.find(session, "acme")
        assert (account.credited, ledger.balance(account), ledger.total(session, acme)) == (
            9_500_000,
            7_000_000,
            9_500_000,
        )


def test_the_ledger_is_read_in_pages_from_the_newest(database: Database, acme: int) -> None:
    with database.session() as session:
        for amount in range(1, 6):
            ledger.topup(session, ANN, "acme", amount)
        first = ledger.listing(session, acme, limit=2)
        second = ledger.listing(session, acme, before=first[-1].id, limit=2)
        assert [row.amount for row in (*first, *second)] == [5, 4, 3, 2]


FAULTY = [
    (0, "", "amount"), (-1, "", "amount"), (money.LARGEST + 1, "", "amount"), (2**63, "", "amount"), (1, "x" * 256, "why"), (1, "a\0", "why"),
]  # fmt: skip


def test_a_topup_that_can_not_be_is_refused(database: Database, acme: int) -> None:
    for amount, why, field in FAULTY:
        with pytest.raises(RowFaults) as caught, database.session() as session:
            ledger.topup(session, ANN, "acme", amount, why=why)
        assert [fault.field for fault in caught.value.faults] == [field]
    with database.session() as session:
        assert accounts.find(session, "acme").credited == ledger.total(session, acme) == 0


def test_a_correction_needs_an_amount_and_a_reason(database: Database, acme: int) -> None:
    with pytest.raises(RowFaults) as caught, database.session() as session:
        ledger.correct(session, ANN, "acme", 0, why="  ")
    assert [fault.field for fault in caught.value.faults] == ["amount", "why"]


@pytest.mark.parametrize("sign", [1, -1])
def test_no_sum_of_amounts_outgrows_the_column(database: Database, acme: int, sign: int) -> None:
    with database.session() as session:
        ledger.correct(session, ANN, "acme", sign * money.LARGEST, why="the most there is")
    with pytest.raises(RowFaults), database.session() as session:
        ledger.correct(session, ANN, "acme", sign, why="one more")
    with database.session() as session:
        assert ledger.total(session, acme) == accounts.find(session, "acme").credited == sign * money.LARGEST


def test_nobody_pays_into_an_account_that_is_not_there(database: Database, acme: int) -> None:
    with database.session() as session:
        accounts.delete(session, ANN, "acme")
    for name in ("acme", f"acme~{acme}"):
        with pytest.raises(NotFound), database.session() as session:
            ledger.topup(session, ANN, name, 1)


def test_what_fails_later_in_the_transaction_leaves_neither_row_nor_credit(database: Database, acme: int) -> None:
    def fail_after_it() -> None:
        with database.session() as session:
            ledger.topup(session, ANN, "acme", 5)
            accounts.find(session, "nobody")

    with pytest.raises(NotFound):
        fail_after_it()
    with database.session() as session:
        assert (accounts.find(session, "acme").credited, ledger.listing(session, acme)) == (0, [])


def together(*tasks: Callable[[], None]) -> list[BaseException]:
    """Run them at once, each in a thread; what they raised."""
    raised: list[BaseException] = []
    ready = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        try:
            ready.wait(DEADLINE)
            task()
        except BaseException as error:  # noqa: BLE001 -- shown by the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    return raised


def again(task: Callable[[], None]) -> None:
    """As a person does whom the database told to try again."""
    for attempt in range(20):
        try:
            return task()
        except DatabaseError as error:
            if not error.temporary or attempt == 19:
                raise
    return None


def test_many_at_once_leave_the_sum_the_balance_and_every_row_right(database: Database, acme: int) -> None:
    """Top-ups, corrections, the recorder's charges and changes of the account's limits, all in the same moment."""

    def pay(number: int) -> None:
        for turn in range(EACH):
            with database.session() as session:
                if number % 2:
                    ledger.topup(session, ANN, "acme", 1_000_000 + turn)
                else:
                    ledger.correct(session, ANN, "acme", -100_000, why="test")

    def charge() -> None:
        for _ in range(EACH):
            with database.session() as session:
                session.execute(update(Account).where(Account.id == acme).values(charged=Account.charged + 7))

    def limit() -> None:
        for turn in range(EACH):
            with database.session() as session:
                accounts.change(session, ANN, "acme", {"sessions": turn + 1})

    payers = [lambda number=number: pay(number) for number in range(THREADS)]
    assert together(*payers, charge, limit) == []
    with database.session() as session:
        account = accounts.find(session, "acme")
        rows = ledger.listing(session, acme, limit=1000)
        expected = THREADS // 2 * (sum(1_000_000 + turn for turn in range(EACH)) - EACH * 100_000)
        assert account.credited == ledger.total(session, acme) == expected
        assert (account.charged, account.sessions, len(rows)) == (7 * EACH, EACH, THREADS * EACH)
        credited = 0
        for row in reversed(rows):  # each row's balance is what stood there in its very moment
            credited += row.amount
            assert (credited - row.balance) % 7 == 0
            assert 0 <= credited - row.balance <= account.charged
        assert credited == expected


def test_of_two_who_add_the_same_account_at_once_one_is_told(database: Database) -> None:
    def add() -> None:
        with database.session() as session:
            accounts.add(session, ANN, {"name": "same"})

    raised = together(*[lambda: again(add)] * 4)
    assert len(raised) == 3
    for error in raised:
        assert isinstance(error, RowFaults)
        assert "there is an account same already" in str(error)


def test_the_ledger_is_paged_in_any_order(database: Database, acme: int) -> None:
    with database.session() as session:
        for amount in (5, 20, 10):
            ledger.topup(session, ANN, "acme", amount)
        ledger.correct(session, ANN, "acme", -7, why="wrong")
    with database.session() as session:
        assert [row.amount for row in ledger.page(session, acme)] == [-7, 10, 20, 5]
        assert [row.amount for row in ledger.page(session, acme, order="amount", offset=1, limit=2)] == [5, 10]
        assert [row.amount for row in ledger.page(session, acme, kind="correction", order="at")] == [-7]
        for order in ledger.SORTS:
            assert len(ledger.page(session, acme, order=order)) == 4
        assert (ledger.count(session, acme), ledger.count(session, acme, kind="topup")) == (4, 3)
