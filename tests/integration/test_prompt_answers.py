"""A client that waits for each answer: whoever writes it, he gets it once, after the commit, and the logs tell it in order."""

import socket
import threading

import pytest

from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status
from tests.gateways import GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import bound, message

COUNT = 300


@pytest.fixture
def gateway(tmp_path):
    sink = SinkProcess(tmp_path / "sink", "--report-delay", "0")
    text = incoming(ROUTE="operator", LOGPDU=True) + outgoing("operator", sink.address)
    made = GatewayProcess(tmp_path / "gateway", text + user(WINDOWSIZE=1) + user("other", SESSIONS=9))
    yield made
    made.close()
    sink.close()


def one_by_one(customer, count=COUNT):
    """Submit, wait for the answer, and so on; the ids, each one's own."""
    answers = [customer.submit() for _ in range(count)]
    assert {answer.status for answer in answers} == {Status.ROK}, "none is over a window of one"
    ids = [answer.message_id for answer in answers]
    assert len(set(ids)) == count
    return ids


def prompt_answers(gateway):
    """How many the committing thread has written."""
    lines = gateway.control("GET", "/metrics").splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("emg_spool_prompt_answers_total "))))


@pytest.mark.parametrize("version", [0x33, 0x34, 0x50], ids=["3.3", "3.4", "5.0"])
def test_each_is_answered_once_and_the_pdu_log_has_them_in_order(gateway, version):
    with bound(gateway.port(), version=version) as customer:
        one_by_one(customer)
        customer.is_alive()
    eventually(lambda: gateway.logs("pdu.customers").count("submit_sm_resp") == COUNT, 5.0, "all are logged")
    words = ("submit_sm_resp", "submit_sm ")
    order = [
        next(word for word in words if word in line)
        for line in gateway.logs("pdu.customers").splitlines()
        if any(word in line for word in words)
    ]
    assert order == ["submit_sm ", "submit_sm_resp"] * COUNT
    if version == 0x33:
        assert not prompt_answers(gateway)
    else:
        assert prompt_answers(gateway) > COUNT // 2, "most of them are alone in their commit"


def test_what_was_answered_can_be_asked_for_and_taken_back_at_once(gateway):
    """The answer may be there before the event loop knows of the commit; the next request must not meet a message that is not known yet."""
    with bound(gateway.port(), "other", version=0x34) as customer:
        for number in range(COUNT):
            later = {"schedule_delivery_time": "000000010000000R"}
            kept = customer.submit(dest=f"4670{number:07}", **later).message_id
            found = customer.ask(pdus.QuerySm(message_id=kept, source_addr_ton=5, source_addr="EMG"))
            assert (found.status, found.message_id) == (Status.ROK, kept)
            cancel = pdus.CancelSm(
                message_id=kept, source_addr_ton=5, source_addr="EMG", dest_addr_ton=1, dest_addr_npi=1,
                destination_addr=f"4670{number:07}",
            )  # fmt: skip
            assert customer.ask(cancel).status == Status.ROK
    assert prompt_answers(gateway) > COUNT // 2


def test_whoever_says_goodbye_behind_his_message_gets_both_answers_in_order(gateway):
    for _ in range(COUNT // 10):
        with bound(gateway.port(), "other", version=0x34) as customer:
            submission = message()
            submission.sequence = 7
            customer.send(submission, pdus.Unbind(8))
            first, second = customer.read(), customer.read()
            assert isinstance(first, pdus.SubmitSmResp)
            assert (first.sequence, first.status) == (7, Status.ROK)
            assert isinstance(second, pdus.UnbindResp)
            assert customer.until_closed() == b""


def test_whoever_is_gone_before_his_answer_costs_nobody_anything(gateway):
    for _ in range(COUNT // 10):
        customer = bound(gateway.port(), "other", version=0x34)
        customer.send(message())
        customer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        customer.close()
        with bound(gateway.port(), version=0x34) as next_one:
            one_by_one(next_one, 3)
    log = gateway.logs()
    assert "Traceback" not in log
    assert "fault of ours" not in log


def test_several_clients_at_once_get_their_own(gateway):
    ids, threads = [], []
    for _ in range(4):
        customer = bound(gateway.port(), "other", version=0x34)
        thread = threading.Thread(target=lambda customer=customer: ids.extend(one_by_one(customer)))
        threads.append((thread, customer))
        thread.start()
    for thread, customer in threads:
        thread.join(60.0)
        customer.close()
    assert len(set(ids)) == 4 * COUNT
    log = gateway.logs()
    assert "Traceback" not in log
    assert "fault of ours" not in log
