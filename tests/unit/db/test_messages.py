"""Finding messages: every condition, pages that join without gap or repetition, and one message with parts and text."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest

from emg.db import messages
from emg.db.engine import Database
from emg.db.messages import After, Search
from emg.db.models import MessageBody, MessagePart, RouteLog, Status

DAY = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def fill(database: Database, rows: Iterable[dict[str, Any]]) -> None:
    with database.session() as session:
        session.add_all(
            RouteLog(**{"id": number, "received": DAY + number * SECOND, **row}) for number, row in enumerate(rows, 1)
        )


def found(
    database: Database, search: Search, limit: int = 100, after: After | None = None, *, rising: bool = False
) -> list[int]:
    with database.session() as session:
        return [row.id for row in messages.page(session, search, limit, after, rising=rising)]


ROWS: list[dict[str, Any]] = [
    {
        "account": "acme",
        "connector_in": "in",
        "connector_out": "op",
        "source": "ACME",
        "dest": "46700000001",
        "customer_id": 1,
    },
    {
        "account": "beta",
        "connector_in": "in2",
        "connector_out": "op2",
        "source": "46700000001",
        "dest": "4711",
        "status": Status.FAILED,
    },
    {"account": "acme", "source": "Acme", "dest": "46700000002", "remote_id": "abc", "status": Status.DELIVERED},
    {"account": "Acme", "source": "46700000001", "dest": "46700000001", "reference": "order 7"},
]


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        (Search(), [4, 3, 2, 1]),
        (Search(since=DAY + 2 * SECOND, until=DAY + 4 * SECOND), [3, 2]),
        (Search(number="46700000001"), [4, 2, 1]),
        (Search(number="4670000000*"), [4, 3, 2, 1]),
        (Search(number="47*"), [2]),
        (Search(number="*"), [4, 3, 2, 1]),
        (Search(dest="46700000001"), [4, 1]),
        (Search(source="ACME"), [1]),
        (Search(source="Ac*"), [3]),
        (Search(id=3), [3]),
        (Search(account="acme"), [3, 1]),
        (Search(accounts=("beta", "Acme")), [4, 2]),
        (Search(accounts=()), []),
        (Search(customer=1), [1]),
        (Search(connector_in="in"), [1]),
        (Search(connector_out="op2"), [2]),
        (Search(statuses=(Status.FAILED, Status.DELIVERED)), [3, 2]),
        (Search(accounts=("beta", "acme", "nobody")), [3, 2, 1]),
        (Search(accounts=("beta", "acme"), number="46700000001"), [2, 1]),
        (Search(accounts=("beta",), account="acme"), []),
        (Search(accounts=("acme", *(f"other{number}" for number in range(30)))), [3, 1]),
        (Search(reference="order 7"), [4]),
        (Search(remote_id="abc"), [3]),
        (Search(remote_id="part"), [1]),
        (Search(text="100 %"), [2]),
        (Search(text="_"), []),
        (Search(account="acme", number="46700000001"), [1]),
    ],
)
def test_all_that_is_given_must_hold(database: Database, search: Search, ids: list[int]) -> None:
    fill(database, ROWS)
    with database.session() as session:
        session.add(MessagePart(id=90, parent=1, received=DAY + SECOND, number=2, total=2, remote_id="part"))
        session.add(MessageBody(id=2, received=DAY + 2 * SECOND, text="all 100 % of it"))
        session.add(MessageBody(id=1, received=DAY, text="100 % of another day"))
    assert found(database, search) == ids
    assert found(database, search, rising=True) == ids[::-1]
    with database.session() as session:
        assert messages.count(session, search) == len(ids)
        assert messages.count(session, search, 2) == min(len(ids), 3)


@pytest.mark.parametrize("rising", [False, True])
@pytest.mark.parametrize(
    "search",
    [Search(), Search(number="46*"), Search(number="46700000001"), Search(dest="46*"), Search(accounts=("", "acme"))],
)
def test_pages_join_without_gap_or_repetition(database: Database, search: Search, *, rising: bool) -> None:
    """Also where several messages came in the same microsecond, and where sender and recipient are the same."""
    fill(
        database,
        [
            {
                "received": DAY + (number // 3) * SECOND,
                "source": "46700000001" if number % 2 else "X",
                "dest": "46700000001",
            }
            for number in range(20)
        ],
    )
    pages: list[int] = []
    after = None
    while True:
        with database.session() as session:
            rows = messages.page(session, search, 3, after, rising=rising)
        if not rows:
            break
        pages += [row.id for row in rows]
        after = After.parse(str(messages.place(rows[-1])))
    assert pages == (list(range(1, 21)) if rising else list(range(20, 0, -1)))


def test_the_texts_of_a_page(database: Database) -> None:
    fill(database, ROWS)
    with database.session() as session:
        for number in (1, 2, 9):
            session.add(MessageBody(id=number, received=DAY + number * SECOND, text=f"text {number}"))
    with database.session() as session:
        assert messages.texts(session, messages.page(session, Search())) == {1: "text 1", 2: "text 2"}
        assert messages.texts(session, []) == {}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+46700000001", "46700000001"), ("0046700000001", "46700000001"), ("+46 70-000 00 (01)", "46700000001"), ("+467*", "467*"),
        ("00467*", "467*"), ("4670 000*", "4670000*"), ("ACME Shop", "ACME Shop"), ("A-1", "A-1"), ("*", "*"), ("", ""), ("12.5", "125"),
    ],
)  # fmt: skip
def test_a_number_is_looked_for_as_the_log_has_it(typed: str, kept: str) -> None:
    assert messages.number(typed) == kept


def test_a_page_is_bounded(database: Database) -> None:
    fill(database, ROWS)
    assert len(found(database, Search(), 0)) == 1
    assert len(found(database, Search(), 10**9)) == 4


@pytest.mark.parametrize(
    "text",
    ["", "x", "20261123T000000.000000-", "20261123T000000.000000-x", "1-1", "20261123T000000.000000-" + "9" * 30],
)
def test_a_place_that_nobody_wrote(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        After.parse(text)


def test_one_message_with_all_that_is_known(database: Database) -> None:
    fill(database, ROWS)
    with database.session() as session:
        for number in (2, 1):
            session.add(MessagePart(id=90 + number, parent=3, received=DAY, number=number, total=2))
        session.add(MessageBody(id=3, received=DAY + 3 * SECOND, text="hello", body=b"hello"))
    for number in (3, 91):
        with database.session() as session:
            whole = messages.find(session, number)
            assert whole is not None
            assert whole.row.dest == "46700000002"
            assert [part.number for part in whole.parts] == [1, 2]
            assert whole.body is not None
            assert whole.body.text == "hello"
    with database.session() as session:
        assert messages.find(session, 4711) is None
        bare = messages.find(session, 1)
        assert bare is not None
        assert (bare.parts, bare.body) == ([], None)
