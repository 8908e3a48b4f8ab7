"""What an operation of the API is: a row of a resource's table, from which its route, its checks and its part of the document are made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

BASE: Final = "/api/v1"
JSON: Final = "application/json"
CSV: Final = "text/csv"
MOST: Final = 1000
"""Rows of a page, at most."""


class Shape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What comes in or goes out. A field that nobody knows is refused, for it may be one that was misspelt."""


class Nothing(Shape):
    """No query parameters, or no body."""


Limit = Annotated[int, Meta(ge=1, le=MOST, description="So many rows at most.")]
Offset = Annotated[int, Meta(ge=0, le=10_000_000, description="Without so many rows at the start.")]


class Page(Shape):
    """Which rows of a list."""

    limit: Limit = 100
    offset: Offset = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what stood in its path, its query and its body."""

    path: dict[str, Any]
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """A row."""

    name: str
    """`operationId`, and the view's endpoint."""
    method: str
    path: str
    """Behind BASE, as Flask writes it."""
    scope: str
    """Of `emg.rules.key_rows.SCOPES`."""
    summary: str
    run: Callable[[Call], Any]
    """Gives a `gives`, or `(status, gives)`; text for CSV."""
    gives: Any
    """A Struct, or CSV."""
    query: type[Shape] = Nothing
    takes: Any = Nothing
    """A Struct, or CSV."""
    about: str = ""
    once: bool = False
    """Takes an `Idempotency-Key`."""
    status: int = 200
    statuses: tuple[int, ...] = field(default=())
    """Other statuses of success."""
