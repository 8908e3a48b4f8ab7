"""One connector, or all, asked for where they are known: the database, the configuration file, the gateway.

No function here is called within a block that holds the database.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from flask import abort, current_app, g

from emg.config.connector import ConnectorConfig
from emg.config.stored import StoredFault
from emg.control.client import part
from emg.db import connectors
from emg.db.connectors import NoSuchConnector
from emg.db.models import Connector
from emg.errors import ControlError
from portal import house
from portal.connectors.overview import Seen, gather
from portal.rates import Rates

RATES: Final = "emg.connectors"

Live = Mapping[str, Any]
"""A row of the gateway's answer."""


def rates() -> Rates:
    """What this portal has seen of the counters."""
    return cast(Rates, current_app.extensions.setdefault(RATES, Rates()))


def everything() -> list[Seen]:
    """All connectors."""
    with house.reading() as session:
        rows = connectors.listing(session)
    answer = house.look("/connectors")
    live = None if answer is None else cast(Sequence[Live], answer["connectors"])
    _see(live or ())
    return gather(rows, house.config(), live, rates())


def _see(live: Sequence[Live]) -> None:
    now = time.monotonic()
    for row in live:
        rates().see(row["name"], now, row["counters"])


def stored(name: str) -> Connector | None:
    """The database's row of this name."""
    with house.reading() as session:
        try:
            return connectors.find(session, name)
        except NoSuchConnector:
            return None


def details(name: str) -> Live | None:
    """What the gateway says of one, its sessions and queues too; None where none answers, or it does not know it."""
    answer = _look(f"/connectors/{part(name)}")
    if answer is not None:
        _see([answer])
    return answer


def queue(seen: Seen) -> Live | None:
    """Its own queue, where something waits there: the gateway says for what."""
    return _look(f"/queues/{part(seen.name)}") if seen.queued else None


def _look(path: str) -> Live | None:
    try:
        return cast(Live | None, house.look(path))
    except ControlError as error:
        if error.status == 404:
            return None
        raise


def joined(name: str, row: Connector | None, live: Live | None) -> Seen:
    """One connector of all that is known of it; 404 where nobody knows it."""
    rows, lives = [row] if row is not None else [], [live] if live is not None else []
    found = [seen for seen in gather(rows, house.config(), lives, rates()) if seen.name == name]
    if not found:
        abort(404, f"There is no connector {name[:100]}.")
    found[0].asked = not g.get("gateway_away")
    return found[0]


def known(name: str) -> Seen:
    """The same, asked for."""
    return joined(name, stored(name), details(name))


def in_force(name: str) -> tuple[ConnectorConfig | None, list[StoredFault], list[StoredFault]]:
    """(its settings with every default, faults, warnings); no settings where there are faults, or neither file nor database knows it."""
    of_file = house.config().connectors.get(name)
    if of_file is not None:
        return of_file, [], []
    with house.reading() as session:
        every = [connectors.stored(row) for row in connectors.listing(session)]
    examined = house.around().examine(every)
    faults, warnings = (
        [fault for fault in found if fault.connector == name] for found in (examined.faults, examined.warnings)
    )
    return examined.connectors.get(name), faults, warnings
