"""One account's bulk and another's single message at a slow operator, through a real gateway: what goes before the single one is a number."""

import json
import subprocess
import sys

import pytest

from emg.engine.turns import QUANTUM
from tests.gateways import ROOT, Esme, GatewayProcess, Smsc, SmscSession, incoming, outgoing, user

BULK = 50_000
WINDOW = 10
ON_SESSION = 2 * WINDOW
"""In flight, and ready to be when an answer comes."""
BULK_DEST, SINGLE, TEN, AFTER = "46701", "46702", "46703", "46704"


def queue_bulk(gateway, count):
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "app.py"), "load", "--json", "--to", f"127.0.0.1:{gateway.port()}", "--system-id", "bulk",
            "--password", "secret", "--messages", str(count), "--sessions", "2", "--window", "50", "--recipients", BULK_DEST + ":6",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1])["acked"] == count, done.stderr


def until(session: SmscSession, dest, count=1):
    """Take messages until `count` have come to this destination; gives how many others came before."""
    before = found = 0
    while found < count:
        if session.take().destination_addr.startswith(dest):
            found += 1
        else:
            before += 1
        assert before < 2000, "it does not come"
    return before


@pytest.mark.timeout(180)
def test_a_bulk_of_fifty_thousand_keeps_nobody_waiting(tmp_path):
    """Beside it a single message of another account, and ten of a third; and again after the gateway was killed."""
    operator = Smsc()
    text = (
        incoming(ROUTE="operator", WINDOWSIZE=100)
        + outgoing("operator", operator.address, HOLD=True, WINDOWSIZE=WINDOW)
        + user("bulk")
        + user("single")
        + user("ten")
    )
    with GatewayProcess(tmp_path, text) as gateway:
        session = operator.session()
        queue_bulk(gateway, BULK)
        gateway.control("POST", "/connectors/operator/release")
        for _ in range(150):
            session.take()
        with Esme.bound(gateway.port(), "single") as single:
            single.accepted(SINGLE + "000000")
            assert until(session, SINGLE) <= QUANTUM + ON_SESSION
        with Esme.bound(gateway.port(), "ten") as ten:
            for number in range(10):
                ten.accepted(f"{TEN}00000{number}")
            assert until(session, TEN, 10) <= 2 * QUANTUM + ON_SESSION
        queue = gateway.control("GET", "/queues/operator")
        assert queue["size"] > BULK - 1000
        assert queue["in_memory"] < 5000
        gateway.kill()
        gateway.start()
        session = operator.session()
        with Esme.bound(gateway.port(), "single") as single:
            single.accepted(AFTER + "000000")
            assert until(session, AFTER) <= QUANTUM + ON_SESSION
    operator.close()
