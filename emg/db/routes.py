"""The routing table in the database (`emg.rules.route_rows` says what a row is)."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from emg.db.models import Connector
from emg.db.models import Route as Model
from emg.db.rule_table import RuleTable, begins_with, decides_for
from emg.rules.route_rows import COLUMNS, Route, cells_of

_lists: dict[str, tuple[str, ...]] = {}
MOST_LISTS: Final = 10_000


def _row(cells: list[Any]) -> Route:
    number, prefix, account, connector_in, priority, out, weight, enabled = cells
    connectors = _lists.get(out)
    if connectors is None:
        if len(_lists) >= MOST_LISTS:
            _lists.clear()
        connectors = _lists[out] = tuple(map(str.strip, out.split(":")))
    return Route(number, prefix, account, connector_in, connectors, priority, weight, bool(enabled))


def _values(row: Route) -> tuple[Any, ...]:
    names = row.prefix, row.account, row.connector_in
    return *names, row.priority, ":".join(row.connectors), row.weight, int(row.enabled)


def _key(row: Route) -> tuple[str, str, str, tuple[str, ...]]:
    return row.prefix, row.account, row.connector_in, row.connectors


def _leads_to(connector: str) -> ColumnElement[bool]:
    """The row names this connector, alone or in its list, or an account's sessions on it."""
    padded = literal(":") + Model.connector_out + literal(":")
    return (func.instr(padded, f":{connector}:") > 0) | (func.instr(padded, f":{connector}/") > 0)


ROUTES: Final = RuleTable(
    Model, Route, "route", ("prefix", "account", "connector_in", "priority", "connector_out", "weight", "enabled"),
    _row, _values, _key, COLUMNS, cells_of,
    filters={
        "prefix": begins_with(Model, "prefix"), "decides": decides_for(Model, "prefix"), "connector_out": _leads_to,
        "connector": lambda name: (Model.connector_in == name) | _leads_to(name),
    },
)  # fmt: skip


def known_connectors(session: Session, configured: Collection[str]) -> frozenset[str]:
    """Names that a row may name: those of the configuration file, and those of the database."""
    return frozenset((*configured, *session.scalars(select(Connector.name))))
