"""The fault table on the real stack: after each fault everything is healthy again without a hand, and nothing that was acknowledged is lost.

Each test does one fault of `faults.FAULTS` while a client sends, and prints how long it took; a time is judged only by a bound of half a minute, what is lost
always. With EMG_FAULTS_PAGE (`make faults`) the figures are written to that file.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import MariaDb
from tests.faults import page
from tests.faults.disk import Disk
from tests.faults.faults import FAULTS, Fault
from tests.faults.stage import Stage

BEFORE_SECONDS = 0.5
AFTER_SECONDS = 0.7
"""So long the client goes on sending after all is well."""

pytestmark = [pytest.mark.durability, pytest.mark.slow, pytest.mark.timeout(150)]


class Theatre:
    """The stage that all tests share; a test that leaves it broken gets the next one a new one."""

    def __init__(self, folder: Path, mariadb: MariaDb) -> None:
        self.folder, self.mariadb = folder, mariadb
        self.disk: Disk | None = None
        self.stage: Stage | None = None
        self.count = 0
        self.outcomes: list[page.Outcome] = []

    def ready(self) -> Stage:
        """A stage on which all is well."""
        if self.stage is None or not self.stage.well():
            self.close()
            self.count += 1
            folder = self.folder / f"stage{self.count}"
            folder.mkdir()
            self.mariadb.start()
            self.disk = Disk(folder / "spool", folder / "disk")
            self.stage = Stage(folder, self.mariadb, self.disk)
        return self.stage

    def close(self) -> None:
        """End it."""
        if self.stage is not None:
            self.stage.close()
        if self.disk is not None:
            self.disk.close()
        self.stage = self.disk = None


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    target = os.environ.get("EMG_FAULTS_PAGE")
    busy = page.others() if target else 0.0
    began, mariadb = time.monotonic(), MariaDb()
    made = Theatre(tmp_path_factory.mktemp("faults"), mariadb)
    yield made
    made.close()
    mariadb.remove()
    if target:
        page.write(Path(target), made.outcomes, time.monotonic() - began, busy)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_healthy_again_and_nothing_lost(fault: Fault, theatre: Theatre, capsys) -> None:
    stage = theatre.ready()
    if stage.disk.kind not in fault.needs:
        pytest.skip(f"takes a disk that can be mounted here ({' or '.join(fault.needs)}): root, and a loop device")
    with stage.sending(fault.rate, fault.sessions) as load:
        time.sleep(BEFORE_SECONDS)
        done = fault.do(stage, load)
        seconds = stage.healthy_again(done)
        time.sleep(AFTER_SECONDS)
        account = load.settle()
    stage.set_clock(0.0)
    outcome = page.Outcome(fault, done, seconds, account, stage.disk.device)
    theatre.outcomes.append(outcome)
    with capsys.disabled():
        print(f"\n{outcome.line()}", end="")
    assert not account.faults(), stage.told()
    assert account.acked > 100, "too little was under way for it to mean anything"
    if done.no_duplicates:
        assert not account.marked, "a drain leaves nothing that may have been sent"
