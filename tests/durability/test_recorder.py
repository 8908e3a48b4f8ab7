"""The recorder's ledger: recorder, gateway and database are killed at random moments while clients send, and in the end every acknowledged message
has exactly one row in the log, with the state that its sender was told.

The clients' own ledgers say what was acknowledged; the outbox says what happened to what. `make soak` kills ten times as often; to repeat a run:
EMG_CRASH_SEED=<the printed one>.
"""

import json
import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from emg.db.engine import Database
from emg.engine import events
from emg.tools import ledger
from tests.durability.crashes import Client, Scenario, World, seed
from tests.gateways import Program, eventually

CATCH_UP = 60.0
STATES = {
    "DELIVRD": "delivered",
    "UNDELIV": "failed",
    "REJECTD": "failed",
    "EXPIRED": "expired",
    "DELETED": "deleted",
    "UNKNOWN": "unknown",
}
CLIENTS = (Client("acme", 400.0), Client("bravo", 60.0, options=("--size", "300", "--mode", "tx+rx")))
SINK = ("--report-states", "DELIVRD=8,UNDELIV=1,EXPIRED=1", "--report-delay", "0-2", "--error-rate", "0.03:RTHROTTLED")


class LogWorld(World):
    """The world of the crash ledgers, with a database and a recorder."""

    def __init__(self, scenario, folder, draws, stack, url, server):
        self.server = server
        self.recorder = None
        self.killed = Counter()
        super().__init__(scenario, folder, draws, stack)
        stack.callback(lambda: self.recorder and self.recorder.kill())

    def start_recorder(self):
        self.recorder = Program(["recorder", "-c", str(self.gateway.config_file)], self.folder / "recorder")

    def kill_at_random(self):
        kinds = ["recorder", "recorder", "gateway", "database"] if self.server else ["recorder", "recorder", "gateway"]
        while self.kills < self.scenario.kills:
            time.sleep(self.draws.uniform(*self.scenario.pause))
            kind = self.draws.choice(kinds)
            self.killed[kind] += 1
            self.kills += 1
            if kind == "gateway":
                self.gateway.kill()
                self.start()
                self.wait_until_up()
            elif kind == "database":
                self.server.kill()
                time.sleep(self.draws.uniform(0.0, 1.5))
                self.server.start()
            if kind == "recorder" or not self.recorder.alive:
                self.recorder.kill()
                self.start_recorder()

    def catch_up(self):
        """The recorder has written everything that the outbox holds."""
        last = self.gateway.query("SELECT max(seq) FROM outbox")[0][0]
        eventually(
            lambda: self.standing().get("position") == last, CATCH_UP, f"the log is at {last}: {self.standing()}"
        )
        self.recorder.signal(15)
        assert self.recorder.wait() == 0, self.recorder.printed()

    def standing(self):
        try:
            return json.loads((self.folder / "spool" / "recorder.json").read_text())
        except FileNotFoundError:
            return {}


def play(scenario, folder, draws, url, server):
    with ExitStack() as stack:
        world = LogWorld(scenario, folder, draws, stack, url, server)
        world.start_recorder()
        world.start_loads("--duration", "1h")
        world.kill_at_random()
        world.finish()
        if not world.recorder.alive:
            world.start_recorder()
        world.catch_up()
        return world


def faults_of(world, url):
    """Sentences about what the log does not say as it happened."""
    database = Database(url)
    with database.session() as session:
        rows = session.execute(text("SELECT id, status, account, done, sent, price FROM routelog")).all()
        parts = session.execute(text("SELECT id, parent, status, number FROM message_part")).all()
        money = [session.execute(text(query)).scalar() or 0 for query in (
            "SELECT sum(price) FROM routelog WHERE account IN (SELECT name FROM account)", "SELECT sum(charged) FROM account", "SELECT -sum(amount) FROM ledger",
        )]  # fmt: skip
    database.close()
    by_id = {str(row[0]): row for row in rows}
    counted = Counter(row[0] for row in rows)
    found = [f"{number} has {count} rows" for number, count in counted.items() if count > 1]
    if len(set(money)) > 1:
        found.append(f"prices, charged and the ledger differ: {money}")
    acked, reports = set(), {}
    for client in world.scenario.clients:
        for event in ledger.read(str(world.ledger(client))):
            if event[0] == "acked":
                acked.add(event[2])
            elif event[0] == "report":
                reports[event[1]] = event[2]
    found += [f"{number} was acknowledged and has no row" for number in acked if number not in by_id]
    for number, state in reports.items():
        if number in by_id and state in STATES and by_id[number][1] != STATES[state]:
            found.append(f"{number} was reported as {state} and stands as {by_id[number][1]}")
    return found + against_outbox(world, by_id, parts), len(acked), len(reports)


def against_outbox(world, by_id, parts):
    """What the gateway said happened."""
    accepted, ended, split = set(), {}, {}
    for event in world.gateway.events():
        if isinstance(event, events.Accepted):
            accepted.add(str(event.id))
        elif isinstance(event, events.Ended):
            ended[str(event.id)] = event.state.name.lower()
        elif isinstance(event, events.Split):
            split[event.part] = (event.id, event.number)
    found = []
    if accepted != set(by_id):
        found.append(
            f"{len(accepted - set(by_id))} of {len(accepted)} accepted have no row, {len(set(by_id) - accepted)} rows were never accepted"
        )
    wrong = [number for number, row in by_id.items() if row[1] != ended.get(number)]
    if wrong:
        found.append(
            f"{len(wrong)} have another end than the gateway said: {[(by_id[number], ended.get(number)) for number in wrong[:3]]}"
        )
    logged = {row[0]: (row[1], row[3]) for row in parts}
    if logged != split:
        found.append(f"{len(split)} parts were made, {len(logged)} are in the log")
    wrong_parts = [row for row in parts if row[2] != ended.get(str(row[0]))]
    if wrong_parts:
        found.append(f"{len(wrong_parts)} parts have another end: {wrong_parts[:3]}")
    return found


def check(folder, kills, url, server, capsys):
    number = seed()
    scenario = Scenario("log", kills=kills, pause=(0.4, 1.6), general=f"DATABASE={url}\n", sink=SINK, clients=CLIENTS)
    began = time.monotonic()
    world = play(scenario, folder, random.Random(number), url, server)
    faults, acked, reports = faults_of(world, url)
    with capsys.disabled():
        print(
            f"\n{'mariadb' if server else 'sqlite'}: seed {number}, killed {dict(world.killed)} in {time.monotonic() - began:.0f} s; "
            f"{acked} acknowledged, {reports} reported, faults {len(faults)}"
        )
    log = (Path(folder) / "log" / "recorder").read_text()
    assert not faults, "\n".join([*faults[:10], log[-3000:]])
    assert not (Path(folder) / "log" / "recorder-refused.jsonl").exists()
    assert "Traceback" not in log + world.recorder.printed()
    assert acked > 10 * kills, "too little was under way for the kills to mean anything"


@pytest.mark.timeout(180)
def test_the_log_survives_kills_of_recorder_gateway_and_database(own_mariadb, tmp_path, capsys):
    url = own_mariadb.url()
    upgraded(url)
    check(tmp_path, 16, url, own_mariadb, capsys)


@pytest.mark.timeout(180)
def test_the_embedded_log_survives_kills_of_recorder_and_gateway(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/emg.db"
    upgraded(url)
    check(tmp_path, 9, url, None, capsys)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_log_survives_many_kills(own_mariadb, tmp_path, capsys):
    url = own_mariadb.url()
    upgraded(url)
    check(tmp_path, 160, url, own_mariadb, capsys)


def upgraded(url):
    from emg.db import schema

    database = Database(url)
    schema.upgrade(database)
    database.close()
