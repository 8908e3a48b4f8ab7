"""The black list and the white list in the database (`emg.rules.block_rows` says what a row is)."""

from typing import Any, Final

from emg.db.models import Blacklist as Model
from emg.db.rule_table import RuleTable, begins_with
from emg.rules.block_rows import COLUMNS, Entry, cells_of
from emg.rules.blocklist import BlockListFaults
from emg.rules.faults import Fault

_WHITE_ACTION: Final = "REJECT"


def _row(cells: list[Any]) -> Entry:
    number, white, field, address, action, note = cells
    return Entry(number, bool(white), field, address, _WHITE_ACTION if white else action, note)


def _values(row: Entry) -> tuple[Any, ...]:
    return int(row.white), row.field, row.address, row.action, row.note


def _key(row: Entry) -> tuple[bool, str, str]:
    return row.white, row.field, row.address


def _judge(rows: list[Entry]) -> list[Fault]:
    first = rows[0]
    return [Fault(0, "address", f"row {first.id} speaks for this {first.field} already")] if len(rows) > 1 else []


BLACKLIST: Final = RuleTable(
    Model, "blacklist", ("white", "field", "address", "action", "note"), _row, _values, _key, COLUMNS, cells_of,
    same=("white", "field", "address"), judge=_judge, raised=BlockListFaults, filters={"address": begins_with(Model, "address")},
)  # fmt: skip
