"""The portal's server: whom it believes about who asks, how long a body may take, that nothing waits for an acknowledgement."""

import ipaddress
import logging
import socket
from contextlib import closing
from typing import Any

import gevent
import gevent.socket
import pytest
from werkzeug.exceptions import RequestTimeout

from emg.control.http_server import listen_tcp
from portal import serving
from portal.serving import Front

OURS = (ipaddress.ip_network("192.0.2.0/24"),)


def asked(remote: str, forwarded: str = "", proto: str = "", proxies: tuple[Any, ...] = OURS) -> tuple[str, str]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _start: Any) -> list[bytes]:
        seen.update(environ)
        return []

    given = {"REMOTE_ADDR": remote, "wsgi.input": None, "wsgi.url_scheme": "http"}
    given |= {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    given |= {"HTTP_X_FORWARDED_PROTO": proto} if proto else {}
    Front(app, proxies)(given, None)
    return seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "address"),
    [
        ("203.0.113.9", "198.51.100.1", OURS, "203.0.113.9"),  # a stranger says what he likes
        ("192.0.2.1", "198.51.100.1", OURS, "198.51.100.1"),
        ("192.0.2.1", "10.0.0.1, 198.51.100.1", OURS, "198.51.100.1"),  # what stands before it anybody can write
        ("192.0.2.1", "198.51.100.1, 192.0.2.7", OURS, "198.51.100.1"),  # two of ours
        ("192.0.2.1", "nonsense", OURS, "192.0.2.1"),
        ("192.0.2.1", "", OURS, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", (), "192.0.2.1"),
        ("::ffff:192.0.2.1", "198.51.100.1", OURS, "198.51.100.1"),
    ],
)
def test_who_asks(remote: str, forwarded: str, proxies: tuple[Any, ...], address: str) -> None:
    assert asked(remote, forwarded, proxies=proxies)[0] == address


@pytest.mark.parametrize(
    ("remote", "proto", "scheme"),
    [("192.0.2.1", "https", "https"), ("203.0.113.9", "https", "http"), ("192.0.2.1", "gopher", "http")],
)
def test_the_scheme_is_believed_of_ours_alone(remote: str, proto: str, scheme: str) -> None:
    assert asked(remote, proto=proto)[1] == scheme


def test_an_answer_does_not_wait_for_acknowledgements() -> None:
    """Head and body are two writes: with Nagle's algorithm the second would wait for the peer's delayed acknowledgement, 40 ms, each time."""
    with (
        closing(listen_tcp("127.0.0.1", 0, "PORTAL")) as listener,
        gevent.socket.create_connection(listener.getsockname()) as sock,
    ):
        server = serving.server(listener, lambda _environ, _start: [], (), logging.getLogger("emg.portal"))
        serving.PortalHandler(sock, ("127.0.0.1", 1), server)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dripping:
        def read(self, *_size: int) -> bytes:
            gevent.sleep(30)
            return b""

    monkeypatch.setattr(serving, "BODY_SECONDS", 0.05)
    seen: list[type[Exception]] = []

    def app(environ: dict[str, Any], _start: Any) -> list[bytes]:
        with pytest.raises(RequestTimeout) as raised:
            environ["wsgi.input"].read()
        seen.append(raised.type)
        return []

    Front(app, ())({"REMOTE_ADDR": "127.0.0.1", "wsgi.input": Dripping(), "CONTENT_LENGTH": "50"}, None)
    assert seen == [RequestTimeout]
