"""A disk that fills up under load and has room again: the senders hear "busy", nothing acknowledged is lost, and work goes on.

The disk is a real one: a tmpfs of a few megabytes with the spool on it, mounted where the test may do that (root).
"""

import os
import random
import subprocess
import time
from contextlib import ExitStack

import pytest

from tests.durability.crashes import Scenario, World, seed
from tests.gateways import eventually

MEGABYTES = 24


@pytest.fixture
def small_disk(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    if os.geteuid():
        pytest.skip("mounting a tmpfs takes root")
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(spool)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {tried.stderr}")
    yield spool
    subprocess.run(["umount", "-l", str(spool)], check=True)


def fill(folder):
    """Leave no room."""
    with (folder / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass  # that is the end of it


def refused(world):
    return sum(
        line.startswith("refused\t") and line.endswith("RMSGQFUL")
        for client in world.scenario.clients
        for line in world.ledger(client).read_text().splitlines()
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize("killed", [False, True], ids=["goes-on", "killed-while-full"])
def test_nothing_is_lost_while_the_disk_is_full(small_disk, tmp_path, capsys, killed):
    scenario = Scenario("disk-full")
    with ExitStack() as stack:
        world = World(scenario, tmp_path, random.Random(seed()), stack)
        world.start_loads("--duration", "1h")
        eventually(lambda: all(world.ledger(client).exists() for client in scenario.clients), 20.0, "the clients send")
        for _ in range(2):
            before = refused(world)
            time.sleep(1.0)
            fill(small_disk)
            eventually(lambda before=before: refused(world) > before + 20, 20.0, "RMSGQFUL while the disk is full")
            if killed:
                world.gateway.kill()
            (small_disk / "filler").unlink()
            if killed:
                world.start()
                world.wait_until_up()
        time.sleep(1.0)
        answered = world.ledger(scenario.clients[0]).read_text().count("acked\t")
        eventually(
            lambda: world.ledger(scenario.clients[0]).read_text().count("acked\t") > answered + 50, 20.0, "work goes on"
        )
        summaries = world.finish()
        proof = world.proof()
    with capsys.disabled():
        print(f"\ndisk full{' and killed' if killed else ''}: {proof.figures()}")
    assert not proof.faults(), world.faults_in_log()
    assert "Traceback" not in world.faults_in_log()
    assert all(set(summary["refused"]) <= {"RMSGQFUL"} for summary in summaries)
