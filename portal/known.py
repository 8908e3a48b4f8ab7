"""The names that rows may speak of: connectors that customers bind to or that routes lead to, and customers."""

from emg.config.values import ConnectorType
from emg.db import connectors, customers
from emg.db.engine import Session
from emg.rules.rows import Known
from portal import house


def rows(session: Session) -> Known:
    """Connectors of the configuration file and of the tables, and customers."""
    stored = {row.name for row in connectors.listing(session)}
    return Known({*house.config().connectors, *stored}, frozenset(customers.names(session)))


def doors(session: Session) -> Known:
    """Connectors that accounts log in at: those are no secret to a customer."""
    own = {name for name, row in house.config().connectors.items() if row.type is ConnectorType.INCOMING}
    stored = {
        row.name
        for row in connectors.listing(session)
        if any(
            option.keyword == "TYPE" and not option.disabled and option.value.upper() == "INCOMING"
            for option in row.options
        )
    }
    return Known(own | stored, frozenset())
