"""Prints what reading and writing an SMPP PDU costs, ours and smpplib's. CPU time, no pass or fail.

Run: python tests/bench/codec.py
"""

import time
from collections.abc import Callable
from typing import Any

from smpplib import smpp

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import CommandId, Tag
from emg.wire.smpp.pdus import Pdu

TEXT = b"Your code is 123456. It is valid for ten minutes, do not give it to anyone else."
RECEIPT = (
    b"id:1000000000000042 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 "
    b"text:Your code is 123456."
)
HANDSET = "46701234567"

CASES: list[Pdu] = [
    pdus.SubmitSm(
        1000,
        0,
        "",
        5,
        0,
        "ACME",
        1,
        1,
        HANDSET,
        validity_period="000001000000000R",
        registered_delivery=1,
        short_message=TEXT,
    ),
    pdus.SubmitSmResp(1000, 0, "1000000000000042"),
    pdus.DeliverSm(
        1000,
        0,
        "",
        1,
        1,
        HANDSET,
        5,
        0,
        "ACME",
        esm_class=4,
        short_message=RECEIPT,
        tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"1000000000000042\0"), (Tag.MESSAGE_STATE, b"\2")),
    ),
    pdus.DeliverSmResp(1000),
    pdus.EnquireLink(1000),
]


class Client:
    """What smpplib's PDUs ask for a sequence number."""

    sequence = 0

    def next_sequence(self) -> int:
        return 1


def microseconds(work: Callable[[], Any], times: int) -> float:
    """The best of five rounds, a call."""
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(times):
            work()
        rounds.append(time.process_time() - start)
    return min(rounds) / times * 1e6


def measure(pdu: Pdu) -> None:
    """Prints one line for one PDU."""
    client = Client()
    frame = encode(pdu)
    command = CommandId(pdu.command_id).name.lower()
    theirs = smpp.parse_pdu(frame, client=client)
    read = microseconds(lambda: decode(frame), 50_000)
    write = microseconds(lambda: encode(pdu), 50_000)
    their_read = microseconds(lambda: smpp.parse_pdu(frame, client=client), 2_000)
    values = {field: as_text(getattr(theirs, field)) for field in getattr(theirs, "params", {})}
    their_write = microseconds(lambda: smpp.make_pdu(command, client=client, **values).generate(), 2_000)
    ratio = (their_read + their_write) / (read + write)
    print(
        f"{command:<16} {len(frame):>4} octets  decode {read:5.2f}  encode {write:5.2f}  together {read + write:5.2f} µs   "
        f"smpplib {their_read:6.2f} + {their_write:6.2f} µs, {ratio:.0f} times ours"
    )


def as_text(value: Any) -> Any:
    """The value as smpplib wants it to write it again: it reads strings as bytes and writes them from text; only a short message is bytes in both."""
    return value.decode("latin-1") if isinstance(value, bytes) and value not in {TEXT, RECEIPT} else value


def measure_framer() -> None:
    """Prints what cutting a segment of forty PDUs costs."""
    segment = encode(CASES[0]) * 40
    framer = Framer()
    whole = microseconds(lambda: framer.feed(segment), 5_000) / 40
    print(f"framer           {len(segment):>4} octets  {whole:.2f} µs a PDU")


if __name__ == "__main__":
    for case in CASES:
        measure(case)
    measure_framer()
