"""The tag that a tool's message carries at the beginning of its text, for the ledgers to follow it: `m<run>-<number>`.

The run is drawn from the clock when a tool starts, so that tags stay unique over runs that share a ledger. Tags use characters
that look alike in GSM 7-bit, ASCII, Latin-1 and UCS-2. `read` never fails: text without a tag gives "-".
"""

import time
from typing import Final

NO_TAG: Final = "-"
_LIMIT: Final = 40
_UDHI: Final = 0x40
_UCS2: Final = 8


def new_run(letter: str = "m") -> str:
    """A prefix for the tags of this run: the letter and the microseconds since 1970 in hex."""
    return f"{letter}{time.time_ns() // 1000:x}-"


def read(text: bytes, esm_class: int, data_coding: int) -> str:
    """The tag at the beginning of a short message (after its user data header), or "-"."""
    if esm_class & _UDHI and text:
        text = text[text[0] + 1 :]
    if data_coding == _UCS2:
        text = text[: _LIMIT * 2].decode("utf-16-be", "replace").encode("latin-1", "replace")
    if text[:1] not in (b"m", b"o"):
        return NO_TAG
    end = text.find(b" ", 0, _LIMIT)
    tag = (text[:end] if end > 0 else text[:_LIMIT]).decode("latin-1")
    run, dash, number = tag.partition("-")
    return tag if dash and len(run) > 1 and run.isalnum() and number.isdigit() and tag.isascii() else NO_TAG
