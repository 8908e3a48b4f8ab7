"""Invariant 4: a balance never passes its bound, and what the log says was spent is what is gone, to the last micro-unit – also when programs die.

Fifty sessions send on a balance that suffices for a thousand messages, while gateway, recorder and MariaDB get kill -9 at random moments. Then
exactly a thousand were accepted, and five witnesses agree: the sum of `routelog.price`, the account's `charged`, the ledger's rows, the gateway's
spool, and the ledgers that the clients kept themselves. The same holds for long messages that come in parts and are joined, on a smaller scale.
EMG_CRASH_SEED repeats a run's random choices.
"""

import datetime as dt
import random
import sqlite3
import time
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import func, select

from emg.config import hashes
from emg.db import accounts, ledger, revisions, schema
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Account, Entry, Ledger, Price, Refund, Route, RouteLog
from emg.rules.account_rows import Access
from tests.durability.crashes import seed
from tests.gateways import GatewayProcess, Program, SinkProcess, eventually, incoming, outgoing

ACTOR = Actor("test")
MICRO = 1_000_000
PRICE = 10_000
MESSAGES = 1000
LOADS, SESSIONS = 5, 10
KILLS = 12
JOINED_MESSAGES, JOINED_KILLS = 300, 4
SECONDS = 90.0


def stocked(database, refund, messages):
    """An account with a balance for so many messages, a route, a price."""
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        accounts.add(
            session, ACTOR, {"name": "acme", "prepaid": True, "sessions": 100, "currency": "EUR"}, [Access("127.0.0.0/8", "*")]
        )  # fmt: skip
        accounts.set_password(session, ACTOR, "acme", hashes.make(b"secret"))
        ledger.topup(session, ACTOR, "acme", messages * PRICE, why="the test's")
        session.add(Price(prefix="467", price=PRICE, cost=4_000, currency="EUR", refund=refund, updated=now))
        session.add(Route(prefix="", connector_out="operator", updated=now))
        revisions.touch(session, "price")
        revisions.touch(session, "route")


class World:
    """The programs of one run. `customers`: keywords of the connector that clients are on."""

    def __init__(self, folder, url, stack, *sink, **customers):
        self.folder = folder
        self.sink = stack.enter_context(SinkProcess(folder / "sink", *sink))
        text = (
            f"DATABASE={url}\nCMREXPIRE=2\n"
            + incoming("customers", INSTANCES=100, WINDOWSIZE=20, **customers)
            + outgoing("operator", self.sink.address, INSTANCES=2, WINDOWSIZE=50)
        )
        self.gateway = stack.enter_context(GatewayProcess(folder / "gateway", text))
        self.recorder = None
        self.loads = []
        stack.callback(self._end)
        self.record()

    def record(self):
        """Start the recorder, again."""
        self.recorder = Program(["recorder", "-c", str(self.gateway.config_file)], self.folder / "recorder")

    def _end(self):
        for program in (self.recorder, *self.loads):
            program.kill()

    def start_loads(self, each, *more):
        for number in range(LOADS):
            command = [
                "load", "--to", f"127.0.0.1:{self.gateway.port()}", "--system-id", "acme", "--password", "secret",
                "--sessions", str(SESSIONS), "--window", "4", "--rate", "40", "--messages", str(each), "--reconnect",
                "--answer-wait", "20", "--recipients", f"467{number}:4", "--ledger", str(self.ledger(number)), "--json", *more,
            ]  # fmt: skip
            self.loads.append(Program(command, self.folder / f"load{number}"))

    def ledger(self, number):
        return self.folder / f"{number}.ledger"

    def acknowledged(self):
        """The ids that clients were given."""
        lines = [line for number in range(LOADS) for line in self.ledger(number).read_text().splitlines()]
        return [int(line.split("\t")[2]) for line in lines if line.startswith("acked\t")]

    def refused(self):
        """What clients were told of a refusal, by status."""
        lines = [line for number in range(LOADS) for line in self.ledger(number).read_text().splitlines()]
        return {line.split("\t")[2] for line in lines if line.startswith("refused\t")}

    def all_recorded(self):
        """The outbox has come into the log, and the gateway has nothing left to do."""
        status = self.gateway.control("GET", "/status")
        outbox = self.gateway.control("GET", "/outbox")
        return not status["queued"] and not status["open_reports"] and outbox["recorded"] == outbox["last"]

    def spooled(self):
        with closing(sqlite3.connect(f"file:{self.gateway.spool_file}?mode=ro", uri=True)) as db:
            return db.execute("SELECT sum(charged) FROM balance").fetchone()[0]


def kill_at_random(world, draws, server, times):
    """Kill -9 one program or another, so often, while the loads run."""
    kills = {"gateway": 0, "recorder": 0, "database": 0}
    names = ["gateway", "gateway", "recorder"] + (["database"] if server is not None else [])
    for _ in range(times):
        time.sleep(draws.uniform(0.2, 0.9))
        name = draws.choice(names)
        kills[name] += 1
        if name == "gateway":
            world.gateway.kill()
            world.gateway.start()
        elif name == "recorder":
            world.recorder.kill()
            world.record()
        else:
            server.kill()
            time.sleep(draws.uniform(0.0, 0.5))
            server.start()
    return kills


def witnesses(database, world):
    """(rows, routelog's price, what it gave back, charged, credited, ledger's traffic, ledger's sum, the spool's charged)"""
    with database.session() as session:
        rows, price, back = session.execute(
            select(func.count(), func.sum(RouteLog.price), func.sum(RouteLog.refunded)).select_from(RouteLog)
        ).one()
        account = session.scalars(select(Account).where(Account.name == "acme")).one()
        traffic = session.scalar(select(func.sum(Ledger.amount)).where(Ledger.kind == Entry.TRAFFIC)) or 0
        total = session.scalar(select(func.sum(Ledger.amount)))
        ids = set(session.scalars(select(RouteLog.id)))
        joined = session.scalar(select(func.count()).select_from(RouteLog).where(RouteLog.parts > 1))
        nameless = session.scalar(
            select(func.count()).select_from(RouteLog).where(RouteLog.price != 0, RouteLog.currency != "EUR")
        )
    return {
        "rows": rows, "ids": ids, "price": int(price), "back": int(back), "charged": account.charged, "credited": account.credited,
        "traffic": -int(traffic), "balance": int(total), "spool": world.spooled(),
        "joined": joined, "nameless": nameless,
    }  # fmt: skip


@pytest.fixture
def server(database_kind, request):
    return request.getfixturevalue("own_mariadb") if database_kind == "mariadb" else None


@pytest.fixture
def stocked_url(server, database_kind, tmp_path, request):
    if server is None:
        return request.getfixturevalue("database_url")
    return server.url("emg")


NOT_TAKEN = ("--error-rate", "0.1:RINVDSTADR", "--report-delay", "0-0.3", "--report-states", "DELIVRD=4,UNDELIV=1")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("refund", "sink", "joins"),
    [
        pytest.param(Refund.NEVER, (), False, id="all-delivered"),
        pytest.param(Refund.UNDELIVERED, NOT_TAKEN, False, id="given-back"),
        pytest.param(Refund.UNDELIVERED, NOT_TAKEN, True, id="joined"),
    ],
)
def test_fifty_sessions_spend_what_there_is_and_no_more(server, stocked_url, tmp_path, capsys, refund, sink, joins):
    number = seed()
    draws = random.Random(number)
    database = Database(stocked_url)
    if server is not None:
        schema.upgrade(database)
    messages = JOINED_MESSAGES if joins else MESSAGES
    stocked(database, refund, messages)
    began = time.monotonic()
    with ExitStack() as stack:
        customers = {"MESSAGEMODE": "JOIN"} if joins else {}
        world = World(tmp_path, stocked_url, stack, "--report-delay", "0-0.3", *sink, **customers)
        if joins:
            world.start_loads(150, "--long", "3")
        else:
            world.start_loads(400)
        kills = kill_at_random(world, draws, server, JOINED_KILLS if joins else KILLS)
        for load in world.loads:
            load.wait(SECONDS)
        eventually(world.all_recorded, SECONDS, "everything recorded")
        seen = witnesses(database, world)
        acknowledged = world.acknowledged()
        refused = world.refused()
        world.gateway.stop()
    database.close()
    with capsys.disabled():
        print(
            f"\nseed {number}, kills {kills} in {time.monotonic() - began:.0f} s; accepted {seen['rows']}, acknowledged {len(acknowledged)};"
            f" spent {seen['price'] / MICRO:.6f}, given back {seen['back'] / MICRO:.6f}, left {seen['balance'] / MICRO:.6f}"
        )
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= seen["ids"]
    assert seen["price"] == seen["charged"] == seen["traffic"] == seen["spool"]
    assert seen["balance"] == seen["credited"] - seen["charged"] >= 0
    assert (seen["price"] + seen["back"]) == (seen["rows"] - seen["joined"]) * PRICE
    assert not seen["nameless"], "an invoice would miss it"
    assert bool(seen["joined"]) == joins
    assert "RSUBMITFAIL" in refused
    if refund is Refund.NEVER:
        assert seen["rows"] == messages
        assert seen["balance"] == 0
    else:
        assert seen["rows"] - seen["joined"] > messages  # what was given back was spent again
