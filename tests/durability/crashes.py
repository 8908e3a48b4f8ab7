"""A gateway that is killed again and again between clients and an operator that live on, and what is left in the end.

`Scenario` says what is varied, `play` plays it: sink and load clients are programs of their own and are never killed; the gateway gets SIGKILL at
random moments and is started again at once on the same spool. Every random choice comes from one seed (EMG_CRASH_SEED, else the clock's), which is
printed: with the same seed the kills come after the same pauses.
"""

import contextlib
import json
import os
import random
import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from emg.tools.ledger import Ledger
from emg.tools.tags import new_run
from tests.durability.proof import Proof
from tests.gateways import Esme, GatewayProcess, Program, SinkProcess, incoming, outgoing, user

START_SECONDS = 20.0
DRAIN_SECONDS = 60.0


def seed():
    """From EMG_CRASH_SEED, or a new one."""
    return int(os.environ.get("EMG_CRASH_SEED") or time.time_ns() % 10**9)


@dataclass
class Client:
    """One account and its load program."""

    name: str
    rate: float = 800.0
    sessions: int = 2
    window: int = 20
    options: tuple = ()


CLIENTS = (Client("acme"), Client("bravo", options=("--mode", "tx+rx")))


@dataclass
class Scenario:
    """What is varied."""

    name: str
    kills: int = 10
    pause: tuple = (0.1, 1.0)
    """Seconds that a gateway lives after it was seen to accept connections."""
    again: float = 0.25
    """Chance that it is killed before it does, during its recovery."""
    general: str = ""
    incoming: dict | None = None
    outgoing: dict | None = None
    sink: tuple = ()
    clients: tuple = CLIENTS
    sink_stops: float = 0.0
    """Chance a kill that the operator does not answer, until the kill after it."""
    scheduled: int = 0
    """Messages that are submitted before the first kill, to leave some seconds later."""


def summary_of(load):
    """What a load client says at its end; what it printed instead is the fault."""
    printed = load.printed()
    assert "Traceback" not in printed, printed[-5000:]
    assert printed.rstrip().endswith("}"), f"no summary: {printed[-5000:]!r}"
    return json.loads(printed.splitlines()[-1])


class World:
    """The gateway, the operator and the clients of one run."""

    def __init__(self, scenario, folder, draws, stack):
        self.scenario, self.folder, self.draws = scenario, Path(folder), draws
        self.kills = 0
        self.sink_is_stopped = False
        self.sink = stack.enter_context(SinkProcess(self.folder / "sink", "--retry", "0.5", *scenario.sink))
        self.gateway = stack.enter_context(GatewayProcess(self.folder, self.configuration()))
        self.loads = []
        stack.callback(lambda: [load.kill() for load in self.loads])

    def configuration(self):
        scenario = self.scenario
        way_in = {"INSTANCES": 100, "WINDOWSIZE": 50, "ROUTE": "operator"} | (scenario.incoming or {})
        way_out = {"INSTANCES": 2, "WINDOWSIZE": 50, "WAITBEFORECONNECT": 0} | (scenario.outgoing or {})
        return (
            scenario.general
            + incoming("customers", **way_in)
            + outgoing("operator", self.sink.address, **way_out)
            + "".join(user(client.name, SESSIONS=20, WINDOWSIZE=100) for client in scenario.clients)
        )

    def ledger(self, client):
        return self.folder / f"{client.name}.ledger"

    def start_loads(self, *amount):
        """Clients that reconnect for ever and send so much."""
        for number, client in enumerate(self.scenario.clients, 1):
            command = [
                "load", "--to", f"127.0.0.1:{self.gateway.port()}", "--system-id", client.name, "--password", "secret",
                "--sessions", str(client.sessions), "--window", str(client.window), "--rate", str(client.rate),
                "--reports", "--report-wait", str(DRAIN_SECONDS), "--answer-wait", "30", *amount,
                "--reconnect", "--recipients", f"467{number}:1", "--ledger", str(self.ledger(client)), "--json",
                *client.options,
            ]  # fmt: skip
            self.loads.append(Program(command, self.folder / f"load-{client.name}"))

    def submit_scheduled(self):
        """Messages of the first account that are due while the kills go on; its load client gets their reports."""
        tags = new_run()
        with (
            contextlib.closing(Ledger(str(self.ledger(self.scenario.clients[0])))) as ledger,
            Esme.bound(self.gateway.port(), self.scenario.clients[0].name, kind="tx") as client,
        ):
            for number in range(self.scenario.scheduled):
                # each session of the ledger is one time: order is promised to messages for the same one alone
                seconds = 2 + number % 6
                tag, dest = f"{tags}{number}", f"4679{number % 10}"
                ledger.submitted(tag, dest, 90 + seconds, 1)
                ledger.flush()
                answer = client.submit(
                    dest, f"{tag} ", registered_delivery=1, schedule_delivery_time=f"0000000000{seconds:02}000R"
                )
                assert answer.status == 0
                ledger.acked(tag, answer.message_id)

    def start(self):
        """Start the gateway and return at once."""
        self.gateway.program = Program(["gateway", "-c", str(self.gateway.config_file)], self.folder / "printed")

    def wait_until_up(self):
        """Until it accepts connections."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.gateway.program.alive, f"the gateway ended at its start:\n{self.faults_in_log()}"
            try:
                socket.create_connection(("127.0.0.1", self.gateway.port()), 1.0).close()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the gateway does not come up:\n{self.faults_in_log()}")

    def kill_again_and_again(self):
        scenario, draws = self.scenario, self.draws
        while self.kills < scenario.kills:
            if draws.random() < scenario.again:
                time.sleep(draws.uniform(0.05, 0.6))
            else:
                self.wait_until_up()
                time.sleep(draws.uniform(*scenario.pause))
            self.gateway.kill()
            self.kills += 1
            self.turn_sink()
            self.start()

    def turn_sink(self):
        """Stop the operator's program for a while, or let it go on."""
        if self.sink_is_stopped:
            self.sink.program.signal(signal.SIGCONT)
            self.sink_is_stopped = False
        elif self.draws.random() < self.scenario.sink_stops:
            self.sink.program.signal(signal.SIGSTOP)
            self.sink_is_stopped = True

    def finish(self):
        """Let everything come to its end; the clients' summaries."""
        if self.sink_is_stopped:
            self.sink.program.signal(signal.SIGCONT)
        for load in self.loads:
            load.signal(signal.SIGINT)  # nothing new; what is on its way is waited for
        for load in self.loads:
            load.wait(DRAIN_SECONDS + 60.0)
        summaries = [summary_of(load) for load in self.loads]
        self.fetch_the_rest()
        assert self.gateway.stop() == 0, self.faults_in_log()
        self.sink.stop()
        return summaries

    def fetch_the_rest(self):
        """Reports on messages whose acknowledgement never came: no client waits for them, so one has to come by."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.left():
            assert time.monotonic() < deadline, f"still in the spool: {self.left()}\n{self.faults_in_log()}"
            self.loads = []
            self.start_loads("--messages", "1")
            for load in self.loads:
                load.wait(DRAIN_SECONDS + 60.0)

    def left(self):
        """What the gateway still has to do: messages in its queues, and reports that it waits for."""
        status = self.gateway.control("GET", "/status")
        return {name: status[name] for name in ("queued", "open_reports") if status[name]}

    def faults_in_log(self):
        """Lines of the gateway's log that say ERROR or show a traceback, and what it printed."""
        lines = [
            line
            for each in sorted((self.folder / "log").glob("*"))
            if each.is_file()  # and not the folder for dumps
            for line in each.read_text(errors="replace").splitlines()
            if "ERROR" in line or "Traceback" in line or line.startswith("  ")
        ]
        printed = self.gateway.program.printed() if self.gateway.program is not None else ""
        return "\n".join(lines[:60]) + printed[-3000:]

    def proof(self):
        """What the ledgers and the spool say."""
        clients = [self.ledger(client) for client in self.scenario.clients]
        return Proof.of(self.folder, clients, self.sink.ledger, self.gateway.spool_file)


@dataclass
class Played:
    """What came of a run."""

    proof: Proof
    kills: int
    seconds: float
    trouble: str
    """What the gateway's log says of faults."""
    summaries: list


def play(scenario, folder, number):
    """One run of a scenario: kill, restart, drain, look."""
    draws = random.Random(f"{scenario.name} {number}")
    began = time.monotonic()
    with ExitStack() as stack:
        world = World(scenario, folder, draws, stack)
        if scenario.scheduled:
            world.submit_scheduled()
        world.start_loads("--duration", "1h")
        world.kill_again_and_again()
        world.wait_until_up()
        summaries = world.finish()
        return Played(world.proof(), world.kills, time.monotonic() - began, world.faults_in_log(), summaries)
