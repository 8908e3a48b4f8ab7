"""The database is away while messages come: the gateway never notices, afterwards the log is complete.

`MESSAGES` stand for an hour of five messages a second. What an outage costs is the same for each event however long it lasts: its place in the spool
(about 100 octets), and its share of the catching up, which is the rate of the page of figures. What bounds it is OUTBOXLIMIT; see tests/unit/engine.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from emg.db import schema
from emg.db.engine import Database
from tests.gateways import ROOT, GatewayProcess, Program, SinkProcess, eventually, incoming, outgoing, user

MESSAGES = 18_000
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
