"""The black list and the white list in the database (`emg.rules.block_rows` says what a row is)."""

from typing import Any, Final

from sqlalchemy import ColumnElement

from emg.db.models import Blacklist as Model
from emg.db.rule_table import RuleTable
from emg.rules.block_rows import COLUMNS, LISTS, Entry, cells_of
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


def _in_list(name: str) -> ColumnElement[bool]:
    white = LISTS.get(name.lower())
    if white is None:
        raise BlockListFaults([Fault(0, "list", f"{name[:40]!r} is neither black nor white")])
    return Model.white == white


BLACKLIST: Final = RuleTable(
    Model, Entry, "blacklist", ("white", "field", "address", "action", "note"), _row, _values, _key, COLUMNS, cells_of,
    same=("white", "field", "address"), judge=_judge, raised=BlockListFaults,
    filters={
        "address": lambda text: Model.address.startswith(text.lower(), autoescape=True), "list": _in_list,
        "action": lambda word: (Model.action == word.upper()) & ~Model.white, "field": lambda word: Model.field == word.upper(),
    },
)  # fmt: skip
