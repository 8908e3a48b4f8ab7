"""How fast: rates, pauses, windows and the slowing down of wrong passwords.

Values that are fed with the time and never wait. `now` is seconds of any clock that does not jump, the same one for all calls to an object; one that steps back does no
harm but costs the sender no more than the step. Nothing here fails, except for settings out of range: ValueError.
"""

from typing import Final

import msgspec

_NEARLY_ONE: Final = 1.0 - 1e-6  # waiting exactly as long as `wait` said must be enough, whatever the floats lost


class TokenBucket:
    """A rate limit that lets bursts through: `burst` at once (S20: one second's worth by default), `rate` a second."""

    __slots__ = ("_stamp", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float = 0.0) -> None:
        """`rate` a second, above 0; `burst` 0 stands for the rate × 1 s, and is never below one."""
        self._stamp = float("-inf")
        self._tokens = 0.0
        self.change(rate, burst)
        self._tokens = self.burst

    def change(self, rate: float, burst: float = 0.0) -> None:
        """New limits, as after a reload; what has been used stays used."""
        if rate <= 0 or burst < 0:
            raise ValueError(f"a rate must be above 0 and a burst not below it: {rate}, {burst}")
        self.rate = float(rate)
        self.burst = max(1.0, float(burst or rate))
        self._tokens = min(self._tokens, self.burst)

    def take(self, now: float) -> bool:
        """Takes one; False when there is none, and then nothing is taken."""
        tokens = self._tokens
        if now != self._stamp:
            tokens += (now - self._stamp) * self.rate if now > self._stamp else 0.0
            if tokens > self.burst:
                tokens = self.burst
            self._stamp = now
        if tokens >= _NEARLY_ONE:
            self._tokens = tokens - 1.0
            return True
        self._tokens = tokens
        return False

    def wait(self, now: float) -> float:
        """Seconds until `take` succeeds; 0.0 when it would now."""
        missing = _NEARLY_ONE - self._tokens - max(0.0, now - self._stamp) * self.rate
        return (missing + 1e-6) / self.rate if missing > 0 else 0.0


class Backoff:
    """Pauses between attempts that keep failing: `first`, then `factor` times as long each, up to `limit` seconds."""

    __slots__ = ("factor", "failures", "first", "limit")

    def __init__(self, first: float, factor: float, limit: float) -> None:
        if not 0 < first <= limit or factor < 1:
            raise ValueError(f"a back-off must grow from above 0 to its limit: {first}, {factor}, {limit}")
        self.first = first
        self.factor = factor
        self.limit = limit
        self.failures = 0

    def failed(self) -> float:
        """Seconds to wait after this failure."""
        # The exponent is bounded so that a peer that is down for months does not overflow a float.
        pause = self.first * self.factor ** min(self.failures, 64)
        self.failures += 1
        return min(pause, self.limit)

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0


class Redial:
    """How long a session that we dial waits before the next try, after each that ended.

    After a loss the pauses grow to `wait` (WAITBEFORECONNECT); after `most` (MAXFAILEDCONNECTS; 0: never) tries in a row that
    did not come to a session they are `sleep` (MAXFAILEDSLEEP). A refused login waits `sleep` from the start, doubling to
    `LOGIN_LIMIT`, because trying often gets accounts locked (S6).
    """

    SHORTEST: Final = 0.1
    LOGIN_LIMIT: Final = 600.0
    STEADY: Final = 60.0
    """A session that stood this long was a success: the next loss starts with short pauses again."""

    __slots__ = ("_failed", "_loss", "_most", "_refusal", "_sleep")

    def __init__(self, wait: float, most: int, sleep: float) -> None:
        wait = max(wait, self.SHORTEST)
        self._sleep = max(sleep, wait)
        self._loss = Backoff(max(wait / 8, self.SHORTEST), 2.0, wait)
        self._refusal = Backoff(self._sleep, 2.0, max(self._sleep, self.LOGIN_LIMIT))
        self._most = most
        self._failed = 0

    def failed(self) -> float:
        """Seconds to wait: no session came about."""
        self._failed += 1
        return self._sleep if self._most and self._failed >= self._most else self._loss.failed()

    def refused(self) -> float:
        """Seconds to wait: the login was refused."""
        return self._refusal.failed()

    def lost(self, stood: float) -> float:
        """Seconds to wait: a session ended that stood for so many seconds."""
        self._failed = 0
        if stood > self.STEADY:
            self._loss.succeeded()
            self._refusal.succeeded()
        return self._loss.failed()


class ThrottlePause:
    """What an operator's "throttled" or "queue full" does to a connector: it stands still, doubling from 0.1 s to 5 s,
    and then starts slowly: one message outstanding, one more for each that is taken, until it is back at `full`.

    All answers to messages that were under way when the pause began are one event. The hot path asks `active` first.
    """

    __slots__ = ("_pause", "_until", "_window", "active", "first", "full", "limit")

    def __init__(self, first: float = 0.1, limit: float = 5.0, full: int = 100) -> None:
        self.first = first
        self.limit = limit
        self.full = full
        self.active = False
        """A pause or the slow start after one is on."""
        self._until = float("-inf")
        self._pause = 0.0
        self._window = full

    def throttled(self, now: float, at_least: float = 0.0) -> float:
        """The far side asked for a pause: seconds to stand still from now. `at_least`: what a retry scheme asks for."""
        if now >= self._until:
            self._pause = min(self.limit, self._pause * 2.0) if self._pause else self.first
            self._until = now + max(self._pause, at_least)
            self._window = 1
            self.active = True
        return self._until - now

    def wait(self, now: float) -> float:
        """Seconds until the next message may go; 0.0 for now."""
        return max(0.0, self._until - now)

    def window(self, size: int) -> int:
        """How many may be outstanding, of the `size` that the connector has."""
        return min(size, self._window)

    def succeeded(self, now: float) -> None:
        """A message was taken. During the pause that says nothing: it was under way before."""
        if now < self._until or not self.active:
            return
        self._pause = 0.0
        self._window += 1
        if self._window >= self.full:
            self.active = False


class AdaptiveWindow:
    """WINDOWSIZE=auto: the number of unanswered operations that gives the most answers a second without piling up at
    the far side.

    It stands at a settled size, and now and then tries one a quarter larger or smaller for one sample. Below the peer's
    limit the rate goes with the window, above it the rate stands still: a larger size is kept when it brings at least
    half of what it should (rate × √ratio), a smaller one when it costs next to nothing (rate × ∜ratio). It starts by
    doubling. When the rate falls while the size stands still the peer got slower: shrink by a quarter.
    """

    __slots__ = ("_doubling", "_hold", "_rate", "_settled", "_up", "largest", "size", "smallest")

    FALL: Final = 0.7
    """A rate below this part of the usual one is no accident."""
    HOLD: Final = 5
    """Samples to stand still after a try that failed."""

    def __init__(self, first: int = 1, smallest: int = 1, largest: int = 100) -> None:
        if not 1 <= smallest <= first <= largest:
            raise ValueError(f"a window must have 1 ≤ smallest ≤ first ≤ largest: {smallest}, {first}, {largest}")
        self.size = first
        self.smallest = smallest
        self.largest = largest
        self._settled = first
        self._rate = 0.0  # usual at the settled size
        self._hold = 0
        self._doubling = True
        self._up = True

    def feed(self, answers: int, seconds: float, *, full: bool = True) -> int:
        """The new size, after `answers` were counted in `seconds` at the present size.

        Give samples of several round trips; `full` False (the queue ran dry, the window was not used) says nothing
        and changes nothing.
        """
        if seconds <= 0 or not full:
            return self.size
        rate = answers / seconds
        if self.size != self._settled:
            self._judge(rate)
        elif rate <= self._rate * self.FALL and self._rate:
            self._settled = max(self.smallest, self.size * 3 // 4)
            self._rate = rate
            self._hold = self.HOLD
            self._doubling = self._up = False
        else:
            self._rate = rate if not self._rate else self._rate + (rate - self._rate) / 4
            self._hold -= 1
        self.size = self._settled if self._hold > 0 else self._next_try()
        return self.size

    def _judge(self, rate: float) -> None:
        """A tried size becomes the settled one, or is given up."""
        ratio = self.size / self._settled
        if rate > 0 and rate >= self._rate * ratio ** (0.5 if self._up else 0.25):
            self._settled = self.size
            self._rate = rate
        elif self._doubling:
            self._doubling = False  # too far: on with smaller steps
        else:
            self._up = not self._up
            self._hold = self.HOLD

    def _next_try(self) -> int:
        step = self._settled if self._doubling else max(1, self._settled // 4)
        size = min(self.largest, self._settled + step) if self._up else max(self.smallest, self._settled - step)
        if size == self._settled:  # at a bound: the next try leads away from it
            self._up = not self._up
            self._hold = self.HOLD
            self._doubling = False
        return size


class WrongLogins(msgspec.Struct, frozen=True, gc=False):
    """A line for the log: so many wrong passwords since the last such line."""

    account: str
    address: str
    count: int


class _Failures:
    """The wrong passwords of one account from one address."""

    __slots__ = ("in_a_row", "last", "unreported")

    def __init__(self) -> None:
        self.in_a_row = 0
        self.last = 0.0
        self.unreported = 0


class LoginGuard:
    """Slows down whoever tries wrong passwords, by account and address, without hurting anybody else (S6).

    The delay doubles from 1 s to 30 s; it is forgotten after a right password or ten quiet minutes. At most `size`
    pairs are kept, the longest unused gives way. What a client calls himself is cut to 64 characters.
    """

    FIRST: Final = 1.0
    LONGEST: Final = 30.0
    FORGET: Final = 600.0
    REPORT_EVERY: Final = 60.0

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._failures: dict[tuple[str, str], _Failures] = {}
        self._reported = float("-inf")

    def delay(self, account: str, address: str, now: float) -> float:
        """Seconds before the next attempt of this pair may be looked at; 0.0 for now."""
        failures = self._failures.get((account[:64], address))
        if failures is None or now - failures.last >= self.FORGET:
            return 0.0
        pause = min(self.LONGEST, self.FIRST * 2.0 ** min(failures.in_a_row - 1, 16))
        return max(0.0, failures.last + pause - now)

    def failed(self, account: str, address: str, now: float) -> float:
        """Notes a wrong password; seconds to hold back the refusal, or the next attempt."""
        key = (account[:64], address)
        failures = self._failures.pop(key, None)
        if failures is None:
            failures = _Failures()
            if len(self._failures) >= self._size:
                del self._failures[next(iter(self._failures))]
        elif now - failures.last >= self.FORGET:
            failures.in_a_row = 0
        failures.in_a_row += 1
        failures.unreported += 1
        failures.last = now
        self._failures[key] = failures  # at the end: the order is that of last use
        return self.delay(account, address, now)

    def succeeded(self, account: str, address: str) -> None:
        """The right password: nothing is held against this pair any more."""
        self._failures.pop((account[:64], address), None)

    def reports(self, now: float) -> list[WrongLogins]:
        """What the log should say now: at most once a minute, one line a pair. Old pairs are dropped on the way."""
        if now - self._reported < self.REPORT_EVERY:
            return []
        lines = []
        for key, failures in list(self._failures.items()):
            if failures.unreported:
                lines.append(WrongLogins(*key, failures.unreported))
                failures.unreported = 0
            if now - failures.last >= self.FORGET:
                del self._failures[key]
        if lines:
            self._reported = now
        return lines
