"""What the watchdog waits minutes for, on the real stack: `pytest -m soak tests/integration/test_watchdog_patience.py`, about eight minutes."""

import datetime as dt
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from emg.wire.smpp.pdus import Bind, SubmitSm
from tests.certificates import DAY, Authority
from tests.gateways import Esme, SinkProcess, eventually, incoming, outgoing, user
from tests.smpp_peers import Smsc, SmscSession
from tests.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(400)]

STANDS_STILL = """
import signal, sys

def stand_still(*_):
    from emg.engine.lane import Lane
    Lane._carrier_for = lambda *_: None

if "gateway" in sys.orig_argv:
    signal.signal(signal.SIGUSR1, stand_still)
"""
"""What an interpreter does at its start: a signal makes the gateway hand no message to any session; else it works."""


def says(stack: Stack, text: str, seconds: float) -> float:
    """Seconds until the watchdog's log has this."""
    began = time.monotonic()
    stack.wait_for_log(text, seconds=seconds)
    return time.monotonic() - began


def test_a_gateway_that_hands_on_no_message_is_told_and_then_restarted_after_a_dump(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(STANDS_STILL)
    with SinkProcess(tmp_path / "sink") as sink:
        config = incoming(ROUTE="operator") + outgoing("operator", sink.address) + user()
        with Stack(tmp_path, config, environment={"PYTHONPATH": str(tmp_path)}) as stack:
            stack.wait_for_log("the watchdog is up, under supervisord")
            before = stack.pid("gateway")
            os.kill(before, signal.SIGUSR1)
            with closing(Esme.bound(stack.files.port())) as customer:
                customer.accepted()
            print(f"told after {says(stack, 'alert raised: warning connector operator is up with 1 messages due', 90):.0f} s")  # fmt: skip
            assert stack.pid("gateway") == before
            print(f"restarted after {says(stack, 'restart gateway: connector operator is up', 150):.0f} s more")
            stack.wait_for_log("gateway was told to end (SIGTERM), what it did is in ")
            stack.well_again("gateway", before, 30)
            (dump,) = (path for path in stack.dumps("gateway") if f".{before}." in path.name)
            assert "greenlets wait" in dump.read_text()
            eventually(lambda: "received" in sink.ledger.read_text(), 20, "the message, once")
            says(stack, "alert cleared: critical connector operator is up", 60)
            assert sink.ledger.read_text().count("received") == 1


def test_an_operator_who_answers_no_message_is_told_and_nothing_is_restarted(tmp_path: Path) -> None:
    with closing(Smsc()) as operator:
        threading.Thread(target=_accept, args=(operator,), daemon=True).start()
        config = incoming(ROUTE="mute") + outgoing("mute", operator.address, OPTIMEOUT=10) + user()
        with Stack(tmp_path, config) as stack:
            stack.wait_for_log("the watchdog is up, under supervisord")
            before = stack.pids()
            with closing(Esme.bound(stack.files.port())) as customer:
                for _ in range(20):
                    customer.accepted()
            text = "alert raised: warning the far side of connector mute has taken nothing for 2 minutes"
            print(f"told after {says(stack, text, 150):.0f} s")
            with closing(Esme.bound(stack.files.port())) as customer:
                assert customer.accepted(), "customers are served"
            assert "(connector:mute:unanswered)" in stack.log("watchdog")
            assert stack.pids() == before


def _accept(operator: Smsc) -> None:
    """Each session in a thread, until the operator is closed."""
    while True:
        try:
            session = operator.connection(600)
        except (OSError, AssertionError, ValueError):
            return
        threading.Thread(target=_mute, args=(session,), daemon=True).start()


def _mute(session: SmscSession) -> None:
    """Answers everything but messages."""
    try:
        while True:
            pdu = session.receive(600)
            if isinstance(pdu, Bind):
                session.answer(pdu, system_id="operator")
            elif not isinstance(pdu, SubmitSm):
                session.answer(pdu)
    except (OSError, AssertionError, ValueError, KeyError):
        return


def test_a_certificate_counts_as_renewed_when_the_gateway_shows_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    pair = authority.issue("localhost", "localhost", end=DAY)
    config = "ALERT_CLEAR=3\n" + incoming(SSL=True, SSL_CERTFILE=pair.cert, SSL_KEYFILE=pair.key) + user()
    with Stack(tmp_path, config) as stack:
        stack.wait_for_log(
            f"alert raised: critical the certificate {pair.cert} of connector customers ends in 1.0 days"
        )
        time.sleep(6)  # the gateway has said what it shows
        authority.issue("localhost", "localhost", end=dt.timedelta(days=300))
        eventually(
            lambda: "was renewed" in stack.emg("watchdog", "alerts", "--json").stdout, 100, "a renewed certificate"
        )
        assert "alert cleared" not in stack.log("watchdog")
        assert "certificates_renewed" in stack.emg("ctl", "reload", "--json").stdout
        says(stack, "alert cleared: critical the certificate", 30)
