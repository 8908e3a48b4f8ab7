"""What tests of the watchdog share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.watchdog_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Its API on a real socket."""
    running = Site(tmp_path)
    yield running
    running.api.stop()
