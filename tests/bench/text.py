"""What the text functions cost a message, in microseconds of CPU. Prints, never judges.

Run: python -m tests.bench.text
"""

from collections.abc import Callable

from emg.message import Encoding
from emg.text import coding, gsm7, udh
from emg.text.join import join
from emg.text.references import References
from emg.text.split import count_parts, split
from emg.text.summary import describe
from tests.bench.stand import Row, cells, microseconds, print_rows

TITLE = "Text"
HOW = """\
Microseconds of CPU a call, the best of five rounds."""
HEAD = ("what", "µs")
CALLS = 10_000
PLAIN = (
    "An ordinary text of the kind that people send each other all day long, with a price of 25 and a time, 14:30. " * 5
)[:500]
ESCAPES = PLAIN[:100] + "€ {a} @ [b]" + PLAIN[:49]
CYRILLIC = ("Привет, как дела? " * 10)[:70]
NARROW = bytes.fromhex("050003cc0201")
WIDE = bytes.fromhex("060804cc010201")
PORTS = bytes.fromhex("0b05040b8423f00003cc0201")
BODY = gsm7.encode(PLAIN)
BODY_UCS2 = CYRILLIC.encode("utf-16-be")
PACKED = gsm7.pack(BODY[:160])
PARTS = split(BODY, Encoding.GSM7, reference=1)
REFERENCES = References()

CASES: dict[str, Callable[[], object]] = {
    "encoding_of": lambda: coding.encoding_of(0, Encoding.GSM7),
    "dcs_for": lambda: coding.dcs_for(Encoding.GSM7, Encoding.GSM7, 0),
    "concatenation, no header": lambda: udh.concatenation(b""),
    "concatenation, 8 bits": lambda: udh.concatenation(NARROW),
    "concatenation, 16 bits": lambda: udh.concatenation(WIDE),
    "concatenation behind ports": lambda: udh.concatenation(PORTS),
    "from_text, 160 characters": lambda: coding.from_text(PLAIN[:160]),
    "from_text, 160 with 5 escapes": lambda: coding.from_text(ESCAPES),
    "from_text, 70 Cyrillic": lambda: coding.from_text(CYRILLIC),
    "to_text, 160 characters": lambda: coding.to_text(BODY[:160], Encoding.GSM7),
    "transcode, 70 UCS2 to UCS2": lambda: coding.transcode(BODY_UCS2, Encoding.UCS2, Encoding.UCS2),
    "transcode, 160 GSM7 to UCS2": lambda: coding.transcode(BODY[:160], Encoding.GSM7, Encoding.UCS2),
    "pack, 160": lambda: gsm7.pack(BODY[:160]),
    "unpack, 160": lambda: gsm7.unpack(PACKED, 160),
    "split, 160 (one part)": lambda: split(BODY[:160], Encoding.GSM7, reference=1),
    "split, 500 (four parts)": lambda: split(BODY, Encoding.GSM7, reference=1),
    "count_parts, 160": lambda: count_parts(BODY[:160], Encoding.GSM7),
    "count_parts, 500": lambda: count_parts(BODY, Encoding.GSM7),
    "join, four parts": lambda: join(PARTS),
    "describe": lambda: describe(BODY, Encoding.GSM7),
    "reference": lambda: REFERENCES.next("46701234567"),
}


def rows(scale: float = 1.0) -> list[Row]:
    """One row a case."""
    calls = max(10, int(CALLS * scale))
    return [cells(name, microseconds(function, calls)) for name, function in CASES.items()]


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW


def main() -> None:
    """Print it."""
    print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
