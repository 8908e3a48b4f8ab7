"""What an answer of the far side means for the message: try again and when, give up, or slow the connector down.

A scheme is a table of rows `status action interval`, in words as people write them:

    # status       action      interval
    0x0B           permanent
    8              temporary   10s,30s,2m,10m
    0x400-0x4FF    temporary   1m
    0x58           throttle
    *              temporary   10s,30s,2m,10m

`status` is a native code of the protocol (decimal, 0x hex, or a name that the caller knows), a range, or `*` for all
others. A single code comes before a range, a range before `*`; ranges may not overlap. `interval` is a list of pauses,
the last one stays in force; `s`, `m`, `h`, `d`, a bare number is seconds. `throttle` pauses the connector and keeps the
message at the head of its queue, so that order is kept (S21); its interval may be left out: then `pacing.ThrottlePause`
sets the pace. Throttled answers are no tries.

Columns are apart by blanks or commas, so that a CSV file will do; a header and `#` comments are skipped.

A code without a row is judged by its cause, and an unknown cause is temporary: better tried twice than lost.
A text with faults raises `RetryFaults` with all of them.
"""

from bisect import bisect_right
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from emg.errors import Cause
from emg.rules.faults import Fault, TableFaults

DEFAULT_INTERVALS: Final = (10.0, 30.0, 120.0, 600.0)
"""Seconds to wait after the first, second, third and every later try."""
LAST_CHANCE: Final = 1.0
"""A retry due after the validity's end is moved to so many seconds before it: the sender gets all the time that he gave
us."""
MOST_INTERVALS: Final = 32
LONGEST_INTERVAL: Final = 7 * 86400.0
LARGEST_STATUS: Final = 0xFFFFFFFF

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


HEADER: Final = ["status", "action", "interval"]


class Action(StrEnum):
    """What a status calls for; the value is the word in the table."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    THROTTLE = "throttle"


class Verdict(StrEnum):
    """What to do with the message now."""

    RETRY = "retry"
    FAIL = "fail"
    PAUSE = "pause"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: statuses `first` to `last`. Empty `intervals` of a throttle leave the pace to the connector."""

    first: int
    last: int
    action: Action
    intervals: tuple[float, ...] = ()


class Decision(msgspec.Struct, frozen=True, gc=False):
    """RETRY not before the time `at`; FAIL for `cause`; PAUSE the connector for `seconds` (0: as its own pacing says)
    and try again.
    """

    verdict: Verdict
    cause: Cause
    at: float = 0.0
    seconds: float = 0.0


class RetryFaults(TableFaults):
    """The retry scheme has faulty rows; see `faults`."""


BY_CAUSE: Final[Mapping[Cause, Action]] = {
    Cause.SYNTAX: Action.PERMANENT,
    Cause.UNSUPPORTED: Action.PERMANENT,
    Cause.NOT_ALLOWED: Action.PERMANENT,
    Cause.BAD_SOURCE: Action.PERMANENT,
    Cause.BAD_DESTINATION: Action.PERMANENT,
    Cause.BAD_MESSAGE_ID: Action.PERMANENT,
    Cause.BAD_SCHEDULE: Action.PERMANENT,
    Cause.BAD_VALIDITY: Action.PERMANENT,
    Cause.BAD_TEXT: Action.PERMANENT,
    Cause.TOO_LONG: Action.PERMANENT,
    Cause.BLOCKED: Action.PERMANENT,
    Cause.EXPIRED: Action.PERMANENT,
    Cause.TOO_MANY_TRIES: Action.PERMANENT,
    Cause.CANCELLED: Action.PERMANENT,
    Cause.REPLACED: Action.PERMANENT,
    Cause.DELETED: Action.PERMANENT,
    Cause.QUEUE_FULL: Action.THROTTLE,
    Cause.THROTTLED: Action.THROTTLE,
}
"""Where no row speaks; a cause that is not here is temporary."""


class RetryScheme:
    """A table of rows, perhaps over a base table, ready to decide. `others` is the row for `*`."""

    def __init__(
        self,
        rows: Mapping[int, Row],
        ranges: list[Row],
        others: Row | None = None,
        base: "RetryScheme | None" = None,
        pauses: tuple[float, ...] = DEFAULT_INTERVALS,
    ) -> None:
        """`pauses` are the intervals of temporary rows that have none of their own (RETRYTIME)."""
        self.pauses = pauses
        self._rows = rows
        self._ranges = sorted(ranges, key=_first)
        self._firsts = [row.first for row in self._ranges]
        self._base = base
        self.others: Row | None = others if others is not None or base is None else base.others

    @classmethod
    def parse(
        cls,
        text: str,
        names: Mapping[str, int] | None = None,
        base: "RetryScheme | None" = None,
        pauses: tuple[float, ...] = DEFAULT_INTERVALS,
    ) -> "RetryScheme":
        """Reads the table. `names` are words for statuses (`RTHROTTLED`). Raises RetryFaults with all faults.

        A status that it does not name is as `base` names it, and its `*` is for those that neither names.
        """
        reader = _Reader(names or {})
        for line, content in enumerate(text.split("\n"), 1):
            words = content.partition("#")[0].replace(",", " ").replace('"', " ").split()
            if words and words != HEADER:
                reader.row(line, words)
        if reader.faults:
            raise RetryFaults(reader.faults)
        return cls(reader.rows, reader.ranges, reader.others, base, pauses)

    def row(self, status: int) -> Row | None:
        """The row that speaks for a status; None when only its cause can."""
        return self.named(status) or self.others

    def named(self, status: int) -> Row | None:
        """The row that names a status, alone or in a range."""
        row = self._rows.get(status)
        if row is not None:
            return row
        place = bisect_right(self._firsts, status) - 1
        if place >= 0 and status <= self._ranges[place].last:
            return self._ranges[place]
        return self._base.named(status) if self._base is not None else None

    def decide(self, code: int, cause: Cause, tries: int, now: float, expires: float, maxtries: int) -> Decision:
        """What to do after an attempt failed.

        `code` is the native status, 0 when there was no answer (then `cause` decides alone); `tries` counts the
        attempts made, this one included; `expires` is the end of the validity, 0 for none; `maxtries` 0 for no limit.
        """
        row = self.row(code) if code else None
        action = row.action if row is not None else BY_CAUSE.get(cause, Action.TEMPORARY)
        intervals = row.intervals if row is not None else ()
        if action is Action.PERMANENT:
            return Decision(Verdict.FAIL, cause)
        if expires and now >= expires:
            return Decision(Verdict.FAIL, Cause.EXPIRED)
        if action is Action.THROTTLE:
            return Decision(Verdict.PAUSE, cause, seconds=_nth(intervals, tries) if intervals else 0.0)
        if maxtries and tries >= maxtries:
            return Decision(Verdict.FAIL, Cause.TOO_MANY_TRIES)
        at = now + _nth(intervals or self.pauses, tries)
        if expires and at > expires - LAST_CHANCE:
            at = expires - LAST_CHANCE
            if at < now + LAST_CHANCE:
                return Decision(Verdict.FAIL, Cause.EXPIRED)
        return Decision(Verdict.RETRY, cause, at=at)


def _first(row: Row) -> int:
    return row.first


def _nth(intervals: tuple[float, ...], tries: int) -> float:
    return intervals[min(max(tries, 1), len(intervals)) - 1]


class _Reader:
    """Collects rows and faults of one text."""

    def __init__(self, names: Mapping[str, int]) -> None:
        self.faults: list[Fault] = []
        self._names = {name.upper(): status for name, status in names.items()}
        self.rows: dict[int, Row] = {}
        self.ranges: list[Row] = []
        self.others: Row | None = None

    def row(self, line: int, words: list[str]) -> None:
        """Takes one row, or notes its faults."""
        before = len(self.faults)
        span = self._span(line, words[0])
        action = self._action(line, words[1] if len(words) > 1 else "")
        intervals = self._intervals(line, ",".join(words[2:]))
        if action is Action.PERMANENT and intervals:
            self.faults.append(Fault(line, "interval", "what fails for good is not tried again: leave it out"))
        if action is None or len(self.faults) > before:
            return
        if span is None:
            self._twice(line, self.others is not None, "*")
            self.others = Row(0, LARGEST_STATUS, action, intervals)
            return
        row = Row(*span, action, intervals)
        if row.first == row.last:
            self._twice(line, row.first in self.rows, words[0])
            self.rows[row.first] = row
        else:
            self._twice(line, any(_overlap(row, other) for other in self.ranges), words[0])
            self.ranges.append(row)

    def _twice(self, line: int, known: bool, text: str) -> None:
        if known:
            self.faults.append(Fault(line, "status", f"{text}: an earlier row speaks for this already"))

    def _span(self, line: int, text: str) -> tuple[int, int] | None:
        """First and last status, None for `*` (and for a fault)."""
        if text == "*":
            return None
        first, dash, last = text.partition("-")
        low = self._status(line, first)
        high = self._status(line, last) if dash else low
        if low is None or high is None:
            return None
        if low > high:
            self.faults.append(Fault(line, "status", f"{text}: the range runs backwards"))
        return low, high

    def _status(self, line: int, text: str) -> int | None:
        status = self._names.get(text.upper())
        if status is None:
            try:
                status = int(text, 16) if text[:2].lower() == "0x" else int(text)
            except ValueError:
                status = -1
        if 0 <= status <= LARGEST_STATUS:
            return status
        self.faults.append(Fault(line, "status", f"{text!r} is neither a number nor a known name"))
        return None

    def _action(self, line: int, text: str) -> Action | None:
        try:
            return Action(text.lower())
        except ValueError:
            self.faults.append(Fault(line, "action", f"{text!r} is none of {', '.join(Action)}"))
            return None

    def _intervals(self, line: int, text: str) -> tuple[float, ...]:
        if not text:
            return ()
        try:
            return parse_intervals(text)
        except ValueError as fault:
            self.faults.append(Fault(line, "interval", str(fault)))
            return ()


def _overlap(one: Row, other: Row) -> bool:
    return one.first <= other.last and other.first <= one.last


def parse_intervals(text: str) -> tuple[float, ...]:
    """`10s,30s,2m,10m` → seconds. Raises ValueError with a sentence for people."""
    words = text.split(",")
    if len(words) > MOST_INTERVALS:
        raise ValueError(f"more than {MOST_INTERVALS} intervals")
    return tuple(_seconds(word.strip().lower()) for word in words)


def _seconds(word: str) -> float:
    unit = _UNITS.get(word[-1:], 0.0)
    number = word[:-1] if unit else word
    whole, _, fraction = number.partition(".")
    if whole.isascii() and whole.isdigit() and (fraction.isdigit() if "." in number else True) and fraction.isascii():
        seconds = float(number) * (unit or 1.0)
        if 0 < seconds <= LONGEST_INTERVAL:
            return seconds
    raise ValueError(f"{word!r} is not a time between 0 and 7 days, such as 10s, 2m or 1h")
