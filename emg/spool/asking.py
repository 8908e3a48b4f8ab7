"""An answer of the spool that the calling greenlet waits for, with a deadline."""

from collections.abc import Callable
from typing import TypeVar, cast

import gevent
import gevent.event

from emg.errors import SpoolError

T = TypeVar("T")


def wait_for(start: Callable[[Callable[[T | None, Exception | None], None]], None], seconds: float) -> T:
    """What the function that `start` is given is called with. Raises SpoolError, also when that takes too long."""
    result: gevent.event.AsyncResult[T] = gevent.event.AsyncResult()

    def answered(value: T | None, error: Exception | None) -> None:
        if error is None:
            result.set(value)
        else:
            result.set_exception(SpoolError(f"the spool cannot read: {error}"))

    start(answered)
    try:
        return cast(T, result.get(timeout=seconds))
    except gevent.Timeout:
        raise SpoolError(f"the spool did not answer within {seconds:g} s") from None
