"""What operators switch, on a running gateway: holds and stops outlive SIGKILL and reloads, a move takes the messages where they are delivered."""

import os
import signal

import pytest

from emg.engine.events import Ended, Moved, Sent
from emg.message import State
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, incoming, outgoing, user


@pytest.fixture
def operator():
    smsc = Smsc()
    yield smsc
    smsc.close()


def settings(operator: Smsc, **more: object) -> str:
    return (
        incoming(ROUTE="dead") + outgoing("dead", "127.0.0.1:1", **more) + outgoing("alive", operator.address) + user()
    )


@pytest.fixture
def gateway(tmp_path, operator):
    with GatewayProcess(tmp_path, settings(operator)) as running:
        yield running


def test_holds_and_stops_outlive_sigkill_and_reload(gateway, operator):
    gateway.control("POST", "/connectors/alive/hold", {})
    assert gateway.control("POST", "/connectors/dead/stop", {})["stopped"]
    gateway.kill()
    gateway.start()
    assert gateway.control("GET", "/connectors/alive")["held"]
    assert gateway.control("GET", "/connectors/dead")["state"] == "stopped"
    gateway.configure(settings(operator, SYSTEMTYPE="VMS"))
    gateway.reload()
    assert gateway.control("GET", "/connectors/dead")["state"] == "stopped", "made anew, and still stopped"
    gateway.control("POST", "/connectors/dead/start", {})
    gateway.control("POST", "/connectors/alive/release", {})
    gateway.restart()
    assert not gateway.control("GET", "/connectors/alive")["held"]
    assert gateway.control("GET", "/connectors/dead")["state"] != "stopped"


def test_moved_messages_are_delivered_and_cleared_ones_reported(gateway, operator):
    session = operator.session()
    with Esme.bound(gateway.port()) as client:
        number = client.accepted(registered_delivery=1)
        assert gateway.control("GET", "/queues/dead")["size"] == 1
        assert gateway.control("POST", "/queues/dead/move", {"to": "alive"})["messages"] == 1
        session.take("remote-1")
        gateway.wait_for_event(Sent, number)
        other = client.accepted(registered_delivery=1)
        assert gateway.control("POST", "/queues/dead/clear", {})["messages"] == 1
        ended = gateway.wait_for_event(Ended, other)
        assert ended.state is State.DELETED
    assert gateway.wait_for_event(Moved, number).to == "alive"
    story = gateway.control("GET", f"/messages/{number}")
    assert (story["state"], [event["event"] for event in story["story"]]) == ("sent", ["accepted", "moved", "sent"])


def test_sighup_opens_the_logs_anew(gateway):
    log = gateway.folder / "log" / "general"
    log.rename(log.with_name("general.moved"))
    os.kill(gateway.pid, signal.SIGHUP)
    assert eventually(lambda: log.exists() and "the configuration was read again" in log.read_text())


def test_messages_are_handed_over_delivered_and_reported_to_the_log_alone(gateway, operator):
    session = operator.session()
    given = {"key": "a", "account": "acme", "source": "EMG", "dest": "+46701234567", "text": "handed over"}
    gateway.configure(incoming(ROUTE="alive") + outgoing("alive", operator.address) + user(ROUTE="alive"))
    gateway.reload()
    (answer,) = gateway.control("POST", "/messages", {"messages": [given]})["messages"]
    taken = session.take("remote-7")
    assert (taken.source_addr, taken.destination_addr, taken.short_message) == ("EMG", "46701234567", b"handed over")
    assert taken.registered_delivery == 1
    gateway.wait_for_event(Sent, answer["id"])
    session.receipt("remote-7")
    ended = gateway.wait_for_event(Ended, answer["id"])
    assert (ended.state, ended.report) == (State.DELIVERED, 0)
    (again,) = gateway.control("POST", "/messages", {"messages": [given]})["messages"]
    assert (again["id"], again["repeated"]) == (answer["id"], True)
    assert "handed over" not in gateway.logs(), "texts are not for the general log"
    with Esme.bound(gateway.port()) as client:
        client.expect_nothing()
