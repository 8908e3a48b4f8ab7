"""An issued invoice never changes, nor do its lines: whatever the program does with them through the ORM raises AssertionError before anything is written.

Statements over many rows (`update(Invoice)`, `delete(InvoiceLine)`) are never allowed: they would pass by the rows' own events.
"""

from typing import Any, Final

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session

from emg.db.models.money import Invoice, InvoiceLine, InvoiceStatus

_TABLES: Final = frozenset({"invoice", "invoice_line"})


def _guard(_mapper: Mapper[Any], _connection: Any, row: Any) -> None:
    invoice = row.invoice if isinstance(row, InvoiceLine) else row
    assert invoice is None or _was(invoice) is not InvoiceStatus.ISSUED, "an issued invoice never changes"


def _was(invoice: Invoice) -> InvoiceStatus | None:
    """Its status as the database has it; None where it is not there yet."""
    history = inspect(invoice).attrs.status.history
    if history.deleted:
        return InvoiceStatus(history.deleted[0])
    return invoice.status if history.unchanged else None


def _guard_many(state: ORMExecuteState) -> None:
    if state.is_update or state.is_delete:
        table = getattr(getattr(state.statement, "table", None), "name", "")
        assert table not in _TABLES, "invoices are changed one by one"


for _kind in (Invoice, InvoiceLine):
    for _moment in ("before_update", "before_delete"):
        event.listen(_kind, _moment, _guard)
event.listen(InvoiceLine, "before_insert", _guard)
event.listen(Session, "do_orm_execute", _guard_many)
