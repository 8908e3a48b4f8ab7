"""What is done from time to time: nothing that is over stays for ever, and nothing that is not over goes."""

import time

import pytest

from emg.engine.upkeep import DAY, Upkeep
from tests.engines import SmallEngine


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def groups(small):
    return [row[0] for row in small.rows("SELECT parent FROM part_group")]


def test_a_group_goes_when_no_report_can_come_for_it_any_more(small):
    now = time.time()
    small.spool.keep_group(99, now, b"a group whose last part was lost")
    upkeep = Upkeep(small.engine)
    upkeep.tick(now + small.config.dlrexpire)
    assert groups(small) == [99]
    upkeep.tick(now + small.config.dlrexpire + 2 * DAY)
    assert groups(small) == []
