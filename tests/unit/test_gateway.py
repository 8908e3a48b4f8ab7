"""What the gateway says of itself."""

import time

import pytest

from emg.config.changes import NAMED, in_words
from emg.config.model import ServerConfig
from emg.gateway import Gateway


def test_a_reload_is_told_in_words() -> None:
    told = {
        "connectors_added": ["op1", "op2"],
        "connectors_removed": [],
        "users_changed": ["acme"],
        "after_restart": [],
    }
    assert in_words(told) == "connectors added op1, op2; users changed acme"


def test_a_reload_without_a_change_is_no_line() -> None:
    assert in_words({"connectors_added": [], "general": []}) == ""


def test_a_reload_of_many_accounts_is_no_long_line() -> None:
    names = [f"a{number}" for number in range(NAMED + 3)]
    assert in_words({"users_added": names}).endswith(f"a{NAMED - 1} and 3 more")


def test_a_duty_that_does_not_come_makes_the_loop_late() -> None:
    """Not only when it comes at last: a duty that hangs would hide itself."""
    gateway = Gateway(ServerConfig())
    assert gateway.lag == 0.0, "nothing is due before the start"
    gateway._tick_due = time.monotonic() - 60
    assert gateway.lag == pytest.approx(60, abs=5)
    gateway._tick_due, gateway._late = time.monotonic() + 1, 0.25
    assert gateway.lag == 0.25
