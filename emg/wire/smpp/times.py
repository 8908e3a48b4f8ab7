"""SMPP's times (3.4 §7.1.1, 5.0 §4.7.23.4), absolute and relative, to and from seconds since 1970 (UTC).

The form is `YYMMDDhhmmsstnnp`: t is tenths of a second; nn and p say how many quarter hours local time is ahead of (+)
or behind (-) UTC, or, with p = R, that the time counts from now. A two-digit year is the one nearest to `now`: the standard's own window ends in 2037.
Faults raise ValueError; the caller knows whether they are RINVSCHED or RINVEXPIRY.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_SIZE = 16
_QUARTER = 900
_MOST_QUARTERS = 48


def parse_time(text: str, now: float) -> float | None:
    """The moment that a schedule_delivery_time or validity_period names, None for an empty one. Raises ValueError."""
    if not text:
        return None
    if len(text) != _SIZE or not (text.isascii() and text[:15].isdigit()):
        raise ValueError(f"not an SMPP time: {text!r}")
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    tenths, quarters, kind = int(text[12]), int(text[13:15]), text[15]
    if kind == "R":
        return _later(now, 12 * year + month) + day * 86400 + hour * 3600 + minute * 60 + second + tenths / 10
    if kind not in "+-" or quarters > _MOST_QUARTERS:
        raise ValueError(f"not an SMPP time: {text!r}")
    try:
        local = datetime(_century(year, now) + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"not an SMPP time: {text!r}") from None
    offset = quarters * _QUARTER if kind == "+" else -quarters * _QUARTER
    return local.timestamp() - offset + tenths / 10


def format_absolute(epoch: float, offset_quarters: int = 0) -> str:
    """The moment as an absolute time in the zone `offset_quarters` quarter hours ahead of UTC. Raises ValueError."""
    if abs(offset_quarters) > _MOST_QUARTERS:
        raise ValueError(f"{offset_quarters} quarter hours are no time zone")
    tenths = round(epoch * 10)
    local = _moment(tenths // 10 + offset_quarters * _QUARTER)
    sign = "-" if offset_quarters < 0 else "+"
    return f"{local:%y%m%d%H%M%S}{tenths % 10}{abs(offset_quarters):02d}{sign}"


def format_receipt_date(epoch: float) -> str:
    """The moment as a receipt's text has it (3.4 appendix B): YYMMDDhhmm, UTC."""
    return _minute(int(epoch // 60))


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    """Kept, since nearly all receipts of a second name the same few minutes."""
    return f"{_moment(minute * 60):%y%m%d%H%M}"


def _moment(epoch: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch)


def _century(year: int, now: float) -> int:
    """The century that brings the two-digit `year` nearest to `now`."""
    this = _moment(int(now)).year
    return (this - year + 50) // 100 * 100


def _later(now: float, months: int) -> float:
    """`now` and so many calendar months; the last day of a month that is too short."""
    if not months:
        return now
    start = _moment(int(now // 1))
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day).timestamp() + now % 1
