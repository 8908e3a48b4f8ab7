"""MESSAGEMODE=JOIN and `kill -9`: every part that was acknowledged ends once and gets its report, wherever the gateway died."""

import random

import pytest

from emg.engine.events import Ended
from emg.message import Encoding
from emg.text.split import split
from emg.wire.smpp.pdus import DeliverSm, SubmitSmResp
from tests.gateways import Esme, GatewayProcess, SinkProcess, eventually, incoming, message, outgoing, user
from tests.smpp_peers import Closed

MESSAGES = 8


def parts_of(number):
    """The submit_sm of one long message in three parts."""
    text = b"%02d" % number + b"abcdefghij" * 40
    pieces = split(text, Encoding.GSM7, b"", reference=number, wide_reference=False, limit=3)
    return [message(f"4670{number:05}", udh + body, esm_class=0x40, registered_delivery=1) for udh, body in pieces]


def answers(client, most):
    """Answers to submissions, by sequence; reports that come between them are acknowledged and given as the second value."""
    told, reports = {}, []
    while len(told) < most:
        try:
            pdu = client.receive(seconds=5.0)
        except Closed:
            break
        if isinstance(pdu, SubmitSmResp):
            told[pdu.sequence] = pdu.message_id
        elif isinstance(pdu, DeliverSm):
            client.answer(pdu)
            reports.append(pdu.short_message.decode().split()[0])
    return told, reports


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(3))
def test_parts_and_their_reports_survive_crashes_at_any_point(tmp_path, seed):
    chance = random.Random(seed)
    with SinkProcess(tmp_path / "sink") as operator:
        config = "CMREXPIRE=2\n" + incoming(ROUTE="operator", MESSAGEMODE="JOIN")
        config += outgoing("operator", operator.address, MESSAGEMODE="PAYLOAD") + user(SESSIONS=20)
        with GatewayProcess(tmp_path, config) as gateway:
            waiting = [part for number in range(MESSAGES) for part in parts_of(number)]
            chance.shuffle(waiting)
            accepted: set[str] = set()
            reported: list[str] = []
            while waiting:
                client = Esme.bound(gateway.port())
                for sequence, part in enumerate(waiting, 100):
                    part.sequence = sequence
                client.send(*waiting)
                told, reports = answers(client, min(len(waiting), chance.randrange(1, 12)))
                gateway.kill()
                late, more = answers(client, len(waiting))
                client.close()
                told |= late
                accepted |= {number for number in told.values() if number}
                reported += reports + more
                waiting = [part for part in waiting if not told.get(part.sequence)]
                gateway.start()
            with Esme.bound(gateway.port()) as client:
                eventually(lambda: ended_of(gateway) >= accepted, 20.0, "the end of all that was acknowledged")
                while not accepted <= {report.removeprefix("id:") for report in reported}:
                    reported.append(client.report().short_message.decode().split()[0])
            ends = [event.id for event in gateway.events(Ended)]
            assert all(ends.count(int(number)) == 1 for number in accepted)
            held = gateway.control("GET", "/status")["held_parts"]
            assert held == 0


def ended_of(gateway):
    """Ids of everything that is final."""
    return {str(event.id) for event in gateway.events(Ended)}
