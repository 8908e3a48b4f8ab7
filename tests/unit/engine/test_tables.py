"""What the gateway decides by: the configuration, its files and the database's tables put together, and what is left out on the way."""

import dataclasses
import os
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest

from emg.config.load import load_text
from emg.config.model import AccessPair, LogContent, Operation, ServerConfig, UserConfig
from emg.engine import native
from emg.engine.table_files import TableFiles
from emg.engine.tables import COPY, DATABASE, Assembled, Tables
from emg.errors import EmgError
from emg.rules.access import may_log_in
from emg.rules.billing import Billing
from emg.rules.snapshot import (
    AccountRow,
    BlockRow,
    ConnectorRow,
    Header,
    NetworkRow,
    PriceRow,
    RouteRow,
    Row,
    Snapshot,
    encode,
)

HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
FILE = load_text(
    "CONNECTOR customers <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\n>\n"
    "CONNECTOR op <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2\nUSERNAME=u\nPASSWORD=p\n>\nUSER local <\nPASSWORD=p\n>\n"
)
SECOND = (
    ("TYPE", "OUTGOING"),
    ("PROTOCOL", "SMPP"),
    ("ADDRESS", "127.0.0.1:3"),
    ("USERNAME", "${WHO}"),
    ("PASSWORD", "p"),
)
ACCOUNT = AccountRow(
    1, "acme", 7, "Acme", False, HASH, False, True, None, "EUR", 10, 4, 3, 2.5, None, 0, 0, None, "", "", "", "", "", None, "full",
    (("127.0.0.0/8", "*"),),
)  # fmt: skip


def account(**more: Any) -> AccountRow:
    return msgspec.structs.replace(ACCOUNT, **more)


class Bench:
    def __init__(self, file: ServerConfig = FILE, **environ: str) -> None:
        self.file = file
        self.tables = Tables(Path("/nowhere"), "sqlite:///x", environ, "/")
        self.now = file

    def hold(self, subject: str, *rows: Row) -> None:
        self.tables.held[subject] = Snapshot(Header(subject, 1, 0.0, "sqlite:///x", len(rows)), list(rows))
        self.tables.origins[subject] = DATABASE

    def assemble(self, files: TableFiles | None = None, **how: bool) -> Assembled:
        self.files = files or getattr(self, "files", TableFiles())
        made = self.tables.assemble(self.file, self.files, self.now, **how)
        self.now = made.config
        return made


def told(made: Assembled, subject: str) -> Sequence[tuple[str, int, str]]:
    return [(row.table, row.id, row.field) for row in made.skipped[subject]]


def test_without_tables_it_is_what_the_file_says() -> None:
    made = Bench().assemble()
    assert (made.config, made.routes, made.prices, made.numbering, made.lists, made.billing) == (
        FILE,
        None,
        None,
        None,
        None,
        {},
    )
    assert not made.changes
    assert not any(made.skipped.values())


def test_an_account_becomes_a_user_with_its_balance() -> None:
    bench = Bench()
    full = account(
        windowsize=0, daily_limit=9, maxparts=3, operations="SUBMIT,QUERY", sourceaddr="ACME,46*", route="op", perpartdlr=True, content="masked",
        maxqueuesize=5,
    )  # fmt: skip
    bench.hold("account", full)
    made = bench.assemble()
    assert made.config.users["acme"] == UserConfig(
        name="acme", number=1, pairs=(AccessPair(ip_network("127.0.0.0/8"), "*"),), password=HASH, sessions=3, throughput=2.5, windowsize="auto",
        dailylimit=9, maxparts=3, maxqueuesize=5, operations=frozenset({Operation.SUBMIT, Operation.QUERY}), sourceaddr=("ACME", "46*"),
        route="op", perpartdlr=True, logcontent=LogContent.MASKED,
    )  # fmt: skip
    assert made.billing == {"acme": Billing(1, 7, "EUR", True, None, 10, 4)}
    assert list(made.config.users) == ["local", "acme"]
    assert made.changes.users_added == ("acme",)
    bench.hold("account", account(locked=True), account(id=2, name="beta", customer_locked=True))
    made = bench.assemble()
    assert made.config.users["acme"].disabled
    assert made.config.users["beta"].disabled
    assert [changed.name for changed in made.changes.users_changed] == ["acme"]


def test_another_account_of_the_same_name_is_a_change() -> None:
    bench = Bench()
    bench.hold("account", account())
    bench.assemble()
    bench.hold("account", account(id=2))
    assert [changed.name for changed in bench.assemble().changes.users_changed] == ["acme"]


FAULTY = [
    ({"name": "local"}, "account", "name"), ({"name": "a~7"}, "account", "name"), ({"password_hash": "plain"}, "account", "password_hash"),
    ({"route": "nowhere"}, "account", "route"), ({"throughput": -1.0}, "account", "throughput"), ({"currency": "Euro"}, "account", "currency"),
    ({"operations": "FLY"}, "account", "operations"), ({"content": "some"}, "account", "content"), ({"windowsize": -3}, "account", "windowsize"),
    ({"access": (("300.0.0.0/8", "*"),)}, "account_access", "network"), ({"access": (("127.0.0.1", "nowhere"),)}, "account_access", "connector"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "table", "field"), FAULTY, ids=str)
def test_an_account_that_can_not_be_used_is_left_out_and_told_of(wrong: dict[str, Any], table: str, field: str) -> None:
    bench = Bench()
    bench.hold("account", account(**wrong), account(id=2, name="good"))
    made = bench.assemble()
    assert told(made, "account") == [(table, 1, field)]
    assert "good" in made.config.users
    name = wrong.get("name", "acme")
    assert (name in made.config.users) == (table == "account_access" or name == "local")
    if table == "account_access":
        assert made.config.users["acme"].pairs == ()


@pytest.mark.parametrize(
    ("access", "connector", "ip", "right"),
    [
        ((("192.0.2.0/24", "*"),), "customers", "192.0.2.9", True), ((("192.0.2.0/24", "*"),), "customers", "192.0.3.9", False),
        ((("192.0.2.0/24", "op"), ("10.0.0.0/8", "customers")), "customers", "192.0.2.9", False),
        ((("192.0.2.0/24", "op"), ("10.0.0.0/8", "customers")), "customers", "10.9.9.9", True), ((), "customers", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_an_access_row_is_a_network_at_a_connector(
    access: tuple[tuple[str, str], ...], connector: str, ip: str, *, right: bool
) -> None:
    bench = Bench()
    bench.hold("account", account(access=access))
    assert may_log_in(bench.assemble().config.users["acme"], connector, ip) is right


def test_a_user_of_the_file_has_access_and_connector_alone() -> None:
    user = UserConfig(name="u", access=(ip_network("10.0.0.0/8"),), connector=("customers",))
    assert may_log_in(user, "customers", "10.1.1.1")
    assert not may_log_in(user, "customers", "11.1.1.1")
    assert not may_log_in(user, "op", "10.1.1.1")
    assert may_log_in(UserConfig(name="u"), "any", "11.1.1.1")


def test_connectors_of_the_table_join_those_of_the_file() -> None:
    bench = Bench(WHO="me")
    bench.hold("connector", ConnectorRow(1, "second", SECOND, False), ConnectorRow(2, "off", SECOND, True))
    made = bench.assemble()
    assert (made.config.connectors["second"].username, made.config.connectors["off"].disabled) == ("me", True)
    assert set(made.schemes) == set(made.config.connectors) == {"customers", "op", "second", "off"}
    assert made.changes.connectors_added == ("second", "off")
    bench.hold("connector")
    assert bench.assemble().changes.connectors_removed == ("second", "off")


def test_a_connector_with_a_fault_is_left_out() -> None:
    bench = Bench()
    bench.hold(
        "connector", ConnectorRow(1, "unset", SECOND, False), ConnectorRow(2, "op", SECOND[:3], False),
        ConnectorRow(3, "odd", (("TYPE", "SIDEWAYS"),), False), ConnectorRow(4, "good", (*SECOND[:3], ("USERNAME", "a"), ("PASSWORD", "$${X}")), False),
        ConnectorRow(5, "noscheme", (*SECOND[:3], ("USERNAME", "a"), ("PASSWORD", "p"), ("RETRYSCHEME", "/no/such/file")), False),
    )  # fmt: skip
    made = bench.assemble()
    assert {row.id for row in made.skipped["connector"]} == {1, 2, 3, 5}
    assert made.config.connectors["good"].password == "${X}"
    assert set(made.config.connectors) == {"customers", "op", "good"}


ROUTE = RouteRow(1, "46", "", "", "op", 10, 1, True)
PRICE = PriceRow(1, "46", "", "", "", 100, 50, "EUR", None, None, "refused")


def test_routes_prices_and_numbering_of_the_tables() -> None:
    bench = Bench()
    bench.hold("route", ROUTE, RouteRow(2, "47", "", "", "nowhere", 10, 1, True))
    bench.hold("price", PRICE, msgspec.structs.replace(PRICE, id=2, prefix="47", currency="crowns"))
    bench.hold("network", NetworkRow(1, "46", "SE", "Tele", "240", "01"), NetworkRow(2, "4x", "SE", "", "", ""))
    made = bench.assemble()
    assert made.routes is not None
    assert made.prices is not None
    assert made.numbering is not None
    assert (made.routes.size, made.prices.size, made.numbering.size) == (1, 1, 1)
    assert (told(made, "route"), told(made, "price")) == ([("route", 2, "connector_out")], [("price", 2, "currency")])
    assert {row.id for row in made.skipped["network"]} == {2}
    assert {row.name for row in made.skipped["network"]} == {"4x"}


def test_prices_that_are_all_faulty_make_nothing_free() -> None:
    bench = Bench()
    bench.hold("price")
    assert bench.assemble().prices is None
    bench.hold("price", msgspec.structs.replace(PRICE, currency="crowns"))
    prices = bench.assemble().prices
    assert prices
    assert prices.lookup("461", "acme", "customers", "op", "EUR", 1.0) is None


def test_a_file_stands_in_the_place_of_the_table() -> None:
    bench = Bench()
    bench.hold("route", ROUTE)
    bench.hold("price", PRICE)
    made = bench.assemble(
        TableFiles(routes="prefix,connector_out\n47,op\n48,op\n", prices="prefix,price,currency\n47,1,EUR\n48,1,EUR\n")
    )
    assert made.routes is not None
    assert made.prices is not None
    assert (made.routes.size, made.prices.size) == (2, 2)
    assert "ROUTES" in str(made.skipped["route"][0])
    assert "PRICES" in str(made.skipped["price"][0])


def test_an_empty_table_of_the_database_is_a_table() -> None:
    bench = Bench()
    bench.hold("route")
    made = bench.assemble()
    assert made.routes is not None
    assert not made.routes.size


def test_rows_of_the_lists_join_those_of_the_files() -> None:
    bench = Bench()
    bench.hold(
        "blacklist", BlockRow(1, False, "SOURCEADDR", "BAD", "REJECT"), BlockRow(2, False, "SOURCEADDR", "EVIL", "REJECT"),
        BlockRow(3, True, "DESTADDR", "46*", "LOG"), BlockRow(4, False, "SIDEWAYS", "X", "REJECT"),
    )  # fmt: skip
    made = bench.assemble(TableFiles(blacklist="BAD\tLOG\nWORSE\tREJECT\n"))
    assert made.lists is not None
    found = {
        name: row.action if (row := made.lists.find(name, "49")) else None for name in ("BAD", "EVIL", "WORSE", "GOOD")
    }
    assert found == {"BAD": "LOG", "EVIL": "REJECT", "WORSE": "REJECT", "GOOD": None}
    assert made.lists.find("EVIL", "461") is None
    assert {row.id for row in made.skipped["blacklist"]} == {1, 4}
    bench.hold("blacklist")
    assert bench.assemble(TableFiles()).lists is None


def test_faults_of_files_are_raised_and_name_the_file() -> None:
    bench = Bench(dataclasses.replace(FILE, routes="/etc/routes.csv"))
    with pytest.raises(EmgError, match=r"/etc/routes\.csv: line 2"):
        bench.assemble(TableFiles(routes="prefix,connector_out\n47,nowhere\n"))


def test_routes_of_the_file_stay_when_their_connector_leaves_the_tables() -> None:
    bench = Bench(WHO="me")
    files = TableFiles(routes="prefix,connector_out\n47,second\n")
    bench.hold("connector", ConnectorRow(1, "second", SECOND, False))
    first = bench.assemble(files).routes
    bench.hold("connector")
    with pytest.raises(EmgError, match="second"):
        bench.assemble(files)
    made = bench.assemble(files, lenient=True)
    assert made.routes is first
    assert "the routes stay as they were" in made.skipped["route"][-1].reason


def test_what_has_not_changed_is_not_made_again() -> None:
    bench = Bench(WHO="me")
    bench.hold("route", ROUTE)
    bench.hold("price", PRICE)
    first = bench.assemble()
    bench.hold("account", ACCOUNT)
    second = bench.assemble()
    assert first.routes is second.routes
    assert first.prices is second.prices
    bench.hold("connector", ConnectorRow(1, "second", SECOND, False))  # a route may name it now
    assert bench.assemble().routes is not first.routes


# -- copies


def test_a_copy_that_can_not_be_used_leaves_what_was_held(tmp_path: Path) -> None:
    tables = Tables(tmp_path, "sqlite:///x", os.environ, "/")
    for subject, source in (("route", "sqlite:///x"), ("price", "sqlite:///y")):
        (tmp_path / f"{subject}.bin").write_bytes(encode(Header(subject, 4, 0.0, source, 0), []))
    faults = tables.read(("route", "price", "network"), COPY)
    assert (set(tables.held), tables.origins) == ({"route"}, {"route": COPY})
    assert "another database, sqlite:///y" in faults[0]
    assert "no such file" in faults[1]
    (tmp_path / "route.bin").write_bytes(b"")
    assert tables.read(["route"], DATABASE)
    assert tables.held["route"].header.revision == 4


def test_a_native_thread_gives_back_what_was_raised_there() -> None:
    assert native.run(lambda: 7) == 7
    with pytest.raises(EmgError, match="there"):
        native.run(_raise)


def _raise() -> None:
    raise EmgError("there")
