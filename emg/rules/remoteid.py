"""The forms in which providers write message ids: in the answer to a submit, and in the delivery report (S29).

A setting is one word, or two as `answer:report`:

- `text` (the default): ids are compared as they are; only outer blanks and NULs are taken off. Nothing else is ever changed.
- `dec`, `hex`: numbers in that base. Leading zeros and the case of letters mean nothing; both sides are brought to decimal, so that
  `dec:hex` matches an answer `0000255` with a report `FF`. An id that is no such number (a UUID, letters) stays text.
- `auto`: not known, or not always the same. Numbers are compared without regard to leading zeros and case of hexadecimal digits, UUIDs without regard to case, and a
  report that matches nothing is tried in the `alternatives`. Numbers that are hexadecimal to one and decimal to the other can hit a
  stranger's message: whoever uses this compares the addresses too.

`text` does not go with `dec` or `hex`: one side would be changed and the other not. Ids longer than 64 characters are always text.
"""

from typing import Final

import msgspec

LONGEST_NUMBER: Final = 64
"""SMPP 3.4 §5.2.23: message_id has at most 64 characters. It also keeps `int` from working on what a peer made up."""

_BASES: Final = {"dec": 10, "hex": 16}
_DECIMAL: Final = frozenset("0123456789")
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")
_OUTER: Final = " \t\r\n\0"
_UUID: Final = _HEXADECIMAL | {"-"}


class IdFormat(msgspec.Struct, frozen=True, gc=False):
    """How one provider writes ids. Answer and report of one message have the same normal form."""

    answer: str = "text"
    report: str = "text"

    @classmethod
    def parse(cls, text: str) -> "IdFormat":
        """Reads a setting; the empty one is `text`. Raises ValueError."""
        answer, colon, report = text.strip().lower().partition(":")
        answer = answer or "text"
        report = report if colon else answer
        if (answer in _BASES and report in _BASES) or (answer == report and answer in ("text", "auto")):
            return cls(answer, report)
        raise ValueError("must be text, auto, dec, hex, dec:hex or hex:dec")

    def from_answer(self, text: str) -> str:
        """The normal form of the id in an answer to a submit; empty when it holds none."""
        return _normal(text, self.answer)

    def from_receipt(self, text: str) -> str:
        """The normal form of the id in a delivery report."""
        return _normal(text, self.report)

    def alternatives(self, receipt_id: str) -> tuple[str, ...]:
        """Other normal forms worth a look when `receipt_id` (a normal form) is unknown; none unless the setting is `auto`."""
        return alternatives(receipt_id) if self.report == "auto" else ()


def alternatives(receipt_id: str) -> tuple[str, ...]:
    """The number read as hexadecimal and written decimal, and the other way round, in the normal form of `auto`."""
    number = _strip(receipt_id).lower()
    if not _is_number(number, _HEXADECIMAL):
        return ()
    others = [str(int(number, 16))]
    if _is_number(number, _DECIMAL):
        others.append(format(int(number), "x"))
    return tuple(other for other in others if other != _normal(number, "auto"))


def _normal(text: str, form: str) -> str:
    text = text.strip(_OUTER)
    if form == "text":
        return text
    if form == "auto":
        if _is_number(text, _HEXADECIMAL):
            return text.lstrip("0").lower() or "0"
        return text.lower() if _is_number(text, _UUID) else text
    digits = _DECIMAL
    if form == "hex":
        digits = _HEXADECIMAL
        if text[:2] in ("0x", "0X"):
            return str(int(text[2:], 16)) if _is_number(text[2:], digits) else text
    return str(int(text, _BASES[form])) if _is_number(text, digits) else text


def _strip(text: str) -> str:
    return text.strip(_OUTER)


def _is_number(text: str, digits: frozenset[str]) -> bool:
    return 0 < len(text) <= LONGEST_NUMBER and digits.issuperset(text)
