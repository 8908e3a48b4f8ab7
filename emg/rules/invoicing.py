"""The arithmetic of invoices. Pure; micro-units throughout.

`lines` makes the lines of what was counted: messages of one account to one network at one price a part. A line's amount is exactly the sum of its messages'
prices, and so is the sum of all lines. `totals` adds VAT: of the net sum as a whole, rounded once, half away from zero, to the currency's smallest
coin; what then brings the total to whole coins stands by itself as `rounding`, so that nothing disappears. A credit note's figures are the
invoice's with the other sign, exactly.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from emg.rules.currencies import DECIMALS
from emg.rules.money import MICRO

_USUAL_DECIMALS: Final = 2
"""Of a currency that is gone meanwhile: its invoices stay."""


class Counted(NamedTuple):
    """Messages that are alike in all of this."""

    account: str
    network: str
    prefix: str
    price: int
    """Of one message, less what was given back."""
    refunded: int
    parts: int
    messages: int


class Line(NamedTuple):
    """A line of an invoice, without its position."""

    account: str
    network: str
    prefix: str
    """Where the network is not known."""
    unit_price: int
    """Of a part; 0 where the line's messages had none in common."""
    messages: int
    parts: int
    amount: int


class Totals(NamedTuple):
    """What stands below the lines."""

    net: int
    vat_amount: int
    rounding: int
    total: int


def decimals(currency: str) -> int:
    """Of the currency's smallest coin."""
    return DECIMALS.get(currency, _USUAL_DECIMALS)


def totals(net: int, vat: int, currency: str) -> Totals:
    """`vat` is in hundredths of a percent."""
    coin = MICRO // 10 ** decimals(currency)
    vat_amount = _rounded(net * vat, 10_000 * coin) * coin
    total = _rounded(net + vat_amount, coin) * coin
    return Totals(net, vat_amount, total - net - vat_amount, total)


def _rounded(amount: int, unit: int) -> int:
    """In whole units, half away from zero."""
    whole = (2 * abs(amount) + unit) // (2 * unit)
    return -whole if amount < 0 else whole


def lines(counted: Iterable[Counted]) -> list[Line]:
    """By account, network, prefix and price; messages that cost nothing (free, or given back as a whole) make no line."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for each in counted:
        if each.price == 0:
            continue
        unit, parts = _unit(each)
        found = sums.setdefault((each.account, each.network, "" if each.network else each.prefix, unit), [0, 0, 0])
        found[0] += each.messages
        found[1] += parts * each.messages
        found[2] += each.price * each.messages
    return [Line(*key, *figures) for key, figures in sorted(sums.items())]


def _unit(each: Counted) -> tuple[int, int]:
    """Price of a part, and how many parts were paid: of a long message some may have been given back."""
    full = each.price + each.refunded
    if each.parts > 0 and full % each.parts == 0:
        unit = full // each.parts
        if unit and each.price % unit == 0:
            return unit, each.price // unit
    return 0, each.parts
