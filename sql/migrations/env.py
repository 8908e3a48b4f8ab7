"""What Alembic runs for each of its commands: on the connection that it was given, against the tables of `emg.db.models`.

Drafts (`python -m sql draft`) come out repeatable: a step that was cut off in the middle can be run again, since MariaDB commits each
statement by itself.
"""

from collections.abc import Iterable
from typing import Any, Literal

from alembic import context
from alembic.operations import ops

from emg.db.models import Base
from emg.db.models.base import UtcTime


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration names no type of ours: it must mean the same when the type has changed."""
    return "MOMENT" if kind == "type" and isinstance(item, UtcTime) else False


def make_repeatable(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """IF NOT EXISTS and IF EXISTS everywhere; the indexes of a table that is dropped go with it."""
    for script in directives:
        undo = script.downgrade_ops.ops
        dropped = {step.table_name for step in undo if isinstance(step, ops.DropTableOp)}
        undo[:] = [step for step in undo if isinstance(step, ops.DropTableOp) or step.table_name not in dropped]
        for step in (*_all(script.upgrade_ops.ops), *_all(script.downgrade_ops.ops)):
            if isinstance(step, ops.CreateTableOp | ops.CreateIndexOp | ops.AddColumnOp):
                step.if_not_exists = True
            elif isinstance(step, ops.DropTableOp | ops.DropIndexOp | ops.DropColumnOp):
                step.if_exists = True


def _all(steps: Iterable[Any]) -> Iterable[Any]:
    for step in steps:
        yield step
        yield from _all(getattr(step, "ops", ()))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a column by copying the table
    render_item=render,
    process_revision_directives=make_repeatable,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
