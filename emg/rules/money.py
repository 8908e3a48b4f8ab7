"""Amounts of money: whole micro-units (1/1,000,000 of the currency) inside, decimal text towards people. Pure.

`parse` takes what a person or a CSV row says (`10`, `-0.00325`), exactly or not at all; `show` writes it back with at least two decimals. Nothing is ever a
float.
"""

import re
from typing import Final

MICRO: Final = 1_000_000
LARGEST: Final = 10**17
"""A hundred thousand million of any currency; sums of very many of them still fit 64 bits."""

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,18})(?:\.([0-9]{1,6}))?")


def parse(text: str) -> int:
    """Micro-units. Raises ValueError with a sentence for anything but digits, a sign and up to six decimals after a point."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no amount such as 10.00: digits, a point, up to six decimals")
    sign, whole, decimals = found.groups()
    micro = int(whole) * MICRO + int((decimals or "").ljust(6, "0"))
    if micro > LARGEST:
        raise ValueError(f"{text!r} is more than this program counts with")
    return -micro if sign == "-" else micro


def show(micro: int, decimals: int = 2) -> str:
    """With at least so many decimals, and as many more as it takes to be exact."""
    whole, part = divmod(abs(micro), MICRO)
    digits = f"{part:06d}".rstrip("0").ljust(decimals, "0")
    return f"{'-' if micro < 0 else ''}{whole}{'.' if digits else ''}{digits}"
