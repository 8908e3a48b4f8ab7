"""A search that takes too long is ended, on both databases, and the connection is as good as before."""

import time

import pytest
from sqlalchemy import text

from emg.db.deadlines import TooSlow, within
from emg.db.engine import Database

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    "mariadb": "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
}


def test_what_takes_too_long_is_ended(database: Database, database_kind: str) -> None:
    began = time.monotonic()
    with pytest.raises(TooSlow, match="narrow it"), database.looking() as session, within(session, 0.2, "narrow it"):
        session.execute(text(ENDLESS[database_kind]))
    assert time.monotonic() - began < 5


def test_the_bound_ends_with_the_block(database: Database, database_kind: str) -> None:
    with database.looking() as session:
        with within(session, 0.05, "narrow it"):
            assert session.scalar(text("SELECT 1")) == 1
        if database_kind == "mariadb":
            assert session.scalar(text("SELECT SLEEP(0.2)")) == 0
        else:
            time.sleep(0.1)
            counted = ENDLESS["sqlite"].replace("FROM n)", "FROM n WHERE i < 200000)")
            assert session.scalar(text(counted)) == 200_000
