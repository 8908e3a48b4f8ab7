"""What decided a message's way is kept with it: `account`, `connector`, or `table` with the row."""

from dataclasses import replace
from pathlib import Path

import pytest

from emg.engine.events import Accepted
from emg.engine.port import Port
from emg.errors import Cause, Rejected
from emg.rules import retry_smpp
from tests.engines import SmallEngine, short

ROUTES = "prefix,account,connector_in,connector_out,priority,weight,enabled\n46,,,one,,,\n4670,,,one,,1,\n4670,,,two,,1,\n47,acme,,two:one,,,\n"


@pytest.fixture
def small(tmp_path: Path):
    """Messages come in by a connector without a ROUTE of its own."""
    made = SmallEngine(tmp_path, routes=ROUTES)
    port = made.engine.ports["customers"]
    made.engine.ports["customers"] = Port(replace(port.config, route=None), port.lane, retry_smpp.CUSTOMER)
    yield made
    made.close()


def test_the_row_that_decided_is_in_the_event(small: SmallEngine) -> None:
    for dest in ("4681", "46701", "46702", "47"):
        small.submit(1, lambda _number, dest=dest: short(dest))
    assert [(event.queue, event.route) for event in small.events(Accepted)] == [
        ("one", "table 2"), ("one", "table 3"), ("two", "table 4"), ("two", "table 5"),
    ]  # fmt: skip


def test_the_row_of_one_that_waits_for_a_connector_that_is_down(small: SmallEngine) -> None:
    for name in ("one", "two"):
        small.engine.ports[name].reachable = False
    small.submit(1, lambda _number: short("47"))
    assert [(event.queue, event.route) for event in small.events(Accepted)] == [("two", "table 5")]


def test_no_row_is_no_route(small: SmallEngine) -> None:
    with pytest.raises(Rejected) as refused:
        small.submit(1, lambda _number: short("48"))
    assert refused.value.cause is Cause.NO_ROUTE
