"""The numbering table in the database (`emg.rules.numbering` says what a row is)."""

from typing import Any, Final

from emg.db.models import Network as Model
from emg.db.rule_table import RuleTable, begins_with
from emg.rules.faults import Fault
from emg.rules.numbering import COLUMNS, NetworkFaults, NetworkRow, cells_of


def _row(cells: list[Any]) -> NetworkRow:
    return NetworkRow(*cells)


def _prefix(row: NetworkRow) -> str:
    return row.prefix


def _judge(rows: list[NetworkRow]) -> list[Fault]:
    first = rows[0]
    return [Fault(0, "prefix", f"row {first.id} is about {first.prefix} already")] if len(rows) > 1 else []


NETWORKS: Final = RuleTable(
    Model, NetworkRow, "network", COLUMNS, _row, cells_of, _prefix, COLUMNS, cells_of, same=("prefix",), judge=_judge, raised=NetworkFaults,
    filters={"prefix": begins_with(Model, "prefix")}, dated=False,
)  # fmt: skip
