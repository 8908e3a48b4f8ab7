"""What the watchdog sees on the real stack, and who hears of it: supervisord, gateway, recorder, scheduler, and every channel of alerts."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from emg.db import schema
from emg.db.engine import Database
from tests.gateways import Esme, SinkProcess, eventually, incoming, outgoing, user
from tests.hook_server import HookServer
from tests.mail_server import HANG, MailServer
from tests.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.slow]
SECRET = "a-secret-of-the-webhook"
FILES = "program:gateway:files"
SECONDS = 20.0


class Scene(NamedTuple):
    """The stack and who is told."""

    stack: Stack
    sink: SinkProcess
    hook: HookServer

    def told(self, key: str) -> list[str]:
        """What the webhook heard of an alert, rightly signed."""
        return [alert["event"] for body in self.hook.bodies for alert in body["alerts"] if alert["key"] == key]

    def messages(self) -> int:
        """That the operator got."""
        return self.sink.ledger.read_text().count("received\t") if self.sink.ledger.exists() else 0


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Iterator[Scene]:
    """Alerts within a second, repeated after three; the mail server takes connections and says nothing."""
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as stacked:
        sink = stacked.enter_context(SinkProcess(folder / "sink"))
        hook = stacked.enter_context(HookServer(SECRET))
        mails = stacked.enter_context(MailServer(greeting=HANG))
        database = f"sqlite:///{folder / 'emg.db'}"
        with_schema(database)
        config = (
            f"DATABASE={database}\nALERT_CLEAR=0.5\nALERT_GATHER=0.3\nALERT_REPEAT=3\nALERT_SMS=+46701234567\nALERT_SMS_USER=watchdog\n"
            f"ALERT_WEBHOOK={hook.url}\nALERT_WEBHOOK_SECRET={SECRET}\nALERT_MAIL=ann@example.com\nALERT_SMTP=127.0.0.1:{mails.port}\n"
            + incoming(ROUTE="operator") + outgoing("operator", sink.address) + user() + user("watchdog")
        )  # fmt: skip
        stack = stacked.enter_context(Stack(folder, config))
        stack.wait_for_log("the watchdog is up, under supervisord")
        yield Scene(stack, sink, hook)


def with_schema(url: str) -> None:
    """Make the database."""
    database = Database(url)
    schema.upgrade(database)
    database.close()


@pytest.mark.parametrize("name", ["scheduler", "recorder"])
def test_who_was_stopped_by_a_signal_goes_on(scene: Scene, name: str) -> None:
    pid, before = scene.stack.pid(name), scene.messages()
    os.kill(pid, signal.SIGSTOP)
    scene.stack.wait_for_log(f"{name} was told to go on (SIGCONT)")
    eventually(lambda: scene.told(f"program:{name}:halted")[-1:] == ["cleared"], SECONDS, "over")
    assert scene.told(f"program:{name}:halted")[0] == "raised"
    eventually(lambda: scene.messages() > before, SECONDS, "a short message, through the gateway itself")
    assert scene.stack.pid(name) == pid


def test_files_near_their_limit_are_told_and_told_again_and_are_over(scene: Scene) -> None:
    pid = scene.stack.pid("gateway")
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (int(opened / 0.88), usual[1]))
    try:
        eventually(lambda: "repeated" in scene.told(FILES), SECONDS, "raised, and told again")
        assert " files and connections open; it may have " in scene.stack.emg("watchdog", "alerts", "--json").stdout
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened, usual[1]))
        eventually(lambda: "worse" in scene.told(FILES), SECONDS, "worse")
        assert scene.stack.emg("watchdog", "health").returncode == 1
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    eventually(lambda: scene.told(FILES)[-1:] == ["cleared"], SECONDS, "over")
    assert scene.told(FILES)[0] == "raised"
    assert scene.hook.refused == [], "each was rightly signed"
    assert scene.stack.pid("gateway") == pid
    assert scene.stack.log("general").count("accepting pauses") <= 1
    scene.stack.wait_for_log("alerts by mail: try")
    Esme.bound(scene.stack.files.port()).close()


def test_a_limit_that_no_restart_helps_against_is_told_and_let_be(tmp_path) -> None:
    config = "ALERT_CLEAR=0.5\nWATCHDOG_MEMORY=gateway:20M\nWATCHDOG_RESTARTS=1\n" + incoming() + user()
    with Stack(tmp_path, config) as stack:
        stack.wait_for_log("restart gateway: gateway takes")
        stack.wait_for_log("restarts do not help gateway: there were 1 within 600 s; the next is tried in 5")
        pid = stack.pid("gateway")
        assert stack.dumps("gateway"), "what it did before the restart"
        assert "restarts do not help gateway" in stack.emg("watchdog", "alerts", "--json").stdout
        time.sleep(6)  # a look a second, and more than a pause between two restarts
        assert stack.pid("gateway") == pid
        assert stack.log("watchdog").count("restart gateway") == 1
        file = stack.files.config_file
        file.write_text(file.read_text().replace("gateway:20M", "gateway:2G"))
        assert stack.emg("watchdog", "restart", "watchdog").returncode == 0
        stack.wait_for_log("alert cleared: critical restarts do not help gateway")
        assert stack.pid("gateway") == pid
