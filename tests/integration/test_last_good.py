"""server.cfg has a fault, and then things die: everything goes on with the last good copies, and people are told."""

import os
import signal
from collections.abc import Iterator

import pytest

from emg.control.client import Client
from tests.gateways import eventually, incoming, user
from tests.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SECONDS = 30.0


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    files = {"routes.csv": "prefix,connector_out\n"}
    with Stack(tmp_path, "ROUTES=routes.csv\n" + incoming() + user(), files) as running:
        running.wait_for_log("the watchdog is up, under supervisord")
        yield running


def faults(stack: Stack) -> str:
    return Client(stack.config.control, 2.0).get("/status")["configuration_faults"]


def test_a_typo_of_the_day_is_no_outage_of_the_night(stack):
    file = stack.files.config_file
    good = file.read_text()
    assert faults(stack) == ""
    file.write_text(good + "NOSUCHWORD=1\n")
    for name in ("gateway", "watchdog"):
        before = stack.pid(name)
        os.kill(before, signal.SIGKILL)
        stack.well_again(name, before, SECONDS)
    assert "NOSUCHWORD" in faults(stack)
    for words in (["ctl", "status"], ["watchdog", "status"]):
        run = stack.emg(*words)
        assert run.returncode == 0, run
        assert run.stderr.startswith(f"emg {words[0]}: the configuration has faults: ")
        assert run.stderr.count("\n") == 1
    stack.wait_for_log("NOSUCHWORD")
    before = stack.pid("watchdog")
    file.write_text(good)
    Client(stack.config.control, 10.0).post("/reload")
    assert faults(stack) == ""
    assert stack.pid("watchdog") == before


def test_a_faulty_table_neither(stack):
    (stack.folder / "routes.csv").write_text("nonsense\n")
    before = stack.pid("gateway")
    os.kill(before, signal.SIGKILL)
    stack.well_again("gateway", before, SECONDS)
    assert "routes.csv" in faults(stack)
    alerts = stack.folder / "spool" / "alerts.json"
    eventually(lambda: alerts.exists() and "gateway:configuration" in alerts.read_text(), SECONDS, "an alert")
