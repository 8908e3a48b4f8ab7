"""Alerts on their way to people: a mail server, a web server and a real gateway with a simulated operator, well and ill. The alert book and its channels run as a process of their own, as in the watchdog."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerting import HOST, ROOT, Alerting
from tests.gateways import GatewayProcess, SinkProcess, eventually, free_port, incoming, outgoing, user
from tests.hook_server import HookServer
from tests.mail_server import HANG, MailServer
from watchdog.model import Finding, Severity

SECRET = "a-secret-of-the-webhook"
DATABASE = Finding("database:away", "the database can't be reached")
DISK = Finding("disk:/var/spool/emg", "/var/spool/emg is full by 97 %", Severity.CRITICAL)
SILENT = Finding("gateway:silent", "the gateway does not answer", Severity.CRITICAL, "gateway")


def configure(folder: Path, *lines: str, more: str = "") -> Path:
    """A configuration with short times."""
    file = folder / "watchdog.cfg"
    (folder / "spool").mkdir(exist_ok=True)
    head = ["SPOOLDIR=spool", "ALERT_CLEAR=0.5", "ALERT_GATHER=0.4", *lines]
    file.write_text("\n".join([*head, more, ""]))
    return file


def by_mail(port: int) -> list[str]:
    return ["ALERT_MAIL=ann@example.com,bob@example.com", f"ALERT_SMTP=127.0.0.1:{port}"]


def by_webhook(url: str) -> list[str]:
    return [f"ALERT_WEBHOOK={url}", f"ALERT_WEBHOOK_SECRET={SECRET}"]


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer(SECRET) as server:
        yield server


def events(hook: HookServer) -> list[tuple[str, str]]:
    return [(alert["event"], alert["key"]) for body in hook.bodies for alert in body["alerts"]]


def test_what_comes_together_is_told_together_and_its_end_too(
    tmp_path: Path, mails: MailServer, hook: HookServer
) -> None:
    with Alerting(configure(tmp_path, *by_mail(mails.port), *by_webhook(hook.url))) as alerting:
        alerting.find(DATABASE)
        alerting.find(DATABASE, SILENT, DISK)
        alerting.did("gateway", "gateway was killed")
        eventually(lambda: len(mails.mails) == 1 and hook.bodies, wanted="one mail, one request")
        alerting.find()
        eventually(lambda: len(mails.mails) == 2 and len(hook.bodies) == 2, wanted="the end of all three")
        assert alerting.channel("mail")["ok"]
    first, second = mails.mails
    assert first["Subject"] == f"EMG {HOST}: 2 critical, 1 warning"
    assert first["To"] == "ann@example.com, bob@example.com"
    assert "CRITICAL: the gateway does not answer" in first.get_content()
    assert "gateway was killed" in first.get_content()
    assert second["Subject"] == f"EMG {HOST}: 3 over"
    assert sorted(events(hook)[3:]) == [("cleared", each.key) for each in (DATABASE, DISK, SILENT)]
    assert hook.refused == []
    assert hook.bodies[0]["path"] == "/hook/k3y-in-the-path?from=emg"


def test_a_flapping_database_is_one_mail(tmp_path: Path, mails: MailServer) -> None:
    with Alerting(configure(tmp_path, *by_mail(mails.port))) as alerting:
        for _ in range(30):
            alerting.find(DATABASE)
            alerting.find()
        eventually(lambda: alerting.status()["alerts"][0]["cleared"], wanted="the end")
        eventually(lambda: len(mails.mails) == 2, wanted="raised and over")
    assert "came back 29 times" in mails.mails[1].get_content()


def test_a_killed_watchdog_tells_nothing_twice_and_nothing_never(
    tmp_path: Path, mails: MailServer, hook: HookServer
) -> None:
    hook.answer = 500
    config = configure(tmp_path, *by_mail(mails.port), *by_webhook(hook.url))
    book = tmp_path / "spool" / "alerts.json"
    with Alerting(config) as alerting:
        alerting.find(DATABASE)
        eventually(lambda: mails.mails and alerting.channel("webhook")["failures"], wanted="a mail, and a refusal")
        eventually(lambda: '"told":{"mail"' in book.read_text(), wanted="the mail in the book")
        alerting.kill()
        hook.answer = 200
        alerting.start()
        alerting.find(DATABASE)
        eventually(lambda: hook.bodies, wanted="the webhook hears of it now")
        time.sleep(1)
    assert events(hook) == [("raised", "database:away")]
    assert len(mails.mails) == 1


def test_a_mail_server_that_says_nothing_and_a_port_that_refuses_hold_up_nobody(
    tmp_path: Path, hook: HookServer
) -> None:
    silent = MailServer(greeting=HANG)
    config = configure(tmp_path, *by_mail(silent.port), *by_webhook(hook.url))
    with silent, Alerting(config) as alerting:
        alerting.find(DATABASE)
        eventually(lambda: events(hook), wanted="the webhook")
        alerting.find(DATABASE, DISK)
        eventually(lambda: len(hook.bodies) == 2, wanted="the webhook again, while the mail hangs")
        eventually(lambda: alerting.channel("mail")["failures"], wanted="the end of the try")
        status = alerting.status()
    channel = next(each for each in status["channels"] if each["name"] == "mail")
    assert (channel["ok"], channel["waiting"]) == (False, 2)
    assert channel["error"] == "not done within 2 s"
    assert status["late"] < 1, "the loop went on"


def test_a_refused_connection_is_tried_again_until_it_works(tmp_path: Path) -> None:
    port = free_port()
    with Alerting(configure(tmp_path, *by_mail(port))) as alerting:
        alerting.find(DATABASE)
        eventually(lambda: alerting.channel("mail")["failures"], wanted="a refusal")
        assert "refused" in alerting.channel("mail")["error"].lower()
        alerting.find()
        eventually(lambda: alerting.status()["alerts"][0]["cleared"], wanted="the end")
        server = MailServer()
        server._socket.close()
        server._socket = socket.create_server(("127.0.0.1", port))
        with server:
            eventually(lambda: server.mails, 15, "the mail")
    [mail] = server.mails
    assert "OVER: the database can't be reached" in mail["Subject"]


def test_a_name_service_that_never_answers(tmp_path: Path, hook: HookServer) -> None:
    lines = ["ALERT_MAIL=ann@example.com", "ALERT_SMTP=mail.example.com:25"]
    with Alerting(configure(tmp_path, *lines, *by_webhook(hook.url)), "names") as alerting:
        alerting.find(DATABASE)
        eventually(lambda: alerting.channel("mail")["failures"] > 1, wanted="two tries")
        assert alerting.channel("mail")["error"] == "not done within 2 s"
        assert alerting.status()["late"] < 1


def test_a_server_that_does_not_know_the_secret_or_redirects_is_no_success(tmp_path: Path, hook: HookServer) -> None:
    config = configure(tmp_path, f"ALERT_WEBHOOK={hook.url}", "ALERT_WEBHOOK_SECRET=quite-another-secret")
    with Alerting(config) as alerting:
        alerting.find(DATABASE)
        eventually(lambda: alerting.channel("webhook")["failures"], wanted="a refusal")
        error = alerting.channel("webhook")["error"]
    assert error == "127.0.0.1: 403 Forbidden"
    assert hook.bodies == []
    assert len(hook.refused) == 1


def test_a_trial_tries_every_channel_and_leaves_no_alert(tmp_path: Path, mails: MailServer) -> None:
    config = configure(tmp_path, *by_mail(mails.port), *by_webhook(f"http://127.0.0.1:{free_port()}/k3y"))
    with Alerting(config) as alerting:
        mail, webhook = alerting.trial()
        assert alerting.status()["alerts"] == []
    assert mail == {"name": "mail", "ok": True, "error": ""}
    assert (webhook["name"], webhook["ok"]) == ("webhook", False)
    assert "refused" in webhook["error"].lower()
    assert "nothing is wrong" in mails.mails[0]["Subject"]


def test_a_trial_on_the_shell(tmp_path: Path, hook: HookServer) -> None:
    def run(*lines: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(ROOT / "app.py"), "watchdog", "trial", "-c", str(configure(tmp_path, *lines))]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)

    none = run()
    assert (none.returncode, none.stdout) == (1, "")
    assert "nobody gets alerts" in none.stderr
    well = run(*by_webhook(hook.url))
    assert (well.returncode, well.stdout, well.stderr) == (0, "webhook: sent\n", "")
    ill = run(*by_webhook(hook.url), *by_mail(free_port()))
    assert ill.returncode == 1
    assert ill.stdout == "webhook: sent\n"
    assert ill.stderr.startswith("mail: failed: 127.0.0.1:")
    assert len(hook.bodies) == 2


# -- SMS


def received(sink: SinkProcess) -> list[str]:
    """The numbers that the operator got messages for."""
    lines = [line.split("\t") for line in sink.ledger.read_text().splitlines()] if sink.ledger.exists() else []
    return [line[4] for line in lines if line[0] == "received"]


def gateway_config(sink: SinkProcess, *lines: str) -> str:
    head = "\n".join(["ALERT_CLEAR=0.5", "ALERT_GATHER=0.4", "ALERT_SMS_USER=watchdog", *lines, ""])
    parts = incoming("customers", ROUTE="operator"), outgoing("operator", sink.address), user("watchdog")
    return head + "".join(parts)


def test_an_sms_goes_through_the_gateway_itself_and_waits_while_it_is_down(tmp_path: Path) -> None:
    config = "ALERT_SMS=+46701234567,+46707654321"
    with SinkProcess(tmp_path / "sink") as sink:
        gateway = GatewayProcess(tmp_path, gateway_config(sink, config))
        with gateway, Alerting(gateway.config_file) as alerting:
            alerting.find(DISK)
            eventually(lambda: len(received(sink)) == 2, wanted="two messages at the operator")
            assert sorted(received(sink)) == ["46701234567", "46707654321"]
            gateway.kill()
            alerting.find(DISK, SILENT)
            eventually(lambda: alerting.channel("sms +46701234567")["failures"], wanted="a refusal")
            alerting.find(DISK, DATABASE)
            eventually(lambda: alerting.status()["alerts"][-1]["cleared"], wanted="the end of the silence")
            gateway.start()
            eventually(lambda: len(received(sink)) == 4, 20, "of the database, though not of the gateway")
            eventually(lambda: alerting.channel("sms +46701234567")["ok"], wanted="all told")
            assert alerting.channel("sms +46701234567")["waiting"] == 0
            told = alerting.status()["alerts"]
    assert {each["key"]: each["number"] for each in told}["gateway:silent"] == 2


def test_a_login_that_is_refused_stands_in_the_status(tmp_path: Path) -> None:
    with SinkProcess(tmp_path / "sink") as sink:
        text = gateway_config(sink, "ALERT_SMS=+46701234567", "ALERT_SMS_PASSWORD=wrongone")
        with GatewayProcess(tmp_path, text) as gateway, Alerting(gateway.config_file) as alerting:
            alerting.find(DISK)
            channel: dict[str, Any] = eventually(
                lambda: found if (found := alerting.channel("sms +46701234567"))["failures"] else {}, wanted="a refusal"
            )
        assert channel["error"].startswith("the gateway refused the login: R")
        assert "wrongone" not in json.dumps(channel)
        assert received(sink) == []


def test_a_gateway_that_is_stopped_in_its_tracks_holds_up_the_sms_alone(tmp_path: Path, mails: MailServer) -> None:
    with SinkProcess(tmp_path / "sink") as sink:
        text = gateway_config(sink, "ALERT_SMS=+46701234567", *by_mail(mails.port))
        with GatewayProcess(tmp_path, text) as gateway, Alerting(gateway.config_file) as alerting:
            assert gateway.program is not None
            gateway.program.signal(signal.SIGSTOP)
            alerting.find(SILENT)
            eventually(lambda: mails.mails, wanted="the mail")
            eventually(lambda: alerting.channel("sms +46701234567")["failures"], wanted="the end of the try")
            gateway.program.signal(signal.SIGCONT)
            eventually(lambda: received(sink), 20, "the message")
            assert alerting.status()["late"] < 1
