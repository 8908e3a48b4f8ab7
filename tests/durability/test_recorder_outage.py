"""The database is away while messages come, or comes and goes: the gateway never notices, afterwards the log is complete.

`MESSAGES` stand for an hour of five messages a second. What an outage costs is the same for each event however long it lasts: its place in the spool
(about 100 octets), and its share of the catching up, which is the rate of the page of figures. What bounds it is OUTBOXLIMIT; see tests/unit/engine.
`make soak` has the long one, of a million messages: EMG_OUTAGE_MESSAGES and EMG_OUTAGE_RATE (3000 a second) choose others.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from emg.db import schema
from emg.db.engine import Database
from emg.db.models import Refund
from tests.durability.test_charging import PRICE, stocked
from tests.gateways import ROOT, GatewayProcess, Program, SinkProcess, eventually, incoming, outgoing, user

MESSAGES = 18_000
LONG_MESSAGES = int(os.environ.get("EMG_OUTAGE_MESSAGES", "1000000"))
LONG_RATE = float(os.environ.get("EMG_OUTAGE_RATE", "3000"))
GATEWAY_GROWTH = 100.0
"""MiB by which the gateway may grow while events gather: SQLite's cache of 64 MB and the recent reports fill."""
FLAPS, UP_SECONDS, DOWN_SECONDS = 8, 2.0, 3.0
MOST_MEMORY = 100.0
"""MiB of the recorder, whatever waits."""


def standing(folder):
    try:
        return json.loads((folder / "spool" / "recorder.json").read_text())
    except FileNotFoundError:
        return {}


def resident(pid):
    """MiB."""
    with Path(f"/proc/{pid}/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def load(gateway, messages):
    command = [
        sys.executable, str(ROOT / "app.py"), "load", "--json", "--system-id", "acme", "--password", "secret", "--to",
        f"127.0.0.1:{gateway.port()}", "--messages", str(messages), "--sessions", "4", "--window", "50", "--reports", "--report-wait", "60",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(180)
def test_an_outage_is_nothing_that_a_customer_sees_and_the_log_is_complete_after_it(own_mariadb, tmp_path, capsys):
    url = own_mariadb.url()
    database = Database(url)
    schema.upgrade(database)
    config = (
        f"DATABASE={url}\n"
        + incoming("customers", ROUTE="operator", WINDOWSIZE=50, INSTANCES=10)
        + user("acme", SESSIONS=10)
    )
    with (
        SinkProcess(tmp_path / "sink") as sink,
        GatewayProcess(tmp_path, config + outgoing("operator", sink.address, WINDOWSIZE=50, INSTANCES=2)) as gateway,
    ):
        recorder = Program(["recorder", "-c", str(gateway.config_file)], tmp_path / "recorder")
        try:
            before = load(gateway, 100)
            eventually(lambda: standing(tmp_path).get("messages") == 100, 20.0, "the log is written")
            own_mariadb.stop()
            told = load(gateway, MESSAGES)
            waiting = gateway.control("GET", "/outbox")
            eventually(
                lambda: "127.0.0.1" in standing(tmp_path).get("error", ""), 20.0, "the recorder says what it waits for"
            )
            assert gateway.control("GET", "/health")["ok"]
            own_mariadb.start()
            began = time.monotonic()
            last = waiting["last"]
            eventually(lambda: standing(tmp_path)["position"] >= last, 60.0, "the log is complete")
            taken, memory = time.monotonic() - began, resident(recorder.pid)
            eventually(lambda: gateway.control("GET", "/outbox")["recorded"] >= last, 20.0, "the gateway is told")
            recorder.signal(signal.SIGTERM)
            assert recorder.wait() == 0
            assert not standing(tmp_path)["error"]
        finally:
            recorder.kill()
    for summary, messages in ((before, 100), (told, MESSAGES)):
        assert (summary["acked"], summary["refused"], summary["unknown"], summary["reports_missing"]) == (
            messages,
            {},
            0,
            0,
        )
    with database.session() as session:
        counted = session.execute(text("SELECT status, count(*) FROM routelog GROUP BY status")).all()
        assert [tuple(row) for row in counted] == [("delivered", MESSAGES + 100)]
    database.close()
    with capsys.disabled():
        print(
            f"\n{waiting['events']} events waited, the log was complete {taken:.1f} s after the database came back; "
            f"recorder {memory:.0f} MiB; the client's slowest answer {told['ack_ms']['max']:.0f} ms"
        )
    assert memory < MOST_MEMORY


@pytest.mark.timeout(120)
def test_a_database_that_hangs_is_waited_for(own_mariadb, tmp_path):
    url = own_mariadb.url()
    database = Database(url)
    schema.upgrade(database)
    config = f"DATABASE={url}\n" + incoming("customers", ROUTE="operator") + user("acme", SESSIONS=10)
    with (
        SinkProcess(tmp_path / "sink") as sink,
        GatewayProcess(tmp_path, config + outgoing("operator", sink.address)) as gateway,
    ):
        recorder = Program(["recorder", "-c", str(gateway.config_file)], tmp_path / "recorder")
        try:
            load(gateway, 100)
            eventually(lambda: standing(tmp_path).get("messages") == 100, 20.0, "the log is written")
            os.kill(own_mariadb.pid, signal.SIGSTOP)
            assert load(gateway, 500)["acked"] == 500
            os.kill(own_mariadb.pid, signal.SIGCONT)
            eventually(lambda: standing(tmp_path).get("messages") == 600, 20.0, "the log goes on")
        finally:
            recorder.kill()
    with database.session() as session:
        assert session.execute(text("SELECT count(*) FROM routelog")).scalar() == 600
    database.close()


def resident_now(pid):
    """MiB."""
    with Path(f"/proc/{pid}/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


def paced(gateway, folder, messages, rate):
    """A load client at a steady rate, as a program."""
    return Program(
        [
            "load", "--json", "--quiet", "--system-id", "acme", "--password", "secret", "--to", f"127.0.0.1:{gateway.port()}",
            "--messages", str(messages), "--rate", str(rate), "--sessions", "8", "--window", "50", "--recipients", "467:7", "--reports",
            "--report-wait", "60",
        ],
        folder,
    )  # fmt: skip


def figures(load):
    """What it measured, when it has ended."""
    return json.loads(load.printed().splitlines()[-1])


def sums(database, gateway):
    """(rows by status, prices in the log, charged, spent by the ledger, charged by the gateway)"""
    with database.session() as session:
        rows = [tuple(row) for row in session.execute(text("SELECT status, count(*) FROM routelog GROUP BY status"))]
        amounts = [int(session.execute(text(query)).scalar() or 0) for query in (
            "SELECT sum(price) FROM routelog", "SELECT sum(charged) FROM account", "SELECT -sum(amount) FROM ledger WHERE kind = 'traffic'",
        )]  # fmt: skip
    return rows, [*amounts, gateway.query("SELECT sum(charged) FROM balance")[0][0]]


def shown(milliseconds):
    return ", ".join(f"{name} {milliseconds[name]:.1f}" for name in ("p50", "p99", "max"))


@pytest.mark.soak
@pytest.mark.timeout(10800)
def test_a_million_messages_while_the_database_is_away(own_mariadb, tmp_path, capsys):
    database = Database(own_mariadb.url())
    schema.upgrade(database)
    stocked(database, Refund.NEVER, LONG_MESSAGES + int(20 * LONG_RATE))
    most = LONG_MESSAGES / LONG_RATE * 5 + 300
    with ExitStack() as stack:
        sink = stack.enter_context(SinkProcess(tmp_path / "sink"))
        config = (
            f"DATABASE={own_mariadb.url_of(database.url.database)}\n"
            + incoming("customers", WINDOWSIZE=50, INSTANCES=10)
            + outgoing("operator", sink.address, WINDOWSIZE=50, INSTANCES=4)
        )
        gateway = stack.enter_context(GatewayProcess(tmp_path, config))
        recorder = Program(["recorder", "-c", str(gateway.config_file)], tmp_path / "recorder")
        stack.callback(recorder.kill)
        first = paced(gateway, tmp_path / "before", int(LONG_RATE * 10), LONG_RATE)
        eventually(lambda: not first.alive, 120.0, "the load before")
        before = figures(first)
        eventually(lambda: standing(tmp_path).get("messages") == before["acked"], 60.0, "the log is written")
        kept = gateway.control("GET", "/outbox")["events"]
        own_mariadb.stop()
        second = paced(gateway, tmp_path / "during", LONG_MESSAGES, LONG_RATE)
        stack.callback(second.kill)
        memory = []
        began = time.monotonic()
        while second.alive and time.monotonic() - began < most:
            memory.append(resident_now(gateway.pid))
            time.sleep(1.0)
        during = figures(second)
        waiting = gateway.control("GET", "/outbox")
        events = waiting["events"] - kept
        own_mariadb.start()
        began = time.monotonic()
        eventually(lambda: standing(tmp_path)["position"] >= waiting["last"], most, "the log is complete")
        taken = time.monotonic() - began
        size = resident(recorder.pid)
        rows, amounts = sums(database, gateway)
        database.close()
    filled = memory[len(memory) // 10]
    with capsys.disabled():
        print(
            f"\n{during['acked']} messages at {during['rate']:.0f}/s, {events} events waited; complete {taken:.1f} s after the database was back"
            f" ({events / taken:.0f} events/s); recorder at most {size:.0f} MiB\nacknowledged in ms, before: {shown(before['ack_ms'])};"
            f" during: {shown(during['ack_ms'])}\ngateway {memory[0]:.0f} MiB at first, {filled:.0f} after a tenth, {memory[-1]:.0f} at the end, at most {max(memory):.0f}"
        )
    assert (during["acked"], during["refused"], during["unknown"], during["reports_missing"]) == (
        LONG_MESSAGES,
        {},
        0,
        0,
    )
    assert rows == [("delivered", before["acked"] + LONG_MESSAGES)]
    assert amounts == [(before["acked"] + LONG_MESSAGES) * PRICE] * 4
    assert size < MOST_MEMORY
    assert max(memory) - filled < GATEWAY_GROWTH


@pytest.mark.timeout(180)
def test_a_database_that_comes_and_goes(own_mariadb, tmp_path, capsys):
    """It is up for two seconds and down for three, again and again: nothing is lost, and the recorder's log does not fill with it."""
    database = Database(own_mariadb.url())
    schema.upgrade(database)
    seconds = FLAPS * (UP_SECONDS + DOWN_SECONDS)
    stocked(database, Refund.NEVER, 100_000)
    with ExitStack() as stack:
        sink = stack.enter_context(SinkProcess(tmp_path / "sink"))
        config = (
            f"DATABASE={own_mariadb.url_of(database.url.database)}\n"
            + incoming("customers", WINDOWSIZE=50, INSTANCES=10)
            + outgoing("operator", sink.address, WINDOWSIZE=50, INSTANCES=2)
        )
        gateway = stack.enter_context(GatewayProcess(tmp_path, config))
        recorder = Program(["recorder", "-c", str(gateway.config_file)], tmp_path / "recorder")
        stack.callback(recorder.kill)
        load = paced(gateway, tmp_path / "load", int(200 * seconds), 200)
        stack.callback(load.kill)
        for number in range(FLAPS):
            time.sleep(UP_SECONDS)
            own_mariadb.kill() if number % 2 else own_mariadb.stop()
            time.sleep(DOWN_SECONDS)
            own_mariadb.start()
        eventually(lambda: not load.alive, 90.0, "the load")
        told = figures(load)
        last = gateway.control("GET", "/outbox")["last"]
        eventually(lambda: standing(tmp_path)["position"] >= last, 60.0, "the log is complete")
        rows, amounts = sums(database, gateway)
        database.close()
    said = [line for line in (tmp_path / "log" / "recorder").read_text().splitlines() if line.strip()]
    with capsys.disabled():
        print(f"\n{FLAPS} times away; the recorder said {len(said)} lines; acknowledged in ms: {shown(told['ack_ms'])}")
    assert (told["acked"], told["refused"], told["unknown"], told["reports_missing"]) == (200 * seconds, {}, 0, 0)
    assert rows == [("delivered", 200 * seconds)]
    assert amounts == [200 * seconds * PRICE] * 4
    assert len(said) < 8, "\n".join(said)
