"""What is done from time to time: nothing that is over stays for ever, and nothing that is not over goes."""

import time

import pytest

from emg.engine.upkeep import DAY, Upkeep
from tests.engines import SmallEngine, short


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def groups(small):
    return [row[0] for row in small.rows("SELECT parent FROM part_group")]


def test_a_group_goes_when_no_report_can_come_for_it_any_more(small):
    (number,) = small.submit(1, lambda _number: short(body=b"x" * 300))
    upkeep = Upkeep(small.engine)
    waited = small.config.default_vp + small.config.dlrexpire
    upkeep.tick(time.time() + waited)
    assert groups(small) == [number]
    upkeep.tick(time.time() + waited + 2 * DAY)
    assert groups(small) == []
