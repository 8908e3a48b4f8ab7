"""Arguments as a database can hold them: octets that are no UTF-8, or a number of thirty digits, are a fault of the command line, not of a query."""

import argparse
from collections.abc import Callable
from typing import Final

LARGEST: Final = 2**63 - 1
"""Of ids in the database."""
MOST_ROWS: Final = 1_000_000
"""Of one list."""


def word(given: str) -> str:
    """The argument itself; for `type=` of an argument that goes into a query."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("is not UTF-8 text") from None
    return given


def whole(least: int = 1, most: int = LARGEST) -> Callable[[str], int]:
    """For `type=` of an argument that is a whole number from `least` to `most`."""
    says = f"a number from {least} to {most}" if most < LARGEST else "a number"

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST)) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {says}")
        return int(text)

    return parse
