"""What reading and writing an SMPP PDU costs, ours and smpplib's. CPU time, no pass or fail.

Run: python -m tests.bench.codec
"""

from typing import Any

from smpplib import smpp

from emg.wire.smpp import pdus
from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.names import CommandId, Tag
from emg.wire.smpp.pdus import Pdu
from tests.bench.stand import Row, cells, microseconds, print_rows

TITLE = "Reading and writing a PDU"
HOW = """\
Microseconds of CPU, the best of five rounds, for a PDU as it is on the road: 80 characters of text, a classic report with its parameters. The target is
**4 µs** for a submit_sm, decoded and encoded. The last two columns are smpplib's, and its ratio to ours."""
HEAD = ("PDU", "octets", "decode µs", "encode µs", "together µs", "smpplib µs", "smpplib / ours")
TEXT = b"Your code is 123456. It is valid for ten minutes, do not give it to anyone else."
RECEIPT = (
    b"id:1000000000000042 sub:001 dlvrd:001 submit date:2601020304 done date:2601020305 stat:DELIVRD err:000 "
    b"text:Your code is 123456."
)
HANDSET = "46701234567"
OURS, THEIRS = 30_000, 2_000
"""Calls a round."""

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


def measure(pdu: Pdu, scale: float) -> Row:
    """One row for one PDU."""
    client = Client()
    frame = encode(pdu)
    command = CommandId(pdu.command_id).name.lower()
    theirs = smpp.parse_pdu(frame, client=client)
    ours, other = max(10, int(OURS * scale)), max(10, int(THEIRS * scale))
    read = microseconds(lambda: decode(frame), ours)
    write = microseconds(lambda: encode(pdu), ours)
    their_read = microseconds(lambda: smpp.parse_pdu(frame, client=client), other)
    values = {field: as_text(getattr(theirs, field)) for field in getattr(theirs, "params", {})}
    their_write = microseconds(lambda: smpp.make_pdu(command, client=client, **values).generate(), other)
    together, theirs_together = read + write, their_read + their_write
    return cells(command, len(frame), read, write, together, theirs_together, f"{theirs_together / together:.0f}")


def as_text(value: Any) -> Any:
    """The value as smpplib wants it to write it again: it reads strings as bytes and writes them from text; only a short message is bytes in both."""
    return value.decode("latin-1") if isinstance(value, bytes) and value not in {TEXT, RECEIPT} else value


def measure_framer(scale: float) -> Row:
    """What cutting a segment of forty PDUs costs, for each."""
    segment = encode(CASES[0]) * 40
    framer = Framer()
    each = microseconds(lambda: framer.feed(segment), max(10, int(OURS / 10 * scale))) / 40
    return cells("(cutting 40 submit_sm apart, each)", len(segment) // 40, each, "", "", "", "")


def rows(scale: float = 1.0) -> list[Row]:
    """One row a PDU, and the framer's."""
    return [*(measure(case, scale) for case in CASES), measure_framer(scale)]


def short(rows: list[Row]) -> list[Row]:
    """What has a target."""
    return [("a submit_sm decoded and encoded", f"**{rows[0][4]} µs**", "at most 4 µs")]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW


def main() -> None:
    """Print it."""
    print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
