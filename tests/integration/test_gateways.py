"""The fixtures themselves: a gateway comes up, survives what tests do to it on the same ports, and leaves nothing behind."""

import pytest

from emg.engine.events import Accepted, Ended, Sent
from emg.message import State
from tests.gateways import Esme, GatewayProcess, SinkProcess, Smsc, incoming, outgoing, user
from tests.smpp_peers import Closed


@pytest.fixture
def operator():
    smsc = Smsc()
    yield smsc
    smsc.close()


@pytest.fixture
def gateway(tmp_path, operator):
    with GatewayProcess(
        tmp_path, incoming(ROUTE="operator") + outgoing("operator", operator.address) + user()
    ) as running:
        yield running


def test_a_message_passes_and_its_story_can_be_read(gateway, operator):
    with Esme.bound(gateway.port()) as client:
        session = operator.session()
        number = client.accepted(registered_delivery=1)
        session.take("remote-1")
        assert session.receipt("remote-1").status == 0
        assert f"id:{number} " in client.report().short_message.decode()
    gateway.wait_for_event(Sent, number)
    told = sorted(gateway.events(message_id=number), key=lambda event: event.at)
    assert [type(event) for event in told] == [Accepted, Sent, Ended]
    assert gateway.wait_for_event(Ended, number).state is State.DELIVERED


def test_killed_and_started_again_it_is_on_the_same_port_with_what_it_had(gateway, operator):
    port = gateway.port()
    with Esme.bound(port) as client:
        number = client.accepted()
    gateway.kill()
    operator.connection()  # the killed gateway's
    gateway.start()
    assert gateway.port() == port
    session = operator.session()
    session.take("remote-2")
    assert gateway.wait_for_event(Sent, number).remote_id == "remote-2"


def test_a_peer_that_waits_in_vain_says_what_passed(gateway):
    client = Esme.bound(gateway.port())
    with pytest.raises(AssertionError, match=r"nothing came[\s\S]*> bind_transceiver"):
        client.receive(0.01)
    gateway.kill()
    with pytest.raises(Closed):
        client.receive()
    client.close()


def test_a_sink_counts_what_a_gateway_sends(tmp_path):
    with (
        SinkProcess(tmp_path / "sink") as sink,
        GatewayProcess(tmp_path, incoming(ROUTE="operator") + outgoing("operator", sink.address) + user()) as gateway,
        Esme.bound(gateway.port()) as client,
    ):
        number = client.accepted(registered_delivery=1)
        assert f"id:{number} " in client.report().short_message.decode()
        gateway.stop()
        assert sink.stop()["taken"] == 1
