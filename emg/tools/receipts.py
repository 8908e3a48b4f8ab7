"""The delivery receipts of a simulated operator, in the dialects that real ones speak.

Two tables: `IDS` (how a message id looks in the answer and in the report) and `VARIANTS` (what the receipt text and its parameters look like). A dialect
is one of the first and any number of the second, written `dec:hex,seconds,nul`. `Dialect` puts them together once, so that a receipt costs one
string formatting. Text form: SMPP 3.4 appendix B; parameters: §5.3.2.12, §5.3.2.31, §5.3.2.35. Written apart from what the gateway itself uses, so that the two check each other.
Raises ValueError for a name that is in neither table.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

RECEIPTED_MESSAGE_ID: Final = 0x001E
MESSAGE_STATE: Final = 0x0427
NETWORK_ERROR_CODE: Final = 0x0423

STATES: Final = {
    "ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4, "UNDELIV": 5, "ACCEPTD": 6, "UNKNOWN": 7, "REJECTD": 8,
    "DELIVERED": 2, "ACKED": 6, "BUFFRED": 1, "BUFFERD": 1,
}  # fmt: skip
"""States that a receipt text can name, and their message_state (SMPP 3.4 §5.2.28); the second row are spellings met in the field."""

_SPELT_OUT: Final = {"DELIVRD": "DELIVERED", "UNDELIV": "UNDELIVERABLE", "ACCEPTD": "ACCEPTED", "REJECTD": "REJECTED"}

_RUN: Final = uuid.uuid4().int >> 64 << 64


def _as_uuid(number: int) -> str:
    return str(uuid.UUID(int=_RUN | number))


def _as_letters(number: int) -> str:
    return f"MSG-{number:x}-Zq"


IDS: Final[dict[str, tuple[Callable[[int], str], Callable[[int], str]]]] = {
    "dec": (str, str),
    "dec:dec": (str, str),
    "dec:hex": (str, "{:x}".format),
    "dec:HEX": (str, "{:X}".format),
    "hex": ("{:x}".format, "{:x}".format),
    "hex:dec": ("{:x}".format, str),
    "hex:HEX": ("{:x}".format, "{:X}".format),
    "hex8:dec": ("{:08x}".format, str),
    "HEX": ("{:X}".format, "{:X}".format),
    "dec:padded": (str, "{:020d}".format),
    "padded": ("{:020d}".format, "{:020d}".format),
    "uuid": (_as_uuid, _as_uuid),
    "letters": (_as_letters, _as_letters),
}
"""name → (how submit_sm_resp writes the id, how the report writes it)."""


@dataclass(slots=True)
class _Shape:
    """A receipt's form while the variants work on it."""

    text: str = (
        "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submitted} done date:{done} stat:{state} err:{error} text:{text}"
    )
    date: str = "%y%m%d%H%M"
    encoding: str = "latin-1"
    data_coding: int = 0
    esm_class: int = 0x04
    tail: bytes = b""
    empty: bool = False
    parameters: bool = True
    network_error: bool = False
    spelt_out: bool = False
    errors: dict[bool, str] = field(default_factory=lambda: {True: "000", False: "001"})


def _without(*pieces: str) -> Callable[[_Shape], None]:
    def edit(shape: _Shape) -> None:
        for piece in pieces:
            shape.text = shape.text.replace(piece, "")

    return edit


def _set(name: str, value: object) -> Callable[[_Shape], None]:
    def edit(shape: _Shape) -> None:
        setattr(shape, name, value)

    return edit


def _mix_case(shape: _Shape) -> None:
    for word, mixed in (
        ("id:", "Id:"),
        ("sub:", "SUB:"),
        ("stat:", "Stat:"),
        ("err:", "ERR:"),
        ("done date:", "Done Date:"),
    ):
        shape.text = shape.text.replace(word, mixed)


def _classic(_shape: _Shape) -> None:
    pass


def _ucs2(shape: _Shape) -> None:
    shape.encoding, shape.data_coding = "utf-16-be", 8


VARIANTS: Final[dict[str, tuple[str, Callable[[_Shape], None]]]] = {
    "classic": ("the text of the standard's appendix B with both parameters", _classic),
    "no-counts": ("no sub and dlvrd", _without("sub:001 ", "dlvrd:{dlvrd} ")),
    "no-submit": ("no submit date", _without("submit date:{submitted} ")),
    "no-text": ("nothing after err", _without(" text:{text}")),
    "seconds": ("dates with seconds (12 digits)", _set("date", "%y%m%d%H%M%S")),
    "err4": ("err of four digits", _set("errors", {True: "0000", False: "0011"})),
    "err-letters": ("err with letters", _set("errors", {True: "OK", False: "ABS"})),
    "spelt-out": ("stat:DELIVERED, UNDELIVERABLE …", _set("spelt_out", True)),
    "mixed-case": ("keys in mixed case", _mix_case),
    "nul": ("trailing NUL octets", _set("tail", b"\0\0")),
    "ucs2": ("text in UCS-2 (data coding 8)", _ucs2),
    "tlv-only": ("no text, parameters only", _set("empty", True)),
    "text-only": ("text only, no parameters", _set("parameters", False)),
    "network-error": ("network_error_code besides the other parameters", _set("network_error", True)),
    "esm00": ("esm_class 0x00 instead of 0x04", _set("esm_class", 0x00)),
    "esm44": ("esm_class 0x44, with the UDHI bit", _set("esm_class", 0x44)),
    "esm20": ("esm_class 0x20, intermediate notification", _set("esm_class", 0x20)),
}
"""name → (what it does, how)."""


class Dialect:
    """One operator's way with ids and receipts, from its written form."""

    def __init__(self, written: str = "dec:dec") -> None:
        shape = _Shape()
        self.answer_id, self.report_id = IDS["dec"]
        for name in filter(None, (each.strip() for each in written.split(","))):
            if name in IDS:
                self.answer_id, self.report_id = IDS[name]
            elif name in VARIANTS:
                VARIANTS[name][1](shape)
            else:
                raise ValueError(f"{name!r} is none of {', '.join([*IDS, *VARIANTS])}")
        self.esm_class = shape.esm_class
        self.data_coding = shape.data_coding
        self._shape = shape
        self._format = shape.text.format
        self._dates: dict[int, str] = {}

    def receipt(self, report_id: str, state: str, submitted: float, done: float, text: str) -> bytes:
        """short_message of a report. Times are seconds since 1970, shown as UTC; `text` is the beginning of the message."""
        shape = self._shape
        if shape.empty:
            return b""
        good = state == "DELIVRD"
        return (
            self._format(
                id=report_id,
                dlvrd="001" if good else "000",
                submitted=self._date(submitted),
                done=self._date(done),
                state=_SPELT_OUT.get(state, state) if shape.spelt_out else state,
                error=shape.errors[good],
                text=text,
            ).encode(shape.encoding, "replace")
            + shape.tail
        )

    def parameters(self, report_id: str, state: str) -> tuple[tuple[int, bytes], ...]:
        """The optional parameters of a report."""
        shape = self._shape
        if not shape.parameters:
            return ()
        found: tuple[tuple[int, bytes], ...] = (
            (RECEIPTED_MESSAGE_ID, report_id.encode("latin-1") + b"\0"),
            (MESSAGE_STATE, bytes((STATES[state],))),
        )
        if shape.network_error:
            # type 3 is GSM; the code is the absent subscriber of 3GPP TS 29.002
            found += ((NETWORK_ERROR_CODE, b"\x03\x00\x00" if state == "DELIVRD" else b"\x03\x00\x1b"),)
        return found

    def _date(self, moment: float) -> str:
        second = int(moment)
        date = self._dates.get(second)
        if date is None:
            # the receipts of a second share their dates; a few minutes' worth is kept
            if len(self._dates) > 600:
                self._dates.clear()
            date = self._dates[second] = time.strftime(self._shape.date, time.gmtime(second))
        return date
