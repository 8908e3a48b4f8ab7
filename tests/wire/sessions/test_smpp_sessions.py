"""Whole SMPP sessions as transcripts, each named after the protocol case it holds; `conftest` says how to read them."""

from collections.abc import Callable

import pytest

from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import encode

Player = Callable[..., None]

CUSTOMER = """
    > BindTransceiver 1 system_id=c1 password=secret
    = BindRequested BindTransceiver 1 system_id=c1 password=secret
    ! accept
    < BindTransceiverResp 1 system_id=emg tlv:0x210=34
    : bound trx
"""
OPERATOR = """
    ! bind BindTransceiver 0 system_id=emg password=secret
    < BindTransceiver 1 system_id=emg password=secret
    > BindTransceiverResp 1 system_id=smsc tlv:0x210=34
    = Bound BindTransceiverResp 1 system_id=smsc tlv:0x210=34
    : bound trx
"""


def test_s1_pdus_of_one_segment_are_answered_in_order(as_smsc: Player) -> None:
    tens = range(2, 12)
    as_smsc(
        CUSTOMER,
        *(f"> SubmitSm {n} short_message=t{n}" for n in tens),
        *(f"= Request SubmitSm {n} short_message=t{n}" for n in tens),
        *(f"! say SubmitSmResp {n} message_id={n}\n< SubmitSmResp {n} message_id={n}" for n in tens),
    )


@pytest.mark.parametrize(
    "octets", ["47 45 54 20 2F 20 48 54 54 50", "16 03 01 02 00 01 00", "00 00 00 0F", "00 10 00 01"]
)
def test_s2_an_impossible_length_is_nacked_and_the_connection_closed(octets: str, as_smsc: Player) -> None:
    as_smsc(f"> hex {octets}\n< GenericNack 0 status=RINVCMDLEN\n= Broken RINVCMDLEN\n: closing")
    as_smsc(CUSTOMER, f"> hex {octets}\n< GenericNack 0 status=RINVCMDLEN\n= Broken RINVCMDLEN\n: closing")


def test_s2_pdus_in_front_of_an_impossible_length_are_still_handled(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > SubmitSm 2
        > hex 00 00 00 01
        = Request SubmitSm 2
        < GenericNack 0 status=RINVCMDLEN
        = Broken RINVCMDLEN
        : closing
        """,
    )


def test_s3_an_unknown_command_is_nacked_and_the_session_lives(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > hex 00000010 00000999 00000000 00000007
        < GenericNack 7 status=RINVCMDID
        = Note
        > hex 00000010 80000999 00000000 00000008  # a response nobody knows is not answered
        = Note
        > EnquireLink 9
        < EnquireLinkResp 9
        : bound trx
        """,
    )


def test_s4_a_submit_before_the_bind_is_refused_and_the_bind_timer_runs_on(as_smsc: Player) -> None:
    as_smsc("""
        > SubmitSm 5
        < SubmitSmResp 5 status=RINVBNDSTS
        = Note
        : open
        @ 9.9
        > EnquireLink 6  # answered, but no reason to wait longer
        < EnquireLinkResp 6
        @ 10
        = Broken ROK
        : closing
    """)


def test_s5_a_submit_in_a_receiver_session_is_refused_and_the_session_lives(as_smsc: Player) -> None:
    as_smsc("""
        > BindReceiver 1 system_id=c1
        = BindRequested BindReceiver 1 system_id=c1
        ! accept
        < BindReceiverResp 1 system_id=emg tlv:0x210=34
        > SubmitSm 2
        < SubmitSmResp 2 status=RINVBNDSTS
        = Note
        : bound rx
        ! ask r1 DeliverSm 0
        < DeliverSm 1
        > DeliverSmResp 1
        = Answer r1 DeliverSmResp 1
    """)


def test_s5_a_deliver_in_a_transmitter_session_is_refused(as_esme: Player) -> None:
    as_esme("""
        ! bind BindTransmitter 0
        < BindTransmitter 1
        > BindTransmitterResp 1
        = Bound BindTransmitterResp 1
        > DeliverSm 4
        < DeliverSmResp 4 status=RINVBNDSTS
        = Note
        : bound tx
    """)


def test_s6_a_refused_bind_closes_the_connection(as_smsc: Player, as_esme: Player) -> None:
    as_smsc("""
        > BindTransmitter 1 system_id=c1 password=wrong
        = BindRequested BindTransmitter 1 system_id=c1 password=wrong
        ! refuse RINVPASWD
        < BindTransmitterResp 1 status=RINVPASWD
        : closing
    """)
    as_esme("""
        ! bind BindTransmitter 0
        < BindTransmitter 1
        > BindTransmitterResp 1 status=RINVPASWD
        = BindRefused RINVPASWD
        : closing
    """)


def test_s7_a_dead_customer_is_noticed_within_keepalive_and_its_answer(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        @ 59
        @ 60
        < EnquireLink 1
        @ 74
        @ 75
        = Broken ROK
        : closing
        """,
    )


def test_s7_a_bind_on_a_bound_session_is_refused_and_the_session_lives(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > BindTransceiver 2 system_id=c1
        < BindTransceiverResp 2 status=RALYBND
        = Note
        : bound trx
        """,
    )


def test_s8_sequence_numbers_of_the_whole_range_are_echoed(as_smsc: Player) -> None:
    numbers = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1)
    as_smsc(
        CUSTOMER,
        *(
            f"> SubmitSm {n}\n= Request SubmitSm {n}\n! say SubmitSmResp {n}\n< SubmitSmResp {n}\n"
            f"> EnquireLink {n}\n< EnquireLinkResp {n}"
            for n in numbers
        ),
    )


def test_s10_answers_in_any_order_are_matched_and_unknown_ones_noted(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        ! ask b SubmitSm 0
        < SubmitSm 3
        > SubmitSmResp 3 message_id=m3
        > SubmitSmResp 99 message_id=m99
        > SubmitSmResp 2 message_id=m2
        > SubmitSmResp 2 message_id=m2
        > DataSmResp 3
        = Answer b SubmitSmResp 3 message_id=m3
        = Note
        = Answer a SubmitSmResp 2 message_id=m2
        = Note
        = Note
        : bound trx
        """,
    )


def test_s11_an_error_with_and_without_a_body_and_a_nack_are_answers(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        > hex 00000010 80000004 00000058 00000002
        = Answer a SubmitSmResp 2 status=RTHROTTLED
        ! ask b SubmitSm 0
        < SubmitSm 3
        > hex 00000011 80000004 00000058 00000003 00
        = Answer b SubmitSmResp 3 status=RTHROTTLED
        ! ask c SubmitSm 0
        < SubmitSm 4
        > hex 00000013 80000004 0000000B 00000004 373700
        = Answer c SubmitSmResp 4 status=RINVDSTADR message_id=77
        ! ask d SubmitSm 0
        < SubmitSm 5
        > GenericNack 5 status=RINVCMDID
        = Answer d GenericNack 5 status=RINVCMDID
        ! ask e SubmitSm 0
        < SubmitSm 6
        > GenericNack 6  # no status: it is no success for all that
        = Answer e GenericNack 6 status=RUNKNOWNERR
        """,
    )


def test_s14_enquire_link_is_answered_while_the_window_is_full_and_answers_are_owed(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        ! ask r1 DeliverSm 0
        < DeliverSm 1
        > SubmitSm 2
        = Request SubmitSm 2
        > EnquireLink 3
        < EnquireLinkResp 3
        """,
        window=1,
    )


def test_s15_a_peer_that_asks_but_never_answers_is_broken(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        @ 30
        > EnquireLink 1
        < EnquireLinkResp 1
        @ 59
        > EnquireLink 2
        < EnquireLinkResp 2
        @ 60
        < EnquireLink 2
        @ 70
        > EnquireLink 3
        < EnquireLinkResp 3
        @ 75
        = Broken ROK
        : closing
        """,
    )


def test_s15_an_answered_enquire_link_starts_the_wait_anew(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        @ 60
        < EnquireLink 2
        @ 62
        > EnquireLinkResp 2
        @ 121.9
        @ 122
        < EnquireLink 3
        > GenericNack 3 status=RINVCMDID  # it lives, whatever it thinks of the question
        : bound trx
        """,
    )


def test_s15_an_unanswered_message_raises_the_question_at_once(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        @ 29
        > DeliverSm 1
        = Request DeliverSm 1
        @ 30
        = Unanswered a TIMEOUT
        < EnquireLink 3
        > EnquireLinkResp 3
        > SubmitSmResp 2 message_id=late
        = Note
        : bound trx
        """,
    )


def test_s16_our_unbind_waits_for_the_answers_in_the_window(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        ! unbind
        : unbinding
        > DeliverSm 9
        = Request DeliverSm 9
        ! say DeliverSmResp 9
        < DeliverSmResp 9
        > SubmitSmResp 2 message_id=m2
        = Answer a SubmitSmResp 2 message_id=m2
        < Unbind 3
        > UnbindResp 3
        = Unbound by us
        : closing
        ! lost
        """,
    )


def test_s16_our_unbind_waits_no_longer_than_its_timer(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        @ 1
        ! unbind
        @ 5.9
        @ 6
        < Unbind 3
        = Note
        = Unbound by us
        : closing
        ! lost
        = Unanswered a LOST
        """,
    )


def test_s16_our_unbind_comes_after_the_answers_that_we_owe(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > SubmitSm 2
        = Request SubmitSm 2
        ! unbind
        : unbinding
        > SubmitSm 3
        = Request SubmitSm 3
        ! say SubmitSmResp 3 status=RSYSERR
        < SubmitSmResp 3 status=RSYSERR
        ! say SubmitSmResp 2 message_id=77
        < SubmitSmResp 2 message_id=77
        < Unbind 1
        > SubmitSm 4
        = Request SubmitSm 4
        > UnbindResp 1
        = Unbound by us
        ! say SubmitSmResp 4 status=RSYSERR
        < SubmitSmResp 4 status=RSYSERR
        : closing
        """,
    )


def test_s16_our_unbind_waits_a_second_for_what_we_owe(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > SubmitSm 2
        = Request SubmitSm 2
        ! unbind
        @ 0.9
        > SubmitSm 3
        = Request SubmitSm 3
        @ 1
        < Unbind 1
        > UnbindResp 1
        = Unbound by us
        ! say SubmitSmResp 2 message_id=77
        < SubmitSmResp 2 message_id=77
        ! say SubmitSmResp 3 message_id=78
        < SubmitSmResp 3 message_id=78
        : closing
        """,
    )


def test_s16_the_peers_unbind_is_answered_when_nothing_is_owed_any_more(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > SubmitSm 2
        > Unbind 3
        = Request SubmitSm 2
        = Unbound by peer
        : unbinding
        > SubmitSm 4
        < SubmitSmResp 4 status=RINVBNDSTS
        = Note
        ! say SubmitSmResp 2 message_id=77
        < SubmitSmResp 2 message_id=77
        < UnbindResp 3
        : closing
        """,
    )


def test_s16_the_peers_unbind_is_answered_in_time_whatever_is_owed(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        > SubmitSm 2
        > Unbind 3
        = Request SubmitSm 2
        = Unbound by peer
        @ 5
        < UnbindResp 3
        = Note
        : closing
        """,
    )


def test_s16_unbinds_that_cross_end_the_session_once(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        ! unbind
        < Unbind 1
        > Unbind 2
        = Unbound by peer
        < UnbindResp 2
        : closing
        """,
    )


def test_s17_a_cut_connection_gives_back_every_request_in_order(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        ! ask b SubmitSm 0
        < SubmitSm 3
        > SubmitSmResp 3 message_id=m3
        = Answer b SubmitSmResp 3 message_id=m3
        ! ask c SubmitSm 0
        < SubmitSm 4
        ! lost
        = Unanswered a LOST
        = Unanswered c LOST
        : closing
        ! lost
        """,
    )


def test_s23_statuses_without_a_name_stay_numbers(as_esme: Player) -> None:
    as_esme(
        OPERATOR,
        """
        ! ask a SubmitSm 0
        < SubmitSm 2
        > SubmitSmResp 2 status=0x45B
        = Answer a SubmitSmResp 2 status=0x45B
        ! ask b SubmitSm 0
        < SubmitSm 3
        > SubmitSmResp 3 status=34
        = Answer b SubmitSmResp 3 status=34
        : bound trx
        """,
    )


def test_s24_a_parameter_beyond_the_pdu_is_refused_and_the_session_lives(as_smsc: Player) -> None:
    broken = encode(pdus.SubmitSm(sequence=2, tlvs=((0x1400, b"\1\2"),)))[:-1]
    broken = len(broken).to_bytes(4, "big") + broken[4:]
    as_smsc(
        CUSTOMER,
        f"> hex {broken.hex()}\n< SubmitSmResp 2 status=RINVTLVSTREAM\n= Note",
        "> SubmitSm 3 tlv:0x1454=01 tlv:0x96EC=\n= Request SubmitSm 3 tlv:0x1454=01 tlv:0x96EC=\n: bound trx",
    )


@pytest.mark.parametrize("kind", ["QuerySm", "CancelSm", "ReplaceSm", "SubmitMulti", "DataSm", "SubmitSm"])
def test_s26_every_request_of_a_customer_comes_up_or_is_refused_in_its_own_answer(kind: str, as_smsc: Player) -> None:
    body = encode(getattr(pdus, kind)(sequence=2)).hex()
    answer = f"{kind}Resp 2 status=RINVCMDID"
    as_smsc(CUSTOMER, f"> hex {body}\n= Request {kind} 2\n! say {answer}\n< {answer}\n: bound trx")
    as_smsc(f"> {kind} 2\n< {kind}Resp 2 status=RINVBNDSTS\n= Note\n: open")


def test_s26_requests_of_the_wrong_side_are_no_commands(as_smsc: Player, as_esme: Player) -> None:
    as_smsc(CUSTOMER, "> DeliverSm 2\n< DeliverSmResp 2 status=RINVCMDID\n= Note\n: bound trx")
    as_smsc(CUSTOMER, "> Outbind 2\n< GenericNack 2 status=RINVCMDID\n= Note\n: bound trx")
    as_esme(OPERATOR, "> BindReceiver 2\n< BindReceiverResp 2 status=RINVCMDID\n= Note\n: bound trx")


def test_s26_outbind_asks_an_esme_to_bind(as_smsc: Player, as_esme: Player) -> None:
    as_esme("""
        > Outbind 1 system_id=smsc password=x
        = OutbindReceived Outbind 1 system_id=smsc password=x
        : outbound
        ! bind BindReceiver 0
        < BindReceiver 1
        > BindReceiverResp 1
        = Bound BindReceiverResp 1
        : bound rx
        > Outbind 2
        < GenericNack 2 status=RINVBNDSTS
        = Note
        > AlertNotification 3 source_addr=46701
        = Request AlertNotification 3 source_addr=46701
        ! unbind
        < Unbind 2
    """)
    as_smsc("""
        ! outbind Outbind 0 system_id=emg
        < Outbind 1 system_id=emg
        : outbound
        > BindReceiver 1
        = BindRequested BindReceiver 1
        ! accept
        < BindReceiverResp 1 system_id=emg tlv:0x210=34
        ! alert AlertNotification 0 source_addr=46701
        < AlertNotification 2 source_addr=46701
    """)


@pytest.mark.parametrize(
    ("version", "announced", "parameters"),
    [
        ("0x00", "", ""),
        ("0x33", "", ""),
        ("0x34", "tlv:0x210=34", "tlv:0x427=02"),
        ("0x50", "tlv:0x210=50", "tlv:0x427=02"),
    ],
)
def test_s27_parameters_go_only_to_those_who_know_them(
    version: str, announced: str, parameters: str, as_smsc: Player
) -> None:
    as_smsc(f"""
        > BindTransceiver 1 interface_version={version}
        = BindRequested BindTransceiver 1 interface_version={version}
        ! accept
        < BindTransceiverResp 1 system_id=emg {announced}
        ! ask r1 DeliverSm 0 tlv:0x427=02
        < DeliverSm 1 {parameters}
        > SubmitSm 2
        = Request SubmitSm 2
        ! say SubmitSmResp 2 message_id=7 tlv:0x427=02
        < SubmitSmResp 2 message_id=7 {parameters}
    """)


@pytest.mark.parametrize(
    ("announced", "sent"), [("", "tlv:0x1400=01"), ("tlv:0x210=33", ""), ("tlv:0x210=50", "tlv:0x1400=01")]
)
def test_s27_an_smsc_that_knows_no_parameters_gets_none(announced: str, sent: str, as_esme: Player) -> None:
    as_esme(f"""
        ! bind BindTransceiver 0
        < BindTransceiver 1
        > BindTransceiverResp 1 {announced}
        = Bound BindTransceiverResp 1 {announced}
        ! ask a SubmitSm 0 tlv:0x1400=01
        < SubmitSm 2 {sent}
    """)


def test_an_idle_session_is_unbound(as_smsc: Player) -> None:
    as_smsc(
        CUSTOMER,
        """
        @ 15
        > EnquireLink 2  # no message
        < EnquireLinkResp 2
        @ 20
        = Note
        < Unbind 1
        > UnbindResp 1
        = Unbound by us
        : closing
        """,
        timers=smpp.Timers(idle=20),
    )


def test_a_bind_without_an_answer_ends_the_connection(as_esme: Player) -> None:
    as_esme("@ 5\n! bind BindTransceiver 0\n< BindTransceiver 1\n@ 14.9\n@ 15\n= Broken ROK\n: closing")
