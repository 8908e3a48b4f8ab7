"""Connections that are cut while the window is full, from either side, without any program but a client dying (protocol cases S16, S17, S39)."""

import random
import time
from contextlib import ExitStack

import pytest

from tests.durability.crashes import CLIENTS, Client, Scenario, World, seed
from tests.gateways import eventually

pytestmark = pytest.mark.timeout(120)


def finished(world, capsys):
    """Drain, print, and give the proof."""
    world.finish()
    proof = world.proof()
    with capsys.disabled():
        print(f"\n{world.scenario.name}: {proof.figures()}")
    assert not proof.faults(), world.faults_in_log()
    assert not proof.wrongly_told
    assert "Traceback" not in world.faults_in_log()
    return proof


def test_s17_the_operator_cuts_with_a_full_window(tmp_path, capsys):
    scenario = Scenario("operator-cuts", sink=("--drop", "0.004", "--delay", "5-20"), outgoing={"WINDOWSIZE": 10})
    with ExitStack() as stack:
        world = World(scenario, tmp_path, random.Random(seed()), stack)
        world.start_loads("--messages", "800")
        for load in world.loads:
            load.wait(100.0)
        proof = finished(world, capsys)
    assert proof.sent.acked == 1600
    assert proof.sent.duplicates
    assert proof.outbox.messages_maybe_sent()


def test_s17_failing_instead_of_sending_twice(tmp_path, capsys):
    scenario = Scenario(
        "operator-cuts-fail", sink=("--drop", "0.01", "--delay", "20-60"), outgoing={"MAYBESENT": "FAIL"}
    )
    with ExitStack() as stack:
        world = World(scenario, tmp_path, random.Random(seed()), stack)
        world.start_loads("--messages", "500")
        for load in world.loads:
            load.wait(100.0)
        world.finish()
        proof = world.proof()
        assert not proof.faults(), world.faults_in_log()
    with capsys.disabled():
        print(f"\noperator-cuts-fail: {proof.figures()}")
    assert not proof.sent.duplicates
    assert proof.outbox.states["FAILED"]


def test_s39_clients_die_and_come_back(tmp_path, capsys):
    """A client that is gone gets its reports when it binds again, once each unless an acknowledgement was lost with it."""
    draws = random.Random(seed())
    scenario = Scenario(
        "client-cuts",
        sink=("--report-delay", "0-1"),
        clients=tuple(Client(c.name, 400.0, options=c.options) for c in CLIENTS),
    )
    with ExitStack() as stack:
        world = World(scenario, tmp_path, draws, stack)
        for _ in range(6):
            world.start_loads("--duration", "1h")
            time.sleep(draws.uniform(0.6, 1.2))
            for load in world.loads:
                load.kill()
            world.loads = []
        world.start_loads("--messages", "50")
        for load in world.loads:
            load.wait(60.0)
        proof = finished(world, capsys)
    assert proof.sent.acked > 500
    assert not proof.sent.duplicates, "the operator's side was never cut"


def test_s16_an_orderly_stop_under_load_leaves_nothing_in_doubt(tmp_path, capsys):
    """SIGTERM waits for the answers in the window: what the gateway sent it knows of."""
    scenario = Scenario("stops", general="DRAINTIME=10\n", sink=("--delay", "20-60"))
    with ExitStack() as stack:
        world = World(scenario, tmp_path, random.Random(seed()), stack)
        world.start_loads("--duration", "1h")
        for _ in range(3):
            count = len(world.sink.ledger.read_text().splitlines())
            eventually(lambda count=count: len(world.sink.ledger.read_text().splitlines()) > count + 200, 20.0)
            assert world.gateway.stop() == 0
            world.gateway.start()
        proof = finished(world, capsys)
    assert not proof.sent.duplicates
    assert not proof.outbox.messages_maybe_sent()
