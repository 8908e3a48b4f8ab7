"""A connector's settings while it works."""

from dataclasses import replace

import pytest

from tests.engines import SmallEngine


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("name", ["customers", "one"])
def test_a_reload_brings_no_second_burst(small, name):
    port = small.engine.ports[name]

    def paced(rate):
        port.configure(replace(port.config, throughput=rate), port.retry)
        return port.bucket if port.incoming else port.lane.pacer

    pacer = paced(2.0)
    assert [pacer.take(100.0) for _ in range(3)] == [True, True, False]
    assert paced(2.0).take(100.0) is False
    assert paced(20.0).take(100.0) is False
    assert paced(20.0).take(100.1) is True
    assert paced(0.0) is None
