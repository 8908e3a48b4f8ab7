"""What every test gets: hypothesis profiles, markers by folder, and no way out of the loopback interface.

`ci` is the profile of every ordinary run: the same examples each time, few and quick. `fuzz` (`make fuzz`) looks for new ones.
Warnings are errors and every test has 60 seconds (pyproject.toml).
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.databases"]

HERE = Path(__file__).parent

# Left behind by readline in pytest-xdist's workers: what is no terminal is wide, for the tests as in production.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
# Who is started in the background by a shell ignores SIGINT, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.")

ASKED_FOR = ("machine", "soak")
"""Markers of what is run with a target of its own."""

# Two busy cores make any single example slow at times: only an example's outcome counts, not its time.
SLOW_MACHINE = [HealthCheck.too_slow]
settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, max_examples=60, suppress_health_check=SLOW_MACHINE
)
settings.register_profile("fuzz", database=None, deadline=None, max_examples=1000, suppress_health_check=SLOW_MACHINE)
settings.load_profile("ci")


def stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise when a test is about to connect to another machine."""
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test wanted to connect to {address}: tests stay on the loopback interface")


sys.addaudithook(stay_on_loopback)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder, and leave out those of `ASKED_FOR` unless the command line names them."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in ("durability", "integration"):
            item.add_marker(folder)
    left_out = {marker for marker in ASKED_FOR if marker not in config.option.markexpr}
    config.hook.pytest_deselected(items=[item for item in items if not left_out.isdisjoint(item.keywords)])
    items[:] = [item for item in items if left_out.isdisjoint(item.keywords)]
