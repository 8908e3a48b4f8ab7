"""The gateway's reader while its database is away for hours: it takes no more memory for that."""

import gc

import psutil

from emg.db.reader import Reader
from emg.rules.snapshot import Order


def test_a_database_that_is_away_for_long_takes_no_memory(tmp_path):
    """Each attempt to connect leaves half a megabyte that only the collector of cycles finds, and the program lets that run seldom."""
    reader = Reader(Order("mysql+pymysql://u:p@127.0.0.1:1/emg", str(tmp_path)))
    told, _pause = reader.turn()
    assert told is not None
    assert "can't be reached" in told.failed
    process = psutil.Process()
    gc.disable()
    try:
        before = process.memory_info().rss
        for _ in range(60):
            assert reader.turn()[0] is None
        assert process.memory_info().rss - before < 15e6
    finally:
        gc.enable()
