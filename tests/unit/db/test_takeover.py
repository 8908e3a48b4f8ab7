"""A file taken over into the tables: what comes in, what is left out, that a second time changes nothing, and that what is exported comes back."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from emg.config import hashes
from emg.config.foreign import ForeignFile, in_order, read
from emg.config.load import Disk, load_text
from emg.config.stored import Stored
from emg.db import accounts, connectors, customers, handover, revisions, takeover
from emg.db.audit import Actor
from emg.db.blacklist import BLACKLIST
from emg.db.connectors import Around
from emg.db.engine import Database
from emg.db.handover import access_lines
from emg.db.models import AuditLog, Plugin
from emg.db.networks import NETWORKS
from emg.db.prices import PRICES
from emg.db.routes import ROUTES
from emg.db.takeover import Taken
from emg.db.takeover_tables import BESIDE, Target, take_files
from emg.rules.account_rows import Access

ME = Actor("shell:test")
HERE = load_text(
    "CONNECTOR filed <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\n>\nUSER joe <\nPASSWORD=x\n>\n"
)
AROUND = Around(HERE, "/etc/emg", {})
IN = "TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{}\n"
OUT = "TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=peer:2775\nUSERNAME=u\nPASSWORD={}\n"
FILE = f"""
CONNECTOR customers <
{IN.format(3000)}ROUTE=op
>
CONNECTOR op <
{OUT.format("hugo")}STATIC
>
PLUGIN billing <
LIBRARY=bill.pl
CONFIG=a=b
>
USER acme <
PASSWORD=secret
ACCESS=10.0.0.0/8,192.0.2.1
CONNECTOR=customers
THROUGHPUT=20
OPERATIONS=SUBMIT,QUERY
PERPARTDLR
>
USER beta <
PASSWORD=other
ROUTE=op
WINDOWSIZE=auto
DISABLED
>
"""


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one takes a tenth of a second; what is made here is sound all the same."""
    monkeypatch.setattr(hashes, "ITERATIONS", 1)
    monkeypatch.setattr(hashes, "MEMORY_KIB", 8)
    hashes._hasher.cache_clear()


def take(database: Database, text: str, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Taken:
    """As `emg import` does; `folder`: an export, with its tables beside."""
    source = Disk()
    foreign = read(text, "old.cfg", str(folder or "/nowhere"), environ or {}, source, HERE)
    if folder:
        foreign.files += [
            ForeignFile(kind, str(folder / name), "old.cfg", 0)
            for name, kind in BESIDE.items()
            if (folder / name).exists()
        ]
    taken = Taken(left_out=foreign.left_out)
    with database.session() as session:
        kept = takeover.kept_hashes(session)
    passwords = takeover.hashed(kept, foreign.users)
    with database.session() as session:
        takeover.take_connectors(session, ME, AROUND, foreign.connectors, source, taken)
        takeover.take_plugins(session, ME, foreign.plugins, taken)
        known = {*HERE.connectors, *(row.name for row in connectors.listing(session))}
        target = Target(session, ME, known, taken)
        take_files(target, foreign.files, source)
        takeover.take_users(session, ME, foreign.users, passwords, known, taken)
    taken.left_out = in_order(taken.left_out, foreign.read_files)
    return taken


def told(taken: Taken) -> list[str]:
    return [str(item) for item in taken.left_out]


def state(database: Database) -> dict[str, object]:
    """All that a takeover could change."""
    with database.session() as session:
        return {
            "connectors": {row.name: connectors.stored(row) for row in connectors.listing(session)},
            "accounts": {row.name: accounts.texts(row) for row in accounts.listing(session)},
            "customers": [customers.texts(row) for row, _ in customers.listing(session)],
            "plugins": [
                (row.name, row.library, row.url, row.config, row.instances) for row in session.scalars(select(Plugin))
            ],
            "tables": [table.export(session) for table in (ROUTES, PRICES, NETWORKS, BLACKLIST)],
        }


def traces(database: Database) -> tuple[object, object]:
    with database.session() as session:
        return session.scalar(select(func.count(AuditLog.id))), revisions.current(session)


def test_a_file_comes_in_and_a_second_time_changes_nothing(database: Database) -> None:
    taken = take(database, FILE)
    assert told(taken) == []
    assert {kind: dict(counts) for kind, counts in taken.counts.items()} == {
        "connectors": {"added": 2, "changed": 0, "kept": 0},
        "plugins": {"added": 1, "changed": 0, "kept": 0},
        "accounts": {"added": 2, "changed": 0, "kept": 0},
    }
    before = state(database), traces(database)
    with database.session() as session:
        acme, beta = accounts.find(session, "acme"), accounts.find(session, "beta")
        assert hashes.matches(acme.password_hash, b"secret")
        assert [str(one) for one in accounts.access_of(acme)] == ["10.0.0.0/8@customers", "192.0.2.1/32@customers"]
        assert (acme.throughput, acme.operations, acme.perpartdlr, acme.locked) == (20.0, "SUBMIT,QUERY", True, False)
        assert (beta.route, beta.windowsize, beta.locked) == ("op", 0, True)
        assert [str(one) for one in accounts.access_of(beta)] == ["0.0.0.0/0", "::/0"], "no ACCESS means everywhere"
    again = take(database, FILE)
    assert {kind: counts["kept"] for kind, counts in again.counts.items()} == {
        "connectors": 2,
        "plugins": 1,
        "accounts": 2,
    }
    assert (state(database), traces(database)) == before


def test_what_people_have_changed_since_is_not_opened_again(database: Database) -> None:
    """Of an account: its lock, the access rows that the file doesn't speak of, a password where the file has none."""
    text = "USER acme <\nPASSWORD=secret\n>\nUSER beta <\nPASSWORD=$1$md5\n>\n"
    assert told(take(database, text)) == [
        "old.cfg:5: USER beta: taken over locked: its password is an MD5, of which no argon2 hash can be made; set a new one"
    ]
    with database.session() as session:
        accounts.change(session, ME, "acme", {"locked": True}, [Access("10.0.0.0/8")])
        accounts.change(session, ME, "beta", {"locked": False, "password_hash": hashes.make(b"new")})
    before = state(database)
    take(database, text)
    assert state(database) == before


def test_a_line_that_can_not_stand_here_disables_or_locks(database: Database) -> None:
    text = (
        f"CONNECTOR in <\n{IN.format(3000)}ROUTE=ucp\n>\nCONNECTOR filed <\n{IN.format(3001)}>\nCONNECTOR two <\n{IN.format(3000)}>\n"
        "USER acme <\nPASSWORD=x\nROUTE=ucp\nCONNECTOR=filed,in,ucp\n>\n"
    )
    found = told(take(database, text))
    assert found[:2] == [
        "old.cfg:5: CONNECTOR in: ROUTE=ucp: there is no such connector; the connector is taken over disabled",
        "old.cfg:7: CONNECTOR filed: a connector of this name stands in the configuration file; the connector is left out as a whole",
    ]
    assert [line.split(": ")[1] for line in found[2:]] == ["CONNECTOR two", "USER acme", "USER acme"]
    with database.session() as session:
        assert {row.name: row.disabled for row in connectors.listing(session)} == {"in": True}
        acme = accounts.find(session, "acme")
        assert acme.locked
        assert {one.connector for one in accounts.access_of(acme)} == {"filed", "in"}


def test_tables_that_the_file_names(database: Database, tmp_path: Path) -> None:
    (tmp_path / "routing.txt").write_text(">46 op\n>/@/ mail\n>47 op:gone\n* op,customers\n")
    (tmp_path / "black.txt").write_text("4670*\tREJECT\nACME\tLOG\tDESTADDR\n")
    (tmp_path / "white.txt").write_text("46701\n")
    (tmp_path / "bad.csv").write_text("prefix,price,currency\n46,0.01,EUR\n47,x,EUR\n48,1,E\n")
    text = FILE + "".join(
        f"{keyword}={tmp_path}/{name}\n"
        for keyword, name in {
            "ROUTING": "routing.txt",
            "BLACKLIST": "black.txt",
            "WHITELIST": "white.txt",
            "PRICES": "bad.csv",
            "ROUTES": "gone.csv",
        }.items()
    )
    taken = take(database, text)
    assert [line.removeprefix(str(tmp_path)) for line in told(taken)] == [
        "/bad.csv: PRICES: has faults: none of its rows is taken over",
        "/bad.csv:3: PRICES: price: 'x' is no amount such as 10.00: digits, a point, up to six decimals",
        "/bad.csv:4: PRICES: currency: 'E' is no currency of ISO 4217; the nearest is EUR",
        "/gone.csv: ROUTES: can't be read: no such file or directory",
        "/routing.txt:2: ROUTING: has an expression that is not the beginning of a number, as /^46/ is",
        "/routing.txt:3: ROUTING: there is no connector gone",
    ]
    with database.session() as session:
        assert [(row.prefix, row.connectors) for row in ROUTES.load(session)] == [
            ("", ("customers",)),
            ("", ("op",)),
            ("46", ("op",)),
        ]
        assert {(row.address, row.white) for row in BLACKLIST.load(session)} == {
            ("4670*", False), ("acme", False), ("46701", True),
        }  # fmt: skip
        assert PRICES.load(session) == []
    before = state(database), traces(database)
    take(database, text)
    assert (state(database), traces(database)) == before


def test_a_retry_scheme_of_another_form_is_left_out(database: Database, tmp_path: Path) -> None:
    (tmp_path / "ours.txt").write_text("0x0B permanent\n* temporary 10s\n")
    (tmp_path / "theirs.txt").write_text("ERROR 11 = DELETE\n")
    text = "".join(
        f"CONNECTOR {name} <\n{OUT.format('x')}RETRYSCHEME={tmp_path}/{name}.txt\n>\n"
        for name in ("ours", "theirs", "gone")
    )
    found = told(take(database, text))
    assert [line.split(": ")[1] for line in found] == ["CONNECTOR theirs", "CONNECTOR gone"]
    assert all("can't be used" in line and line.endswith("taken over disabled") for line in found)
    with database.session() as session:
        assert {row.name: row.disabled for row in connectors.listing(session)} == {
            "ours": False,
            "theirs": True,
            "gone": True,
        }


def test_rows_are_added_and_those_of_one_key_replaced(database: Database, tmp_path: Path) -> None:
    take(database, FILE)
    file = tmp_path / "prices.csv"
    for content in ("prefix,price,currency\n46,0.01,EUR\n47,1,EUR\n", "prefix,price,currency\n46,0.02,EUR\n"):
        file.write_text(content)
        counts = take(database, f"PRICES={file}\n").counts["prices"]
    assert dict(counts) == {"added": 0, "changed": 1, "kept": 0}
    with database.session() as session:
        assert [(row.prefix, row.price) for row in PRICES.load(session)] == [("46", 20_000), ("47", 1_000_000)]


def fill(database: Database) -> None:
    take(database, FILE)
    with database.session() as session:
        customers.add(session, ME, {"name": "Acme Ltd", "address": "Street 1\nTown", "currency": "SEK"})
        accounts.change(
            session, ME, "acme", {"customer": "Acme Ltd", "prepaid": True, "daily_limit": 5, "note": 'quoted "x", y'}
        )
        accounts.add(session, ME, {"name": "split"}, [Access("10.0.0.0/8"), Access("10.1.0.0/16", "customers")])
        connectors.switch(session, ME, AROUND, "op", disabled=True)
        lines = (
            *connectors.stored(connectors.find(session, "op")).lines,
            ("SYSTEMTYPE", '" a # b"'),
            ("ADDRESSRANGE", "${RANGE}"),
        )
        connectors.change(session, ME, AROUND, "op", lines, note="a note\n>")
    with database.session() as session:
        ROUTES.replace(session, ME, [])


def rows_of(found: dict[str, object], *names: str) -> dict[str, object]:
    return {name: found[name] for name in names}


def test_a_configuration_that_was_exported_is_sound_and_comes_back(database: Database) -> None:
    """With secrets into an empty database; without them into the one that it came from."""
    fill(database)
    before = state(database)
    with database.session() as session:
        whole = handover.configuration(session, HERE, secrets=True)
        bare = handover.configuration(session, HERE, secrets=False)
    loaded = load_text(whole, {"RANGE": "^46"})
    assert set(loaded.connectors) == {"filed", "customers", "op"}
    assert set(loaded.users) == {"acme", "beta"}
    assert loaded.connectors["op"].systemtype == " a # b"
    assert load_text(bare, {"RANGE": "^46"}).connectors["op"].password == "***"
    assert "hugo" not in bare
    assert "argon2id$v=19$m=8" not in bare
    for text in (whole, bare):
        assert [item.section for item in take(database, text).left_out] == ["CONNECTOR filed"], (
            "it stands in the file still"
        )
        assert state(database) == before
    empty(database)
    take(database, whole)
    after = state(database)
    assert rows_of(after, "connectors", "plugins") == rows_of(before, "connectors", "plugins")
    assert "split" not in after["accounts"]  # type: ignore[operator]  # a section can't say its access


def empty(database: Database) -> None:
    with database.session() as session:
        for name in list(accounts.names(session)):
            accounts.delete(session, ME, name)
        for row, _ in customers.listing(session):
            row.name += "~"
        for connector in connectors.listing(session):
            session.delete(connector)
        for plugin in session.scalars(select(Plugin)):
            session.delete(plugin)


def test_a_folder_that_was_exported_comes_back_whole(database: Database, tmp_path: Path) -> None:
    fill(database)
    (tmp_path / "more.csv").write_text("prefix,connector_out\n46,customers/acme:op\n")
    take(database, f"ROUTES={tmp_path}/more.csv\n")
    before = state(database)
    out = tmp_path / "out"
    out.mkdir()
    with database.session() as session:
        text = handover.configuration(session, HERE, secrets=True, users=False)
        for name, content in handover.tables(session, secrets=True):
            (out / name).write_text(content)
    assert set(BESIDE) == {path.name for path in out.iterdir()}
    assert [item.section for item in take(database, text, folder=out).left_out] == ["CONNECTOR filed"]
    assert state(database) == before
    empty(database)
    take(database, text, folder=out)
    after = state(database)
    assert rows_of(after, "connectors", "accounts", "plugins", "tables") == rows_of(
        before, "connectors", "accounts", "plugins", "tables"
    )


def test_a_connector_that_is_left_out_as_a_whole_is_not_taken_over_disabled(database: Database) -> None:
    section = f"CONNECTOR filed <\n{OUT.format('***')}>\n"
    (line,) = told(take(database, section))
    assert line.endswith("the connector is left out as a whole")


def test_an_export_without_secrets_makes_no_password_that_works(database: Database) -> None:
    fill(database)
    with database.session() as session:
        bare = handover.configuration(session, HERE, secrets=False)
    empty(database)
    taken = told(take(database, bare))
    assert [line.split(": ", 1)[1] for line in taken if "password" in line] == [
        "CONNECTOR op: taken over disabled: the file holds *** instead of its password; set one, then enable it",
        "USER acme: taken over without a password: the file holds none; set one",
        "USER beta: taken over without a password: the file holds none; set one",
    ]
    with database.session() as session:
        assert accounts.find(session, "acme").password_hash == ""
        assert connectors.find(session, "op").disabled
    before = state(database)
    take(database, bare)
    assert state(database) == before


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        ([], None),
        ([("0.0.0.0/0", "*"), ("::/0", "*")], []),
        ([("0.0.0.0/0", "*")], ["ACCESS=0.0.0.0/0"]),
        ([("10.0.0.0/8", "a"), ("10.0.0.0/8", "b")], ["ACCESS=10.0.0.0/8", "CONNECTOR=a,b"]),
        ([("10.0.0.0/8", "a"), ("11.0.0.0/8", "b")], None),
        ([("10.0.0.0/8", "*"), ("10.0.0.0/8", "b")], None),
    ],
)
def test_access_is_never_said_wider_than_it_is(pairs: list[tuple[str, str]], lines: list[str] | None) -> None:
    assert access_lines([Access(*pair) for pair in pairs]) == lines


def test_a_stored_connector_is_what_the_file_said(database: Database) -> None:
    take(database, FILE)
    with database.session() as session:
        lines = (
            ("TYPE", "OUTGOING"),
            ("PROTOCOL", "SMPP"),
            ("ADDRESS", "peer:2775"),
            ("USERNAME", "u"),
            ("PASSWORD", "hugo"),
            ("STATIC", ""),
        )
        assert connectors.stored(connectors.find(session, "op")) == Stored("op", lines)


LINES = st.sampled_from(
    [
        "CONNECTOR a <", "CONNECTOR b <", "CONNECTOR filed <", "USER a <", "USER u~ <", "PLUGIN p <", "DB x <", ">", ">", "TYPE=INCOMING", "TYPE=OUTGOING",
        "PROTOCOL=SMPP", "PROTOCOL=SMPP", "ADDRESS=127.0.0.1:3000", "ADDRESS=h:1", "USERNAME=u", "PASSWORD=p", "PASSWORD=${X}", "PASSWORD=***", "ROUTE=a", "ROUTE=b",
        "REDIRECT=a", "REDIRECT=b", "PROVIDER=x", "MSGID_FORMAT=hex", "MSGID_FORMAT=dec", "ACCESS=10.0.0.0/8", "ACCESS=*", "CONNECTOR=a,b,filed", "SESSIONS=99999",
        "WINDOWSIZE=auto", "OPERATIONS=SUBMIT", "FORCE_SOURCEADDR=ACME", "SOURCEADDR=4*", "DISABLED", "DISABLED=no", "SSL", "SSL_CLIENT_CERT", "USERS=x", "INSTANCES=7",
        "LIBRARY=x", "URL=http://x", "INSTANCES=-1", "FOO=1", "ROUTING=/dev/null", "\x00", "NODEID=1", "MD5PASSWORD=1",
    ]
)  # fmt: skip

HEADS = st.sampled_from([f"CONNECTOR a <\n{IN.format(3000)}", f"CONNECTOR b <\n{IN.format(3000)}", f"CONNECTOR c <\n{OUT.format('p')}", f"CONNECTOR d <\n{OUT.format('***')}", "USER u <\nPASSWORD=p\n", "PLUGIN p <\nURL=x\n"])  # fmt: skip
SECTIONS = st.builds(lambda head, lines: head + "\n".join([*lines, ">"]), HEADS, st.lists(LINES, max_size=6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
@given(st.lists(SECTIONS | LINES, min_size=2, max_size=12).map("\n".join))
def test_whatever_stands_in_it_comes_in_or_is_left_out(database: Database, text: str) -> None:
    """And what is in the tables afterwards has no fault, and a second time changes nothing."""
    take(database, text)
    with database.session() as session:
        assert AROUND.examine(connectors.stored(row) for row in connectors.listing(session)).faults == []
    before = state(database)
    take(database, text)
    assert state(database) == before
