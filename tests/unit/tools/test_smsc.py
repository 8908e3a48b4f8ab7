"""The simulated operator, joined to a client's session machine without sockets: bytes pass when the test says so."""

import pytest

from emg.tools import ledger as ledgers
from emg.tools import smsc
from emg.tools.behaviour import Behaviour
from emg.tools.connect import LedgerMachine
from emg.tools.ledger import Ledger
from emg.tools.receipts import Dialect
from emg.tools.smsc import Operator, OperatorSession
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.lists import SmeAddress
from emg.wire.smpp.names import Status, Tag
from emg.wire.smpp.states import RESPONSE_OF

LATER = 1000.0


class Connection:
    """A client bound to the operator; it acknowledges what it gets unless told otherwise."""

    def __init__(self, operator, mode=pdus.BindTransceiver, window=10, version=0x34, **login):
        self.operator = operator
        self.now = 0.0
        self.open = True
        self.reason = ""
        self.acknowledge = int(Status.ROK)
        self.events = []
        self.client = smpp.Machine(smpp.Role.ESME, 0.0, window=100)
        self.session = OperatorSession(operator, "", login.pop("password", ""), 0x34)
        self.machine = LedgerMachine(operator.ledger, smpp.Role.SMSC, 0.0, window=window)
        self.session.attach(self, self.machine)
        self.client.bind(mode(system_id="me", password="geheim", interface_version=version), 0.0)
        self.run()

    # The driver's side

    def flush_soon(self):
        pass

    def close(self, reason):
        self.open = False
        self.reason = reason

    def run(self, now=None):
        """Pass octets to and fro and let the wheels turn, until nothing moves."""
        self.now = self.now if now is None else now
        moved = True
        while moved and self.open:
            moved = False
            octets = self.client.take_output()
            if octets:
                moved = True
                for event in self.machine.receive(octets, self.now):
                    self.session.handle(event, self.now)
            self.operator.turn(self.now)
            octets = self.machine.take_output() if self.open else b""
            if octets:
                moved = True
                for event in self.client.receive(octets, self.now):
                    self._take(event)

    def _take(self, event):
        self.events.append(event)
        if type(event) is smpp.Request and self.acknowledge >= 0:
            self.client.respond(RESPONSE_OF[type(event.pdu)](event.pdu.sequence, self.acknowledge))

    def cut(self):
        self.open = False
        self.session.closed(self.machine.connection_lost(self.now), "cut", self.now)

    # The client's side

    def submit(self, count=1, registered_delivery=1, **fields):
        for number in range(1, count + 1):
            pdu = pdus.SubmitSm(
                source_addr="EMG",
                destination_addr="467",
                registered_delivery=registered_delivery,
                short_message=b"m1f-%d hello" % number,
            )
            for name, value in fields.items():
                setattr(pdu, name, value)
            self.client.request(pdu, number, self.now)
        self.run()

    @property
    def answers(self):
        return [event.pdu for event in self.events if type(event) is smpp.Answer]

    @property
    def reports(self):
        return [event.pdu for event in self.events if type(event) is smpp.Request]


@pytest.fixture
def operate(tmp_path):
    def make(**behaviour):
        operator = Operator(
            Behaviour(**behaviour),
            Ledger(str(tmp_path / "ledger")),
            first_id=100,
            seed=1,
            clock=lambda: 1_795_435_200.0,
        )
        operator.file = str(tmp_path / "ledger")
        return operator

    return make


def events(operator):
    operator.ledger.flush()
    return list(ledgers.read(operator.file))


def test_a_message_is_taken_answered_reported_and_written_down(operate):
    operator = operate()
    connection = Connection(operator)
    connection.submit()
    assert connection.answers[0].message_id == "100"
    (report,) = connection.reports
    assert (report.source_addr, report.destination_addr, report.esm_class) == ("467", "EMG", 4)
    assert report.short_message.startswith(b"id:100 sub:001 dlvrd:001 submit date:2611231200")
    assert report.short_message.endswith(b"text:m1f-1 hello")
    assert events(operator) == [
        ("received", "m1f-1", "100", "EMG", "467"),
        ("report-sent", "100", "DELIVRD"),
        ("report-acked", "100"),
    ]
    assert operator.kept == 0


def test_the_answer_comes_before_its_report(operate):
    connection = Connection(operate())
    connection.submit(3)
    kinds = [type(event) for event in connection.events if type(event) is not smpp.Bound]
    assert kinds == [smpp.Answer] * 3 + [smpp.Request] * 3


def test_the_ledger_has_the_message_before_the_answer_leaves(operate):
    operator = operate()
    connection = Connection(operator)
    connection.client.request(pdus.SubmitSm(short_message=b"m1f-1 x"), 1, 0.0)
    for event in connection.machine.receive(connection.client.take_output(), 0.0):
        connection.session.handle(event, 0.0)
    assert list(ledgers.read(operator.file)) == []
    assert connection.machine.take_output()
    assert next(ledgers.read(operator.file))[0] == "received"


@pytest.mark.parametrize(("registered_delivery", "count"), [(0, 0), (1, 1), (2, 0), (3, 1)])
def test_s37_reports_as_registered_delivery_asks(operate, registered_delivery, count):
    connection = Connection(operate())
    connection.submit(registered_delivery=registered_delivery)
    assert len(connection.reports) == count


def test_s37_a_failed_message_is_reported_to_who_wants_failures(operate):
    connection = Connection(operate(report_states={"UNDELIV": 1}))
    connection.submit(registered_delivery=2)
    assert b"stat:UNDELIV" in connection.reports[0].short_message


def test_answers_and_reports_wait_for_their_delays(operate):
    connection = Connection(operate(delay=(1.0, 1.0), report_delay=(5.0, 5.0)))
    connection.submit()
    assert connection.answers == []
    connection.run(1.02)
    assert len(connection.answers) == 1
    connection.run(5.9)
    assert connection.reports == []
    connection.run(6.02)
    assert len(connection.reports) == 1


def test_s31_a_report_can_come_before_its_answer(operate):
    connection = Connection(operate(report_before_answer=1.0))
    connection.submit()
    assert (len(connection.reports), len(connection.answers)) == (1, 0)
    connection.run(0.1)
    assert len(connection.answers) == 1


def test_refused_messages_get_the_status_and_no_report(operate):
    operator = operate(error_rate=1.0, error_status=int(Status.RINVDSTADR))
    connection = Connection(operator)
    connection.submit()
    assert connection.answers[0].status == Status.RINVDSTADR
    assert connection.reports == []
    assert events(operator) == [("refused", "m1f-1", "RINVDSTADR")]


def test_above_the_throttle_messages_are_refused_with_rthrottled(operate):
    connection = Connection(operate(throttle=2))
    connection.submit(4)
    assert [pdu.status for pdu in connection.answers] == [0, 0, Status.RTHROTTLED, Status.RTHROTTLED]


def test_stalled_messages_are_taken_and_reported_but_never_answered(operate):
    operator = operate(stall=1.0)
    connection = Connection(operator)
    connection.submit()
    assert connection.answers == []
    assert len(connection.reports) == 1
    assert events(operator)[0][:2] == ("received", "m1f-1")


def test_dropped_messages_are_taken_and_the_connection_is_cut(operate):
    operator = operate(drop=1.0)
    connection = Connection(operator)
    connection.submit()
    assert not connection.open
    assert connection.answers == []
    connection.cut()
    again = Connection(operator)
    again.run()
    assert len(again.reports) == 1


def test_s19_a_report_that_is_not_acknowledged_comes_again_after_the_cut(operate):
    operator = operate()
    connection = Connection(operator)
    connection.acknowledge = -1
    connection.submit(3)
    assert len(connection.reports) == 3
    connection.cut()
    assert operator.kept == 3
    again = Connection(operator)
    assert [pdu.short_message[:6] for pdu in again.reports] == [b"id:100", b"id:101", b"id:102"]
    assert operator.kept == 0


def test_a_report_refused_by_the_customer_comes_again_after_a_pause(operate):
    operator = operate(retry=5.0)
    connection = Connection(operator)
    connection.acknowledge = int(Status.RX_T_APPN)
    connection.submit()
    assert len(connection.reports) == 1
    connection.acknowledge = int(Status.ROK)
    connection.run(4.0)
    assert len(connection.reports) == 1
    connection.run(5.1)
    assert len(connection.reports) == 2
    assert operator.kept == 0


def test_a_report_that_stays_unanswered_comes_again(operate):
    operator = operate()
    connection = Connection(operator)
    connection.acknowledge = -1
    connection.submit()
    for event in connection.machine.tick(LATER):
        connection.session.handle(event, LATER)
    connection.acknowledge = int(Status.ROK)
    connection.run(LATER + 2)
    assert len(connection.reports) == 2
    assert operator.kept == 0


def test_at_most_a_window_of_reports_is_unanswered(operate):
    operator = operate()
    connection = Connection(operator, window=2)
    connection.acknowledge = -1
    connection.submit(5)
    assert len(connection.reports) == 2
    for pdu in connection.reports:
        connection.client.respond(pdus.DeliverSmResp(pdu.sequence))
    connection.acknowledge = int(Status.ROK)
    connection.run()
    assert len(connection.reports) == 5


def test_s31_reports_go_to_any_session_of_the_customer_that_receives(operate):
    operator = operate()
    receiver = Connection(operator, mode=pdus.BindReceiver)
    sender = Connection(operator, mode=pdus.BindTransmitter)
    sender.submit(2)
    receiver.run()
    assert (len(sender.reports), len(receiver.reports)) == (0, 2)


def test_reports_wait_for_a_session_that_receives(operate):
    operator = operate()
    sender = Connection(operator, mode=pdus.BindTransmitter)
    sender.submit(2)
    assert operator.kept == 2
    assert len(Connection(operator, mode=pdus.BindReceiver).reports) == 2


def test_at_the_backlog_s_bound_messages_are_refused_with_rmsgqful(operate):
    sender = Connection(operate(backlog=2), mode=pdus.BindTransmitter)
    sender.submit(3)
    assert [pdu.status for pdu in sender.answers] == [0, 0, Status.RMSGQFUL]


def test_reports_can_travel_in_data_sm(operate):
    connection = Connection(operate(report_by_data_sm=True, dialect=Dialect("dec:hex")))
    connection.submit()
    (report,) = connection.reports
    assert type(report) is pdus.DataSm
    assert dict(report.tlvs)[Tag.MESSAGE_PAYLOAD].startswith(b"id:64 ")
    assert dict(report.tlvs)[Tag.RECEIPTED_MESSAGE_ID] == b"64\0"


def test_the_receipt_shows_the_beginning_of_a_text_and_nothing_of_data(operate):
    connection = Connection(operate())
    connection.submit(short_message="m1f-1 grüße".encode("utf-16-be"), data_coding=8)
    connection.submit(short_message=b"\0\1", data_coding=4)
    connection.submit(short_message=b"\x05\0\3\1\2\1m1f-1 x", esm_class=0x40)
    texts = [report.short_message.partition(b"text:")[2] for report in connection.reports]
    assert texts == ["m1f-1 grüße".encode("latin-1"), b"", b""]


def test_reports_are_shared_among_the_sessions(operate):
    operator = operate(report_delay=(1.0, 1.0))
    connections = [Connection(operator) for _ in range(2)]
    connections[0].client.window = connections[1].machine.window = connections[0].machine.window = 100
    connections[0].submit(80)
    operator.turn(2.0)
    for connection in connections:
        connection.run()
    assert [len(connection.reports) for connection in connections] == [40, 40]


def test_s27_a_peer_of_version_3_3_gets_no_parameters(operate):
    connection = Connection(operate(), version=0x33)
    connection.submit()
    assert connection.reports[0].tlvs == ()


def test_s6_a_wrong_password_is_refused(operate):
    operator = operate()
    connection = Connection(operator, password="another")
    assert [event.status for event in connection.events if type(event) is smpp.BindRefused] == [Status.RINVPASWD]
    assert operator.counts["binds refused"] == 1


def test_the_number_of_customers_is_bounded(operate, monkeypatch):
    monkeypatch.setattr(smsc, "MOST_CUSTOMERS", 1)
    connection = Connection(operate())
    assert [event.status for event in connection.events if type(event) is smpp.BindRefused] == [Status.RBINDFAIL]


def test_submit_multi_is_one_id_and_a_report_for_each_destination(operate):
    connection = Connection(operate())
    pdu = pdus.SubmitMulti(
        dest_address=(SmeAddress(1, 1, "467"), SmeAddress(1, 1, "468")), registered_delivery=1, short_message=b"m1f-1 x"
    )
    connection.client.request(pdu, 1, 0.0)
    connection.run()
    assert connection.answers[0].message_id == "100"
    assert sorted(report.source_addr for report in connection.reports) == ["467", "468"]


def test_data_sm_and_message_payload_are_taken_too(operate):
    operator = operate()
    connection = Connection(operator)
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"m1f-7 x"),)
    connection.client.request(pdus.DataSm(registered_delivery=1, destination_addr="467", tlvs=payload), 1, 0.0)
    connection.submit(short_message=b"", tlvs=payload)
    assert [event[1] for event in events(operator) if event[0] == "received"] == ["m1f-7", "m1f-7"]
    assert len(connection.reports) == 2


@pytest.mark.parametrize(
    "kind",
    [pdus.QuerySm, pdus.CancelSm, pdus.ReplaceSm, pdus.BroadcastSm, pdus.QueryBroadcastSm, pdus.CancelBroadcastSm],
)
def test_s26_other_operations_have_a_defined_answer(operate, kind):
    connection = Connection(operate())
    connection.client.request(kind(), 1, 0.0)
    connection.run()
    assert connection.answers[0].status != 0
    connection.submit()
    assert connection.answers[1].status == 0


def test_an_address_that_can_not_be_carried_back_stops_nothing(operate):
    operator = operate()
    connection = Connection(operator)
    connection.client.request(pdus.DataSm(registered_delivery=1, source_addr="4" * 60, destination_addr="467"), 1, 0.0)
    connection.submit()
    assert len(connection.reports) == 1
    assert operator.counts["unsendable"] == 1
    assert operator.kept == 0


def test_mobile_originated_messages_are_kept_until_acknowledged_and_only_taken_while_somebody_is_bound(operate):
    operator = operate()
    message = pdus.DeliverSm(source_addr="46709", destination_addr="12345", short_message=b"o1f-1 hello")
    assert not operator.post(message, 0.0)
    connection = Connection(operator)
    connection.acknowledge = -1
    assert operator.post(message, 0.0)
    connection.run()
    connection.cut()
    again = Connection(operator)
    assert again.reports[0].short_message == b"o1f-1 hello"
    assert operator.kept == 0
    assert operator.summary()["mo acked"] == 1


def test_ids_go_on_upwards_over_a_restart():
    first, second = (Operator(Behaviour(), Ledger())._next_id for _ in range(2))
    assert second > first > 10**15
