"""Hours in minutes (`make soak`): a mixed load for a long time, and memory that stays where it is.

EMG_SOAK_SECONDS (600) sets how long; in less than ten minutes SQLite's cache of 64 MB is still filling. The first part fills what is bounded by design (recent reports, SQLite's page cache); after it the gateway's
resident memory must not grow by more than `GROWTH_MEGABYTES`.
"""

import os
import random
import statistics
import time
from contextlib import ExitStack

import psutil
import pytest

from tests.durability.crashes import Client, Scenario, World, seed

GROWTH_MEGABYTES = 24.0
FILLING = 0.4
EVERY_SECONDS = 2.0
CLIENTS = (
    Client("acme", 250.0),
    Client("bravo", 100.0, options=("--mode", "tx+rx")),
    Client("carlo", 20.0, options=("--size", "400")),
    Client("delta", 60.0, options=("--text", "Привет")),
)


@pytest.mark.soak
@pytest.mark.timeout(4000)
def test_memory_stays_where_it_is(tmp_path, capsys):
    seconds = float(os.environ.get("EMG_SOAK_SECONDS", "600"))
    scenario = Scenario(
        "soak",
        clients=CLIENTS,
        sink=(
            "--delay", "1-30", "--report-delay", "0-5", "--report-states", "DELIVRD=20,UNDELIV=1",
            "--error-rate", "0.002:RTHROTTLED", "--drop", "0.00005", "--report-before-answer", "0.02",
        ),
    )  # fmt: skip
    with ExitStack() as stack:
        world = World(scenario, tmp_path, random.Random(seed()), stack)
        world.start_loads("--duration", f"{seconds}s")
        process = psutil.Process(world.gateway.pid)
        began = time.monotonic()
        samples = []
        while time.monotonic() - began < seconds:
            time.sleep(EVERY_SECONDS)
            samples.append(process.memory_info().rss / 1e6)
        handles = process.num_fds()
        for load in world.loads:
            load.wait(120.0)
        world.finish()
        proof = world.proof()
    after = samples[int(len(samples) * FILLING) :]
    quarter = max(1, len(after) // 4)
    first, last = statistics.median(after[:quarter]), statistics.median(after[-quarter:])
    with capsys.disabled():
        print(
            f"\nsoak of {seconds:.0f} s: {proof.figures()}\nresident {samples[0]:.1f} MB at first, {first:.1f} MB filled, "
            f"{last:.1f} MB at the end; {handles} descriptors"
        )
    assert not proof.faults(), world.faults_in_log()
    assert last - first < GROWTH_MEGABYTES
    assert "Traceback" not in world.faults_in_log()
