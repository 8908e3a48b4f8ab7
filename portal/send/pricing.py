"""What messages will cost, by the tables and the code that charge for them.

`at_once` asks the running gateway, for one number while somebody types; `total` looks in the tables as a gateway would read them (`emg.db.usable`), for all messages of a
batch. Both are what holds now: what is charged is decided when a message is sent.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from emg.db import way
from emg.db.batches import Row
from emg.db.usable import Usable
from emg.rules.prices import PriceTable
from emg.rules.routes import RouteTable
from portal import house

CONNECTOR: Final = "portal"
"""By which messages come in that the gateway takes for the portal, in routes and prices."""


class Total(NamedTuple):
    """Of a batch."""

    micros: int
    currency: str
    unpriced: int
    """Messages that have no way or no price."""


def at_once(account: str, source: str, dest: str) -> dict[str, Any] | None:
    """The price row of a message's part, or why there is none (`refused`); None when no gateway answers."""
    told: dict[str, Any] | None = house.ask("/explain", dest=dest, source=source, account=account, connector="")
    if told is None:
        return None
    row = (told.get("price") or {}).get("row") or None
    return {"row": row, "refused": told.get("fault") or told.get("refused") or ""}


def total(account: str, rows: Sequence[Row]) -> Total:
    """All of these messages. Raises EmgError for an account that is not used."""
    config = house.config()
    usable = Usable(house.database(), house.around(), "route", "price")
    own = usable.account(account)
    known = usable.connectors
    routes = (
        RouteTable(usable.routes()) if config.routes is None else RouteTable.parse(way.text_of(config.routes), known)
    )
    prices = PriceTable(usable.prices()) if config.prices is None else PriceTable.parse(way.text_of(config.prices))
    now, micros, unpriced = time.time(), 0, 0
    by_number: dict[str, int | None] = {}
    for row in rows:
        if row.dest not in by_number:
            found = (
                own.route
                or routes.explain(row.dest, account, CONNECTOR, lambda name: name.partition("/")[0] in known).connector
            )
            out = (found or "").partition("/")[0]
            price = prices.lookup(row.dest, account, CONNECTOR, out, own.currency, now) if out else None
            by_number[row.dest] = None if price is None else price.price
        each = by_number[row.dest]
        micros, unpriced = (micros, unpriced + 1) if each is None else (micros + each * row.parts, unpriced)
    return Total(micros, own.currency, unpriced)
