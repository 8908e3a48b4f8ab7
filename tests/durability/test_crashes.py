"""The crash ledger: whatever moment the gateway is killed at, nothing acknowledged is lost, and what is doubled is marked.

The clients and the operator keep their own ledgers; the gateway's word is asked for its marks alone (tests/durability/proof.py). `make soak` kills ten
times as often. To repeat a run: EMG_CRASH_SEED=<the printed one>.
"""

import dataclasses

import pytest

from tests.durability.crashes import CLIENTS, Client, Scenario, play, seed

LONG = ("--size", "400")
SCENARIOS = [
    Scenario("plain", kills=14),
    Scenario("one-at-a-time", kills=14, clients=(Client("acme", 3000.0, sessions=1, window=1),)),
    Scenario(
        "operator-away",
        kills=10,
        sink=("--stall", "0.01", "--drop", "0.003", "--delay", "5-60"),
        outgoing={"OPTIMEOUT": 2, "RETRYTIME": 1},
        sink_stops=0.3,
    ),
    Scenario("long-messages", kills=8, pause=(0.4, 1.6), clients=tuple(Client(c.name, 80.0, options=LONG) for c in CLIENTS)),
    Scenario("fail-instead", kills=10, outgoing={"MAYBESENT": "FAIL"}),
    Scenario(
        "spilled",
        kills=8,
        general="HEADSIZE=20\n",
        pause=(0.6, 1.4),
        outgoing={"THROUGHPUT": 300},
        clients=tuple(Client(c.name, 500.0, window=100) for c in CLIENTS),
    ),
    Scenario("deferred", kills=8, scheduled=200),
    Scenario(
        "retried-and-failed",
        kills=8,
        sink=(
            "--error-rate", "0.05:RTHROTTLED", "--report-states", "DELIVRD=8,UNDELIV=1,EXPIRED=1",
            "--report-before-answer", "0.1", "--report-delay", "0-2",
        ),
        outgoing={"RETRYTIME": 1},
    ),
]  # fmt: skip


def check(scenario, played, number, capsys):
    with capsys.disabled():
        print(
            f"\n{scenario.name}: seed {number}, {played.kills} kills in {played.seconds:.0f} s; {played.proof.figures()}"
        )
    assert not played.proof.faults(), played.trouble
    assert "Traceback" not in played.trouble
    assert played.proof.sent.acked > 5 * scenario.kills, "too little was under way for the kills to mean anything"
    if (scenario.outgoing or {}).get("MAYBESENT") == "FAIL":
        assert not played.proof.sent.duplicates
    else:
        assert not played.proof.wrongly_told


@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_acknowledged_survives_kills(scenario, tmp_path, capsys):
    number = seed()
    check(scenario, play(scenario, tmp_path, number), number, capsys)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_acknowledged_survives_many_kills(scenario, tmp_path, capsys):
    number = seed()
    scenario = dataclasses.replace(scenario, kills=scenario.kills * 9)
    check(scenario, play(scenario, tmp_path, number), number, capsys)
