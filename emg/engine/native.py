"""Work that would keep the event loop: done in a native thread while the calling greenlet, and no other, waits."""

from collections.abc import Callable
from typing import TypeVar

import gevent

LET_GO_SECONDS = 0.1
T = TypeVar("T")


def run(work: Callable[[], T]) -> T:
    """What `work` returns or raises. It must not touch what the loop changes meanwhile."""
    outcome: list[T] = []
    error: BaseException | None = gevent.get_hub().threadpool.apply(_tried, (work, outcome))
    if error is not None:
        raise error
    return outcome[0]


def let_go(old: list[object]) -> None:
    """Drop tables that were in force one by one: to free the memory of a large one takes the event loop some milliseconds."""
    while old:
        gevent.sleep(LET_GO_SECONDS)
        old.pop()


def _tried(work: Callable[[], T], outcome: list[T]) -> BaseException | None:
    try:
        outcome.append(work())
    except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for; gevent would print it here as well
        return error
    return None
