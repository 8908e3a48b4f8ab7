"""What the channels send, and what they make of each answer, against servers that speak SMTP and HTTP; a try is made directly, without its greenlet."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emg.config.model import Endpoint, MailTls
from tests.certificates import Authority
from tests.hook_server import HookServer
from tests.mail_server import DROP, MailServer
from watchdog.alerts import Book, Notice
from watchdog.channels import NotTold
from watchdog.channels.mail import Mail
from watchdog.channels.webhook import Webhook
from watchdog.model import Finding, Severity
from watchdog.settings import MailSettings, WebhookSettings

AT = 1_800_000_000.0
SECRET = "a-secret-of-the-webhook"
FINDING = Finding("gateway:silent", "the gateway does not answer: żółć", Severity.CRITICAL, "gateway")


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[list[Notice]]:
    book = Book(str(tmp_path / "alerts.json"))
    yield book.update([FINDING], AT, 0.0)
    book.save()


def mail(port: int, host: str = "127.0.0.1", **more: object) -> Mail:
    settings = {"recipients": ("ann@example.com", "bob@example.com"), "sender": "emg@house.example"} | more
    return Mail(MailSettings(server=Endpoint(host, port), **settings), "gw1", 21600)  # type: ignore[arg-type]


def test_a_mail_says_all_and_the_same_news_has_the_same_id(notices: list[Notice]) -> None:
    with MailServer() as server:
        assert mail(server.port).send(notices, 0, AT + 5) == ""
        assert mail(server.port).send(notices, 0, AT + 65) == ""
    first, second = server.mails
    assert first["Subject"] == "EMG gw1: CRITICAL: the gateway does not answer: żółć"
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@house.example>")
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().splitlines()[:4] == [
        "EMG on gw1, 2027-01-15 08:00:05 UTC: 1 critical.",
        "",
        "CRITICAL: the gateway does not answer: żółć",
        "  Since 2027-01-15 08:00:00 UTC (5 s).",
    ]
    assert "ehlo gw1" in server.commands, "our name is not asked of the name service"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"greeting": "421 not now"}, "421 not now"),
        ({"MAIL": "550 not you"}, "550 not you"),
        ({"RCPT": "550 nobody"}, "ann@example.com: 550 nobody; bob@example.com: 550 nobody"),
        ({".": "452 full"}, "452 full"),
        ({"DATA": DROP}, "closed"),
        ({"greeting": DROP}, "closed"),
    ],
)
def test_a_mail_that_is_not_taken(notices: list[Notice], answers: dict[str, str], words: str) -> None:
    with MailServer(**answers) as server, pytest.raises(NotTold, match=words):
        mail(server.port).send(notices, 0, AT)


def test_one_recipient_that_is_refused_does_not_keep_the_other_from_it(notices: list[Notice]) -> None:
    with MailServer() as server:
        seen: list[str] = []

        def refuse_the_first(command: str) -> None:
            seen.append(command)
            server.answers["RCPT"] = "550 nobody" if seen.count("RCPT") == 1 else "250 ok"

        server.before_answer = refuse_the_first
        assert mail(server.port).send(notices, 0, AT) == "ann@example.com: 550 nobody"
        assert len(server.mails) == 1


@pytest.mark.parametrize("how", [MailTls.TLS, MailTls.STARTTLS])
def test_a_mail_over_tls_and_logged_in(
    notices: list[Notice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: MailTls
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    with MailServer(authority.issue("localhost", "localhost"), starttls=how is MailTls.STARTTLS) as server:
        mail(server.port, "localhost", tls=how, user="emg", password="pw").send(notices, 0, AT)
        assert len(server.mails) == 1
        assert any(command.startswith("AUTH PLAIN") for command in server.commands)


@pytest.mark.parametrize("how", [MailTls.TLS, MailTls.STARTTLS])
def test_a_mail_server_that_nobody_vouches_for_gets_no_password(
    notices: list[Notice], tmp_path: Path, how: MailTls
) -> None:
    stranger = Authority(tmp_path).issue("localhost", "localhost")
    with MailServer(stranger, starttls=how is MailTls.STARTTLS) as server:
        with pytest.raises(NotTold, match="certificate"):
            mail(server.port, "localhost", tls=how, user="emg", password="pw").send(notices, 0, AT)
        assert not any(command.startswith("AUTH") for command in server.commands)


def test_a_refused_login_does_not_tell_the_password(notices: list[Notice]) -> None:
    with MailServer(AUTH="535 no") as server, pytest.raises(NotTold, match="535 no") as error:
        mail(server.port, user="emg", password="hunter22").send(notices, 0, AT)
    assert "hunter22" not in str(error.value)


# -- webhook


def hook_at(url: str, secret: str = SECRET) -> Webhook:
    return Webhook(WebhookSettings(url, secret), "gw1")


def test_a_webhook_is_signed_as_the_document_tells(notices: list[Notice]) -> None:
    with HookServer(SECRET) as server:
        hook_at(server.url).send(notices, 3, time.time())
        [body], [headers] = server.bodies, server.headers
    assert server.refused == []
    assert headers["X-EMG-Delivery"] == body["id"]
    assert (body["version"], body["host"], body["more"]) == (1, "gw1", 3)
    assert body["alerts"] == [
        {
            "event": "raised", "key": "gateway:silent", "severity": "critical", "text": "the gateway does not answer: żółć", "program": "gateway",
            "since": "2027-01-15T08:00:00Z", "until": None, "flaps": 0, "actions": [],
        }
    ]  # fmt: skip


def test_the_document_s_check_refuses_what_is_not_ours(notices: list[Notice]) -> None:
    with HookServer(SECRET) as server:
        for wrong, at in (
            ("another-secret-of-16", time.time()),
            (SECRET, time.time() - 301),
            (SECRET, time.time() + 302),
        ):
            with pytest.raises(NotTold, match="403"):
                hook_at(server.url, wrong).send(notices, 0, at)
    assert len(server.refused) == 3
    assert server.bodies == []


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
def test_anything_but_2xx_is_not_told_and_the_address_is_not_shown(notices: list[Notice], status: int) -> None:
    with HookServer(SECRET) as server:
        server.answer = status
        with pytest.raises(NotTold, match=f"127.0.0.1: {status} ") as error:
            hook_at(server.url).send(notices, 0, time.time())
    assert "k3y-in-the-path" not in str(error.value)


def test_a_webhook_over_tls_checks_the_certificate(
    notices: list[Notice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    with HookServer(SECRET, authority.issue("hook", "127.0.0.1")) as server:
        with pytest.raises(NotTold, match="certificate"):
            hook_at(server.url).send(notices, 0, time.time())
        assert server.bodies == []
        monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
        hook_at(server.url).send(notices, 0, time.time())
        assert len(server.bodies) == 1


def test_a_server_that_speaks_no_http(notices: list[Notice]) -> None:
    with MailServer() as server, pytest.raises(NotTold, match=r"^127\.0\.0\.1: "):
        hook_at(f"http://127.0.0.1:{server.port}/x").send(notices, 0, time.time())


def test_a_port_where_nobody_listens(notices: list[Notice]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotTold, match="refused"):
        hook_at(f"http://127.0.0.1:{port}/").send(notices, 0, time.time())
    with pytest.raises(NotTold, match="refused"):
        mail(port).send(notices, 0, AT)
