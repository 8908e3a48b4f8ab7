"""Work that would keep the event loop: done in a native thread while the calling greenlet, and no other, waits."""

from collections.abc import Callable
from typing import TypeVar

import gevent

T = TypeVar("T")


def run(work: Callable[[], T]) -> T:
    """What `work` returns or raises. It must not touch what the loop changes meanwhile."""
    outcome: list[T] = []
    error: BaseException | None = gevent.get_hub().threadpool.apply(_tried, (work, outcome))
    if error is not None:
        raise error
    return outcome[0]


def _tried(work: Callable[[], T], outcome: list[T]) -> BaseException | None:
    try:
        outcome.append(work())
    except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for; gevent would print it here as well
        return error
    return None
