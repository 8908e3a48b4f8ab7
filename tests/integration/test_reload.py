"""Reloads on a running gateway: what can't be had changes nothing, and files that keep their names are read again."""

import socket
import ssl
from pathlib import Path

import pytest

from emg.engine.events import Ended
from emg.message import State
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import SubmitSm
from tests.certificates import Authority
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, free_port, incoming, outgoing, user


@pytest.fixture
def operator():
    smsc = Smsc()
    yield smsc
    smsc.close()


def settings(port: int, other: str = "", **more: object) -> str:
    return (
        incoming(ROUTE="dead")
        + incoming("more", ADDRESS=f"127.0.0.1:{port}", **more)
        + outgoing("dead", "127.0.0.1:1")
        + user()
        + other
    )


def test_an_address_that_is_taken_changes_nothing_at_all(tmp_path):
    port = free_port()
    with GatewayProcess(tmp_path, settings(port)) as gateway, socket.create_server(("127.0.0.1", 0)) as taken:
        before = gateway.control("GET", "/connectors/more")
        with Esme.bound(port) as client:
            late = incoming("late", ADDRESS=f"127.0.0.1:{free_port()}")
            gateway.configure(settings(taken.getsockname()[1], late))
            gateway.reload()
            assert "stays as it was: connector more: cannot listen on" in gateway.logs()
            client.fence()
            assert gateway.control("GET", "/connectors/more")["addresses"] == before["addresses"]
            assert "late" not in {each["name"] for each in gateway.control("GET", "/connectors")["connectors"]}
        taken.close()
        gateway.reload()
        gateway.wait_for_log("connectors added late")
        assert gateway.control("GET", "/connectors/more")["addresses"] != before["addresses"]


def seen(port: int, authority: Authority) -> str:
    """The common name of the certificate that a new session is shown."""
    context = ssl.create_default_context(cafile=authority.ca)
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        certificate = sock.getpeercert()
    assert certificate is not None
    return str(certificate["subject"][0][0][1])  # type: ignore[index]


def test_a_renewed_certificate_is_shown_after_a_reload_and_a_broken_one_is_refused(tmp_path):
    authority, port = Authority(tmp_path / "tls"), free_port()
    old = authority.issue("old", "localhost")
    tls = {"SSL": True, "SSL_KEYFILE": old.key, "SSL_CERTFILE": old.cert}
    with GatewayProcess(tmp_path / "gateway", settings(port, **tls)) as gateway, Esme.bound(gateway.port()) as client:
        assert seen(port, authority) == "old"
        Path(old.cert).write_text("no certificate", encoding="ascii")
        gateway.reload()
        assert "stays as it was: connector more:" in gateway.logs()
        assert seen(port, authority) == "old"
        new = authority.issue("new", "localhost")
        Path(old.cert).write_bytes(Path(new.cert).read_bytes())
        Path(old.key).write_bytes(Path(new.key).read_bytes())
        gateway.reload()
        assert seen(port, authority) == "new"
        assert "renewed certificates are shown by more" in gateway.logs()
        client.fence()


def test_a_retry_scheme_that_keeps_its_name_is_read_again(tmp_path, operator):
    name = "retry.txt"
    config = incoming(ROUTE="operator") + outgoing("operator", operator.address, RETRYSCHEME=name) + user()
    with GatewayProcess(tmp_path, config, {name: "8 temporary 1h\n"}) as gateway:
        link = operator.session()
        gateway.configure(config, {name: "8 permanent\n"})
        gateway.reload()
        with Esme.bound(gateway.port()) as client:
            number = client.accepted(registered_delivery=1)
            link.answer(link.expect(SubmitSm), int(Status.RSYSERR))
            assert eventually(lambda: gateway.events(Ended, number))[0].state is State.FAILED
