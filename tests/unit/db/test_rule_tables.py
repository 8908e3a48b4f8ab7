"""Routes, prices, numbering and black list in the database: read, replaced, changed row by row; on both databases."""

import datetime as dt
import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
import pytest
from sqlalchemy import select

from emg.db import revisions
from emg.db.audit import Actor
from emg.db.blacklist import BLACKLIST
from emg.db.engine import Database
from emg.db.models import AuditLog, Connector, Price
from emg.db.networks import NETWORKS
from emg.db.prices import PRICES
from emg.db.routes import ROUTES, known_connectors
from emg.db.rule_table import NoSuchRow, RuleTable, plan
from emg.db.snapshot import changed
from emg.rules.block_rows import entry_of, parse_entries
from emg.rules.blocklist import BlockListFaults
from emg.rules.numbering import NetworkFaults, network_of, parse_networks
from emg.rules.price_rows import PriceFaults, parse_moment, parse_prices, price_of, prices_of
from emg.rules.route_rows import Route, parse_routes, route_of
from emg.rules.snapshot import PriceRow as StoredPrice

WHO = Actor("shell:test")
KNOWN = ("in1", "op1", "op2")


class Case(NamedTuple):
    """One of the four, with a text that has everything, the row to add, and a change of one."""

    table: RuleTable[Any]
    parse: Callable[[str], list[Any]]
    text: str
    more: Any
    change: dict[str, Any]


def _routes(text: str) -> list[Route]:
    return parse_routes(text, KNOWN)


CASES = {
    "route": Case(
        ROUTES, _routes,
        "prefix,account,connector_in,connector_out,priority,weight,enabled\n"
        ',,,op1,10,1,1\n46,acme,,op1:op2,10,3,1\n46,acme,,op2,20,0,1\n46,acme,in1,in1/acme,10,1,1\n47,"a, b",,gone,10,1,0\n',
        route_of({"prefix": "48", "connector_out": "op1"}, KNOWN), {"weight": 7},
    ),
    "price": Case(
        PRICES, parse_prices,
        "prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund\n"
        ",,,,0.10,0.05,EUR,,,refused\n46,acme,,op1,0.05,0.0375,EUR,,2026-01-01,never\n46,acme,,op1,0.055,0.0375,EUR,2026-01-01,,undelivered\n"
        "46,acme,,op1,0.04,0.0375,EUR,2026-07-01T12:30:00Z,2026-07-02T00:00:01Z,refused\n46,Öster,,,0.00,0.00,SEK,,,refused\n",
        price_of({"prefix": "48", "price": "10000000", "currency": "EUR"}), {"price": 12_345},
    ),
    "network": Case(
        NETWORKS, parse_networks,
        'prefix,country,name,mcc,mnc\n46,SE,,,\n4670,SE,"One, AB",240,01\n883,,International,901,\n',
        network_of({"prefix": "48", "country": "PL"}), {"name": "Polen"},
    ),
    "blacklist": Case(
        BLACKLIST, parse_entries,
        'address,action,field,list,note\n4670123,REJECT,DESTADDR,black,\n4671*,LOG,SOURCEADDR,black,"asked, by mail"\nspam,REJECT,SOURCEADDR,black,\n'
        "4670*,,SOURCEADDR,white,\n",
        entry_of({"address": "*", "action": "log"}), {"note": "ours"},
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def audits(database: Database) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    with database.session() as session:
        rows = session.scalars(select(AuditLog).order_by(AuditLog.id)).all()
        return [(row.action, row.name, json.loads(row.before or "{}"), json.loads(row.after or "{}")) for row in rows]


def test_export_import_export_gives_the_same_text(database: Database, case: Case) -> None:
    with database.session() as session:
        made = case.table.replace(session, WHO, case.parse(case.text))
        first = case.table.export(session)
    assert made.counts == {"added": case.text.count("\n") - 1, "removed": 0, "changed": 0, "unchanged": 0}
    assert sorted(first.splitlines()) == sorted(case.text.splitlines())
    with database.session() as session:
        case.table.replace(session, WHO, [])
        assert case.table.export(session).count("\n") == 1
        rows = case.parse(first)
        random.Random(1).shuffle(rows)
        case.table.replace(session, WHO, rows)
        assert case.table.export(session) == first


def test_an_import_of_what_is_there_writes_nothing(database: Database, case: Case) -> None:
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
    with database.session() as session:
        before = case.table.load(session)
        assert not case.table.replace(session, WHO, case.parse(case.text))
        assert case.table.load(session) == before
    assert len(audits(database)) == 1


def test_an_import_keeps_the_ids_of_rows_that_stay_or_change(database: Database, case: Case) -> None:
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
        old = case.table.load(session)
    first, second, *rest = old
    wanted = [case.more, msgspec.structs.replace(second, **case.change), *rest]
    with database.session() as session:
        expected = case.table.plan(session, wanted)
        made = case.table.replace(session, WHO, wanted)
        new = case.table.load(session)
    assert made == expected
    assert made.counts == {"added": 1, "removed": 1, "changed": 1, "unchanged": len(rest)}
    assert made.removed == [first]
    assert made.changed == [(second, wanted[1])]
    assert [row for row in new if row in wanted] == sorted([wanted[1], *rest], key=new.index)
    with database.session() as session:
        assert revisions.current(session)[case.table.subject] == 2


def test_an_import_leaves_one_audit_row_with_counts_and_digests(database: Database, case: Case) -> None:
    for text in (case.text, case.text.splitlines()[0] + "\n", case.text):
        with database.session() as session:
            case.table.replace(session, WHO, case.parse(text))
    count = case.text.count("\n") - 1
    (_, name, nothing, full), (_, _, before, after), (_, _, again, last) = audits(database)
    assert name == f"{count} rows"
    assert (nothing["rows"], full["rows"], full["added"], after["removed"]) == (0, count, count, count)
    assert full["digest"] == before["digest"] == last["digest"] != nothing["digest"] == again["digest"]


def test_rows_are_added_changed_and_deleted_one_by_one(database: Database, case: Case) -> None:
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
        made = case.table.add(session, WHO, case.more)
    with database.session() as session:
        assert case.table.get(session, made_id(made)) == made
        other = msgspec.structs.replace(made, **case.change)
        assert case.table.change(session, WHO, other)
        assert not case.table.change(session, WHO, other)
        assert case.table.get(session, made_id(made)) == other
        assert case.table.delete(session, WHO, made_id(made)) == other
        with pytest.raises(NoSuchRow):
            case.table.get(session, made_id(made))
        with pytest.raises(NoSuchRow):
            case.table.delete(session, WHO, made_id(made))
        assert sorted(case.table.export(session).splitlines()) == sorted(case.text.splitlines())
    assert [action for action, *_ in audits(database)] == ["import", "add", "change", "delete"]
    _action, name, before, after = audits(database)[2]
    assert list(before) == list(after) == list(case.change)
    assert name in ("48", "*")


def made_id(row: Any) -> int:
    return getattr(row, row.__struct_fields__[0])


def test_a_page_and_how_many_there_are(database: Database, case: Case) -> None:
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
        rows = case.table.load(session)
        assert case.table.find(session, offset=1, limit=2) == (rows[1:3], len(rows))
        first = case.table.head[0]
        found, total = case.table.find(session, {first: case.table.cells(rows[-1])[0]})
        assert rows[-1] in found
        assert total == len(found)


@pytest.mark.parametrize(
    ("table", "row", "raised"),
    [
        (PRICES, price_of({"prefix": "46", "account": "acme", "connector_out": "op1", "price": "1", "currency": "EUR"}), PriceFaults),
        (NETWORKS, network_of({"prefix": "46"}), NetworkFaults),
        (BLACKLIST, entry_of({"address": "SPAM", "action": "log"}), BlockListFaults),
    ],
)  # fmt: skip
def test_a_row_that_another_stands_in_the_way_of_is_refused(
    database: Database, table: RuleTable[Any], row: Any, raised: type[Exception]
) -> None:
    case = CASES[table.subject]
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
        other = table.load(session)
    with pytest.raises(raised, match=r"^(valid_from|prefix|address): row \d+ "), database.session() as session:
        table.add(session, WHO, row)
    with database.session() as session:
        assert table.load(session) == other
        assert revisions.current(session)[table.subject] == 1


def test_prices_that_follow_each_other_can_be_added(database: Database) -> None:
    row = price_of({"prefix": "46", "price": "1", "currency": "EUR"})
    with database.session() as session:
        PRICES.add(session, WHO, row)
        PRICES.add(
            session, WHO, price_of({"prefix": "46", "price": "2", "currency": "EUR", "valid_from": "2027-01-01"})
        )
        PRICES.add(session, WHO, price_of({"prefix": "46", "price": "2", "currency": "SEK"}))
        assert PRICES.find(session)[1] == 3


def test_connectors_that_a_route_may_name_and_the_routes_that_name_one(database: Database) -> None:
    with database.session() as session:
        now = dt.datetime.now(dt.UTC)
        session.add(Connector(name="op_1", created=now, updated=now))
        session.flush()
        known = known_connectors(session, ["op1"])
        assert known == {"op1", "op_1"}
        text = "connector_out\nop1\nop_1:op1\nop_1/acme\nop1/x:op_1\n"
        ROUTES.replace(session, WHO, parse_routes(text, known))
        assert [":".join(row.connectors) for row in ROUTES.find(session, {"connector_out": "op_1"})[0]] == [
            "op1/x:op_1",
            "op_1/acme",
            "op_1:op1",
        ]
        assert (
            ROUTES.find(session, {"connector_out": "p1"}) == ROUTES.find(session, {"connector_out": "OP1"}) == ([], 0)
        )


def test_what_is_written_is_what_the_models_and_the_gateway_read(database: Database) -> None:
    """Times above all: they are written as text."""
    case = CASES["price"]
    with database.session() as session:
        PRICES.replace(session, WHO, case.parse(case.text))
    with database.session() as session:
        rows = PRICES.load(session)
        models = session.scalars(select(Price)).all()
        begins = {row.id: row.valid_from.timestamp() if row.valid_from else 0 for row in models}
        assert begins == {row.id: row.valid_from for row in rows}
        assert all(row.updated.year >= 2026 for row in models)
        assert {row.id: row.refund.value for row in models} == {
            row.id: ("never", "refused", "undelivered")[row.refund] for row in rows
        }
    (snapshot,) = (one for one in changed(database, {}) if one.header.subject == "price")
    assert not snapshot.header.skipped
    assert all(isinstance(row, StoredPrice) for row in snapshot.rows)
    found, faults = prices_of(snapshot.rows)
    assert not faults
    assert sorted(found, key=made_id) == sorted(rows, key=made_id)


def test_two_imports_at_once_leave_one_of_the_files(database: Database) -> None:
    """The second waits for the first; without that each would add to what it read."""
    files = [[Route(number, f"{first}{number}", "", "", ("op1",)) for number in range(300)] for first in (4, 5)]
    start = threading.Barrier(2)

    def bring(rows: list[Route]) -> None:
        start.wait(10)
        with database.session() as session:
            ROUTES.replace(session, WHO, rows)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(bring, rows) for rows in files]:
            done.result(30)
    with database.session() as session:
        kept = {row.prefix for row in ROUTES.load(session)}
        assert revisions.current(session)["route"] == 2
    assert kept in [{row.prefix for row in rows} for rows in files]


def test_an_import_that_fails_changes_nothing(database: Database, case: Case) -> None:
    with database.session() as session:
        case.table.replace(session, WHO, case.parse(case.text))
        before = case.table.export(session)
    with pytest.raises(ZeroDivisionError), database.session() as session:
        case.table.replace(session, WHO, [case.more])
        raise ZeroDivisionError
    with database.session() as session:
        assert case.table.export(session) == before
        assert revisions.current(session)[case.table.subject] == 1
    assert len(audits(database)) == 1


def test_prices_found_by_what_they_are_for_and_when(database: Database) -> None:
    with database.session() as session:
        PRICES.replace(session, WHO, CASES["price"].parse(CASES["price"].text))
        found = {
            day: PRICES.find(session, {"prefix": "4", "account": "acme", "valid_at": parse_moment(day)})
            for day in ("2025-12-31", "2026-01-01", "2026-07-01T12:30:00")
        }
        assert [[row.price for row in rows] for rows, _total in found.values()] == [
            [50_000],
            [55_000],
            [55_000, 40_000],
        ]
        assert PRICES.find(session, {"currency": "SEK"})[1] == 1


def test_a_plan_pairs_rows_of_one_key_in_their_order() -> None:
    old = [Route(number, "46", "", "", ("op1",), 10, number) for number in (1, 2, 3)]
    wanted = [Route(0, "46", "", "", ("op1",), 10, weight) for weight in (2, 7, 8, 9)]
    made = plan(old, wanted, ROUTES.key)
    assert made.kept == 1
    assert [(was.line, now.line, now.weight) for was, now in made.changed] == [(1, 1, 7), (3, 3, 8)]
    assert [row.weight for row in made.added] == [9]
    assert not made.removed
