"""The schema: made and brought up to date by migrations, and looked at before anybody uses a database."""

from sqlalchemy import inspect

from emg.db.engine import Database
from emg.db.models import Base


def upgrade(database: Database) -> None:
    """Make what is missing."""
    with database.guarded():
        Base.metadata.create_all(database.engine)


def check(database: Database) -> str | None:
    """A sentence that says what is wrong with the schema, or None."""
    with database.guarded():
        if not inspect(database.engine).has_table("setting"):
            return f"the database {database.place} has no tables yet: run `emg db upgrade`"
    return None
