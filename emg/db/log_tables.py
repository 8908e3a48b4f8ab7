"""What the recorder writes at once, and the columns it goes into: one table of facts for both databases.

Rows are tuples in the order of `Table.columns`, of values that both drivers take as they are: whole numbers, text, octets, None; a time is text,
`2026-11-23 15:04:05.123456` in UTC. Rows of a `Change` alter rows that are there: `merge` says how, from the old row `r` and the change `u`,
so that several changes in one batch or in many lead to the same. Empty text changes nothing.
"""

from typing import Any, Final, NamedTuple

import msgspec

Row = tuple[Any, ...]
MOST_TRIES: Final = 30_000


class Table(NamedTuple):
    """A table that rows are added to. `nullable` and `octets` are places in `columns`: what may be None, what is bytes (side by side)."""

    name: str
    columns: tuple[str, ...]
    nullable: tuple[int, ...] = ()
    octets: tuple[int, ...] = ()


class Change(NamedTuple):
    """Alterations of `target`, gathered in a temporary table of this name. `definition` is its columns' types, the key first."""

    name: str
    target: str
    definition: tuple[tuple[str, str], ...]
    merge: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    nullable: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for name, _ in self.definition)


ROUTELOG: Final = Table(
    "routelog",
    (
        "id", "received", "account", "customer_id", "connector_in", "connector_out", "source", "dest", "encoding", "octets",
        "parts", "status", "sent", "done", "tries", "maybe_sent", "remote_id", "error", "cause", "route", "price_row",
        "prefix", "network", "price", "refunded", "cost", "currency", "reference", "ip", "node",
    ),
    nullable=(3, 12, 13),
)  # fmt: skip
BODY: Final = Table("message_body", ("id", "received", "udh", "body", "text", "masked"), octets=(2, 3))
PART: Final = Table(
    "message_part",
    ("id", "parent", "received", "number", "total", "status", "sent", "done", "remote_id", "error"),
    nullable=(6, 7),
)

_STATUS: Final = "CASE WHEN u.status <> '' AND r.status IN ('queued', 'sent') THEN u.status ELSE r.status END"
"""A final one stays."""


def _given(column: str) -> str:
    return f"CASE WHEN u.{column} = '' THEN r.{column} ELSE u.{column} END"


def _first(column: str) -> str:
    return f"CASE WHEN r.{column} = '' THEN u.{column} ELSE r.{column} END"


CHANGE: Final = Change(
    "routelog_change",
    "routelog",
    (
        ("id", "BIGINT NOT NULL"),
        ("received", "DATETIME(6) NOT NULL"),
        ("connector_out", "VARCHAR(64) NOT NULL"),
        ("status", "VARCHAR(16) NOT NULL"),
        ("sent", "DATETIME(6)"),
        ("done", "DATETIME(6)"),
        ("tries_more", "INT NOT NULL"),
        ("tries_least", "INT NOT NULL"),
        ("maybe_sent", "SMALLINT NOT NULL"),
        ("remote_id", "VARCHAR(65) NOT NULL"),
        ("error", "VARCHAR(16) NOT NULL"),
        ("cause", "VARCHAR(40) NOT NULL"),
        ("price", "BIGINT NOT NULL"),
        ("refunded", "BIGINT NOT NULL"),
        ("cost", "BIGINT NOT NULL"),
        ("parts", "SMALLINT NOT NULL"),
    ),
    (
        ("connector_out", _given("connector_out")),
        ("status", _STATUS),
        ("sent", "COALESCE(r.sent, u.sent)"),
        ("done", "COALESCE(r.done, u.done)"),
        (
            "tries",
            (
                "CASE WHEN r.tries + u.tries_more < u.tries_least THEN u.tries_least"
                f" WHEN r.tries + u.tries_more < {MOST_TRIES} THEN r.tries + u.tries_more ELSE {MOST_TRIES} END"
            ),
        ),
        ("maybe_sent", "CASE WHEN u.maybe_sent = 1 THEN 1 ELSE r.maybe_sent END"),
        ("remote_id", _first("remote_id")),
        ("error", _given("error")),
        ("cause", _given("cause")),
        ("price", "r.price + u.price"),
        ("refunded", "r.refunded + u.refunded"),
        ("cost", "r.cost + u.cost"),
        ("parts", "r.parts + u.parts"),
    ),
    ("id", "received"),
    (4, 5),
)
PART_CHANGE: Final = Change(
    "message_part_change",
    "message_part",
    (
        ("id", "BIGINT NOT NULL"),
        ("status", "VARCHAR(16) NOT NULL"),
        ("sent", "DATETIME(6)"),
        ("done", "DATETIME(6)"),
        ("remote_id", "VARCHAR(65) NOT NULL"),
        ("error", "VARCHAR(16) NOT NULL"),
    ),
    (
        ("status", _STATUS),
        ("sent", "COALESCE(r.sent, u.sent)"),
        ("done", "COALESCE(r.done, u.done)"),
        ("remote_id", _first("remote_id")),
        ("error", _given("error")),
    ),
    ("id",),
    (2, 3),
)


class Traffic(NamedTuple):
    """What an account was charged in one hour, less what was given back to it."""

    payer: int
    hour: str
    at: str
    """The last time that anything happened."""
    amount: int
    messages: int


class Batch(msgspec.Struct):
    """Everything of one transaction, without the position."""

    messages: list[Row] = []
    bodies: list[Row] = []
    parts: list[Row] = []
    changes: list[Row] = []
    part_changes: list[Row] = []
    traffic: list[Traffic] = []
    hours: set[str] = set()
    """In which messages were received that are new or have changed."""


class Spot(NamedTuple):
    """Whose position moves, from where to where, and when; and of the spool's row `after` when it was written, and its digest (0: not known)."""

    node: int
    spool: int
    before: int
    after: int
    at: str
    row_at: str | None = None
    row_mark: int = 0


REPLACED: Final = -1
"""In the place of a digest: another spool of this node has come since."""


class Place(NamedTuple):
    """How far the log of one spool is: the last row that is in it, when the spool wrote that, and its digest (or 0, or REPLACED)."""

    spool: int
    seq: int
    row_at: str | None
    row_mark: int


class Gap(NamedTuple):
    """Rows of an outbox that will never be in the log; see `emg.db.models.LogGap`. `since` None: the log begins after it."""

    kind: str
    first: int
    last: int
    since: str | None
    until: str


class Refused(NamedTuple):
    """A row that the database does not take."""

    table: str
    row: Row
    reason: str


def text_of_time(moment: object) -> str:
    """A time as rows have it: one driver gives datetimes, the other one text."""
    text = str(moment)
    return text if "." in text else f"{text}.000000"
