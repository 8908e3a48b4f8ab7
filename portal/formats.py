"""Numbers, money, times as text for people, each with its unit; filters of the templates. Pure but for the clock in `ago`."""

import datetime as dt
import time
from typing import Any, Final

from flask import Flask
from markupsafe import Markup

from emg.rules import money as amounts

NONE: Final = "–"
THIN: Final = "\u202f"
"""Between thousands."""
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def number(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return NONE if value is None else f"{int(value):,}".replace(",", THIN)


def rate(value: float | None) -> str:
    """A number a second, as exact as it is small."""
    if value is None:
        return NONE
    return number(round(value)) if value >= 100 else f"{value:.1f}"


def percent(value: float | None) -> str:
    """A share: 0.973 is 97.3 %."""
    return NONE if value is None else f"{value * 100:.1f}{THIN}%"


def money(micros: int | None, currency: str = "") -> str:
    """Micro-units as an amount, with its currency."""
    if micros is None:
        return NONE
    return f"{amounts.show(micros)}{THIN}{currency}" if currency else amounts.show(micros)


def octets(value: float | None) -> str:
    """A size."""
    if value is None:
        return NONE
    for unit in _SIZES:
        if abs(value) < 1024 or unit == _SIZES[-1]:
            return f"{value:.0f}{THIN}{unit}" if unit == "B" else f"{value:.1f}{THIN}{unit}"
        value /= 1024
    raise AssertionError("the last unit takes everything")


def span(seconds: float | None) -> str:
    """A length of time, in its two largest units: `3 h 12 min`."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f}{THIN}ms"
    if seconds < 10:
        return f"{seconds:.1f}{THIN}s"
    parts: list[str] = []
    left = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size}{THIN}{unit}")
        elif parts:
            break
        left %= size
    return " ".join(parts)


def _moment(value: float | dt.datetime) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime.fromtimestamp(value, dt.UTC)


def moment(value: float | dt.datetime | None) -> Any:
    """A time to the second, in UTC; browsers show their own zone when one points at it."""
    if value is None:
        return NONE
    when = _moment(value).astimezone(dt.UTC)
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), f"{when:%Y-%m-%d %H:%M:%S}")


def ago(value: float | dt.datetime | None) -> Any:
    """How long it is since then, with the time itself beside it."""
    if value is None:
        return NONE
    when = _moment(value).astimezone(dt.UTC)
    past = time.time() - when.timestamp()
    text = "now" if abs(past) < 1 else f"{span(past)} ago" if past > 0 else f"in {span(-past)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        when.isoformat(), f"{when:%Y-%m-%d %H:%M:%S} UTC", text
    )


FILTERS: Final = {
    "number": number, "rate": rate, "percent": percent, "money": money, "octets": octets, "span": span, "moment": moment, "ago": ago,
}  # fmt: skip


def install(app: Flask) -> None:
    """For the templates of this application."""
    for name, function in FILTERS.items():
        app.jinja_env.filters[name] = function
