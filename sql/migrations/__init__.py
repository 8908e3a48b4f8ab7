"""Alembic's environment. `emg.db.schema` runs it; there is no alembic.ini."""
