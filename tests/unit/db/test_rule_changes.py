"""What was done to a table of rules is kept with its rows, and can be taken back; on both databases."""

import msgspec
import pytest

from emg.db import retention, revisions, rule_changes
from emg.db.audit import Actor
from emg.db.changes import now
from emg.db.engine import Database
from emg.db.prices import PRICES, Payers
from emg.db.routes import ROUTES
from emg.db.rule_table import NotUndone, Stale, expect, with_id
from emg.rules.price_rows import PriceFaults, parse_prices, price_of
from emg.rules.route_rows import Route, parse_routes, route_of

WHO = Actor("ann", "192.0.2.1")
KNOWN = ("in1", "op1", "op2")


def routes(*lines: str) -> list[Route]:
    return parse_routes("prefix,account,connector_out,weight\n" + "\n".join(lines), KNOWN)


def undo_last(database: Database) -> dict[str, int]:
    with database.session() as session:
        [last, *_], _total = rule_changes.listing(session, "route")
        return ROUTES.undo(session, WHO, last.id).counts


def whole(database: Database) -> list[Route]:
    with database.session() as session:
        return ROUTES.load(session)


def test_an_import_is_one_entry_and_is_undone_with_the_ids_that_rows_had(database: Database) -> None:
    with database.session() as session:
        ROUTES.replace(session, WHO, routes("46,,op1,1", "47,,op1,1", "48,,op1,1"))
    before = whole(database)
    with database.session() as session:
        ROUTES.replace(session, WHO, routes("46,,op1,1", "47,,op1,7", "49,,op2,1", "50,,op2,1"))
    with database.session() as session:
        [change, _first], total = rule_changes.listing(session, "route")
        assert total == 2
        pairs = rule_changes.pairs_of(rule_changes.image_of(session, change.id), Route)
    assert (change.who, change.origin, change.action, change.name) == ("ann", "192.0.2.1", "import", "4 rows")
    assert (change.added, change.removed, change.changed, change.can_be_undone) == (2, 1, 1, True)
    after = {row.line: row for row in whole(database)}
    assert all(after[row.line] == row for _was, row in pairs if row is not None)
    assert undo_last(database) == {"added": 1, "removed": 2, "changed": 1, "unchanged": 0}
    assert whole(database) == before
    with database.session() as session:
        [undoing, undone, _first], _total = rule_changes.listing(session, "route")
        assert (undoing.action, undoing.undoes, undone.undone) == ("undo", undone.id, undoing.id)
        assert not undone.can_be_undone
        with pytest.raises(NotUndone, match="has done so already"):
            ROUTES.undo(session, WHO, undone.id)
    assert undo_last(database) == {"added": 2, "removed": 1, "changed": 1, "unchanged": 0}
    assert {row.line: row for row in whole(database)} == after


def test_rows_changed_one_by_one_are_undone_while_they_are_as_the_change_left_them(database: Database) -> None:
    with database.session() as session:
        made = ROUTES.add(session, WHO, route_of({"prefix": "46", "connector_out": "op1"}, KNOWN))
    with database.session() as session:
        ROUTES.change(session, WHO, msgspec.structs.replace(made, weight=5))
    with database.session() as session:
        [_changed, added], _total = rule_changes.listing(session, "route")
        with pytest.raises(NotUndone, match=f"row {made.line} .46. has changed since"):
            ROUTES.undo(session, WHO, added.id)
    undo_last(database)
    assert whole(database) == [made]
    with database.session() as session:
        ROUTES.delete(session, WHO, made.line)
    undo_last(database)
    assert whole(database) == [made]
    with database.session() as session:
        assert ROUTES.delete_all(session, WHO, {"prefix": "4"}) == 1
    assert whole(database) == []
    undo_last(database)
    assert whole(database) == [made]


def test_prices_come_back_only_where_nothing_contradicts_them(database: Database) -> None:
    head = "prefix,account,price,currency,valid_from,valid_until\n"
    with database.session() as session:
        PRICES.replace(session, WHO, parse_prices(head + "46,,0.05,EUR,,\n47,acme,0.04,EUR,,\n48,charlie,0.03,SEK,,\n"))
        [old] = PRICES.matching(session, {"prefix": "46"})
    with database.session() as session:
        PRICES.delete(session, WHO, old.id)
    with database.session() as session:
        again = PRICES.add(session, WHO, price_of({"prefix": "46", "price": "0.06", "currency": "EUR"}))
    with database.session() as session:
        [_added, deleted, _import], _total = rule_changes.listing(session, "price")
        with pytest.raises(NotUndone, match="begins at the same moment"):
            PRICES.undo(session, WHO, deleted.id)
        PRICES.delete(session, WHO, again.id)
        PRICES.undo(session, WHO, deleted.id)
        assert PRICES.get(session, old.id) == old
        mine, total = PRICES.find(session, {"for": Payers(["acme"], ["EUR"])}, order="-prefix")
        assert ([row.prefix for row in mine], total) == (["47", "46"], 2)
        assert PRICES.find(session, {"for": Payers([], [])}) == ([], 0)


def test_merging_adds_and_changes_and_leaves_the_rest(database: Database) -> None:
    with database.session() as session:
        ROUTES.replace(session, WHO, routes("46,,op1,1", "47,,op1,1"))
        made = ROUTES.merge(session, WHO, routes("47,,op1,9", "48,,op2,1", "46,,op1,1"))
    assert made.counts == {"added": 1, "removed": 0, "changed": 1, "unchanged": 1}
    assert [(row.prefix, row.weight) for row in whole(database)] == [("46", 1), ("47", 9), ("48", 1)]
    head = "prefix,price,currency,valid_from,valid_until\n"
    with database.session() as session:
        PRICES.replace(session, WHO, parse_prices(head + "46,0.05,EUR,2027-01-01,2027-06-01\n"))
    with (
        pytest.raises(PriceFaults, match=r"line 3: valid_from: row .* until 2027-06-01"),
        database.session() as session,
    ):
        PRICES.merge(session, WHO, parse_prices(head + "47,0.05,EUR,2027-02-01,\n46,0.05,EUR,2027-02-01,\n"))


def test_a_page_is_sorted_by_any_column_and_filtered_by_who_decides(database: Database) -> None:
    with database.session() as session:
        ROUTES.replace(
            session, WHO, routes(",,op1,3", "4,acme,op1,1", "46,,op1:op2,2", "467,,op1,5", "47,,in1/acme,4", "461,,op2,6")
        )  # fmt: skip

        def found(order: str = "prefix", **wanted: str) -> list[str]:
            return [row.prefix for row in ROUTES.find(session, wanted, order=order)[0]]

        assert found() == ["", "4", "46", "461", "467", "47"]
        assert found("-prefix") == ["47", "467", "461", "46", "4", ""]
        assert found("weight") == ["4", "46", "", "47", "467", "461"]
        assert found(decides="4670123") == ["", "4", "46", "467"]
        assert found(prefix="46") == ["46", "461", "467"]
        assert found(connector="in1") == ["47"]
        assert found(connector="op2") == ["46", "461"]
        rows, total = ROUTES.find(session, {}, order="prefix", offset=4, limit=2)
        assert ([row.prefix for row in rows], total) == (["467", "47"], 6)


def test_a_change_for_another_table_than_it_was_made_for_is_refused(database: Database) -> None:
    with database.session() as session:
        ROUTES.replace(session, WHO, routes("46,,op1,1"))
        seen = revisions.current(session)["route"]
    with database.session() as session:
        expect(session, "route", seen)
        ROUTES.replace(session, WHO, [])
    assert whole(database) == []
    with pytest.raises(Stale, match="changed meanwhile"), database.session() as session:
        expect(session, "route", seen)
    with database.session() as session:
        [later] = rule_changes.since(session, "route", seen)
        assert (later.removed, later.who) == (1, "ann")
        assert revisions.current(session)["route"] == seen + 1


def test_images_are_bounded_and_go_with_the_audit_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_changes, "LARGE", 100)
    monkeypatch.setattr(rule_changes, "KEPT", 2)
    for number in range(4):
        with database.session() as session:
            ROUTES.replace(
                session, WHO, [with_id(row, 0) for row in routes(*(f"4{number}{n},,op1,1" for n in range(30)))]
            )
    with database.session() as session:
        changes, _total = rule_changes.listing(session, "route")
        assert [change.can_be_undone for change in changes] == [True, True, False, False]
        with pytest.raises(NotUndone, match="not kept"):
            ROUTES.undo(session, WHO, changes[-1].id)
    monkeypatch.setattr(rule_changes, "LARGEST", 10)
    with database.session() as session:
        ROUTES.replace(session, WHO, [])
        [last, *_], _total = rule_changes.listing(session, "route")
        assert not last.can_be_undone
        assert last.removed == 30
    with database.session() as session:
        retention.delete_audit(session, now())
    with database.session() as session:
        assert rule_changes.listing(session, "route") == ([], 0)
        assert rule_changes.image_of(session, last.id) is None
