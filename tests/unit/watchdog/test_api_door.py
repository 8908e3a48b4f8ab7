"""Who may use the watchdog's API, and what is wrong with a request: nothing is done, and it is told and logged."""

import json
import logging
import re
import stat
import time
from pathlib import Path
from typing import Any

import gevent
import pytest

from emg.config.load import load_text
from emg.control.watchdog_client import read_token
from emg.errors import ControlError, EmgError
from tests.watchdog_site import AUTHORIZED, ROUTES, TOKEN, Site, shown
from watchdog import api as api_module
from watchdog import door as door_module
from watchdog.api import TABLE
from watchdog.door import Complaints, Door, token_of
from watchdog.settings import settings


@ROUTES
@pytest.mark.parametrize(
    "token", [None, "", "wrong-token-of-the-test", TOKEN[:-1], TOKEN + "x", "ä" * 20, TOKEN.upper()]
)
def test_every_route_but_health_wants_the_token(site: Site, monkeypatch, route: Any, token: str | None) -> None:
    monkeypatch.setattr(door_module, "SHORTEST_PAUSE", 0.001)
    monkeypatch.setattr(door_module, "LONGEST_PAUSE", 0.001)
    status, answer = site.ask(route.method, shown(route), token=token)
    if (route.method, route.pattern) == ("GET", "/health"):
        assert (status, answer) == (200, {"up": True, "ok": True})
        return
    assert status == 401
    assert set(answer) == {"error"}
    assert "token" in answer["error"]
    assert site.supervisor.told == []
    assert not site.watchdog._dump.exists()


def test_only_health_is_open() -> None:
    assert [route.pattern for route in TABLE.routes if route.open] == ["/health"]


# -- who may ask


def test_without_a_token_not_even_what_there_is_is_told(site: Site) -> None:
    assert site.ask("GET", "/nothing", token=None)[0] == 401
    assert site.ask("DELETE", "/status", token=None)[0] == 401
    assert site.ask("POST", "/health", token=None)[0] == 401
    assert b"WWW-Authenticate: Bearer" in site.raw(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: Basic {TOKEN}",
        f"Authorization: {TOKEN}",
        f"X-Token: {TOKEN}",
        "Authorization: Bearer",
        f"Cookie: token={TOKEN}",
    ],
)
def test_the_token_comes_in_one_way_only(site: Site, header: str) -> None:
    assert site.ask("GET", "/status", token=None, head=header)[0] == 401
    assert site.ask("GET", f"/status?token={TOKEN}", token=None)[0] == 401


def test_the_scheme_is_read_in_any_case(site: Site) -> None:
    assert site.ask("GET", "/status", token=None, head=f"Authorization: bearer  {TOKEN} ")[0] == 200


def test_a_wrong_token_is_answered_late_and_a_right_one_at_once(site: Site, monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(door_module.gevent, "sleep", pauses.append)
    for _ in range(8):
        assert site.ask("GET", "/status", token="guess")[0] == 401
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert site.ask("GET", "/status")[0] == 200
    assert len(pauses) == 8


def test_wrong_tokens_are_remembered_for_a_bounded_number_of_addresses(monkeypatch) -> None:
    monkeypatch.setattr(door_module.gevent, "sleep", lambda _seconds: None)
    door = Door((), TOKEN)
    for number in range(3000):
        with pytest.raises(ControlError):
            door.check(f"10.0.{number // 256}.{number % 256}", "Bearer guess")
    assert len(door._wrong) == door_module.MOST_ADDRESSES


def test_the_token_is_compared_in_constant_time(monkeypatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(door_module.hmac, "compare_digest", lambda one, two: compared.append((one, two)) or one == two)
    monkeypatch.setattr(door_module.gevent, "sleep", lambda _seconds: None)
    door = Door((), TOKEN)
    for given in (TOKEN, "x", TOKEN + "y" * 5000):
        try:
            door.check("127.0.0.1", f"Bearer {given}")
        except ControlError:
            pass
    assert [len(one) == len(two) == 32 for one, two in compared] == [True] * 3


@pytest.mark.parametrize(
    ("access", "address", "admitted"),
    [
        ("127.0.0.0/8,::1", "127.0.0.1", True), ("127.0.0.0/8,::1", "::1", True), ("127.0.0.0/8,::1", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8,::1", "192.0.2.1", False), ("192.0.2.0/24", "127.0.0.1", False), ("192.0.2.0/24", "::ffff:192.0.2.9", True),
        ("192.0.2.0/24", "2001:db8::1", False), ("fe80::/10", "fe80::1%eth0", True), ("192.0.2.0/24", "nonsense", False), ("*", "8.8.8.8", True),
    ],
)  # fmt: skip
def test_networks(access: str, address: str, admitted: bool) -> None:
    networks = settings(load_text(f"WATCHDOG_ACCESS={access}"), "gw1").access
    assert Door(networks, TOKEN).admits(address) is admitted


def test_a_wrong_network_gets_no_further_than_the_door(tmp_path: Path, caplog) -> None:
    site = Site(tmp_path, f"WATCHDOG_TOKEN={TOKEN}\nWATCHDOG_ACCESS=192.0.2.0/24")
    with caplog.at_level(logging.INFO):
        for method, path in (
            ("GET", "/status"),
            ("GET", "/health"),
            ("POST", "/programs/gateway/stop"),
            ("GET", "/nothing"),
        ):
            status, answer = site.ask(method, path)
            assert (status, answer) == (403, {"error": "127.0.0.1 may not use this API (WATCHDOG_ACCESS)"})
    assert site.supervisor.told == []
    assert "127.0.0.1 may not use this API" in caplog.text
    assert TOKEN not in caplog.text
    site.api.stop()


def test_connections_that_are_turned_away_take_nobodys_place(site: Site, monkeypatch) -> None:
    """However many come, and say nothing: a few are told why, the others are closed at once."""
    others = [True]
    monkeypatch.setattr(Door, "admits", lambda _self, _address: not others)
    monkeypatch.setattr(door_module, "MOST_CONNECTIONS", 1000)
    monkeypatch.setattr("emg.control.http_server.LINGER_SECONDS", 30.0)
    with gevent.Timeout(15):
        silent = [site.connect() for _ in range(100)]
        ended = [sock for sock in silent[api_module.TURNED_AWAY :] if sock.recv(1) == b""]
        assert len(ended) == 100 - api_module.TURNED_AWAY
        others.clear()
        assert site.ask("GET", "/status")[0] == 200
    for sock in silent:
        sock.close()


def test_one_address_cannot_have_all_connections(site: Site, monkeypatch) -> None:
    monkeypatch.setattr(door_module, "MOST_CONNECTIONS", 3)
    silent = [site.connect() for _ in range(3)]
    gevent.sleep(0.05)
    status, answer = site.ask("GET", "/status")
    assert (status, answer) == (503, {"error": "too many connections from this address"})
    for sock in silent:
        sock.close()
    deadline = time.monotonic() + 5
    while site.ask("GET", "/status")[0] != 200:
        assert time.monotonic() < deadline


# -- bad requests


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 404),
        (b"DELETE /status HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 405),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 3\r\n\r\n{]}", 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 2\r\n\r\n[]", 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc", 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 99999999999999\r\n\r\n", 413),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 5000\r\n\r\n" + b" " * 5000, 413),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 2000000\r\n\r\n" + b" " * 2000000, 413),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 413),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: -5\r\n\r\n", 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 3000\r\n\r\n" + b"[" * 3000, 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 50\r\n\r\n{}", 400),
        (b"POST /programs/gateway/stop HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 401),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 414),
        (b"GET /status HTTP/1.1\r\n" + AUTHORIZED + b"A: " + b"a" * 20000 + b"\r\n\r\n", 431),
        (b"GET /status HTTP/1.1\r\n" + AUTHORIZED + b"Aa: aaaaaaa\r\n" * 99 + b"A: " + b"a" * 20000 + b"\r\n\r\n", 431),
        (b"GET /status?" + b"a=1&" * 100 + b" HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 400),
        (b"GET /status HTTP/1.1 and more\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\x00\xff\x00\xff\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_a_bad_request_gets_its_answer_and_nothing_is_done(site: Site, caplog, octets: bytes, status: int) -> None:
    with caplog.at_level(logging.INFO):
        answer = site.raw(octets)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert re.search(r"\w \w", json.loads(body)["error"])
    assert site.supervisor.told == []
    assert site.ask("GET", "/health")[0] == 200
    assert "refused" in caplog.text
    assert "Traceback" not in caplog.text
    assert max(len(record.getMessage()) for record in caplog.records) < 700


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "quickstop"])
@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "operator",
        "GATEWAY",
        "gateway%00",
        "gateway%0aall",
        "..",
        "%2e%2e",
        "gateway:*",
        "*",
        "all",
        "ä",
        "x" * 500,
    ],
)
def test_an_unknown_program_is_404(site: Site, caplog, verb: str, name: str) -> None:
    status, answer = site.ask("POST", f"/programs/{name}/{verb}")
    assert status == 404
    assert set(answer) == {"error"}
    assert len(answer["error"]) < 300
    assert site.supervisor.told == []
    assert "refused, 404" in caplog.text
    assert site.ask("GET", f"/programs/{name}")[0] == 404
    if "%" not in name:
        assert site.ask("POST", f"/dump?program={name}" if name.isascii() else "/dump?program=%C3%A4")[0] in (404, 409)


@pytest.mark.parametrize(
    "name",
    ["nothing", "general.1", "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "%2e%2e/passwd", "/etc/passwd", "%2fetc%2fpasswd", "general%00", "general%00.txt",
     "general/", "general%0a", ".", "..", "%c0%ae%c0%ae", "linked", "pdu.linked", "connector.nobody", "watchdog.token", "x" * 3000, "dump%2fgateway.1.1.txt", "%5c..%5c"],
)  # fmt: skip
def test_an_unknown_log_and_every_path_is_404(site: Site, caplog, name: str) -> None:
    site.log("general", b"one\n")
    site.log("general.1", b"old\n")
    for link in ("linked", "pdu.linked"):
        (site.folder / "log" / link).symlink_to("/etc/passwd")
    for query in ("", "?follow=1", "?search=root"):
        status, answer = site.ask("GET", f"/logs/{name}{query}")
        assert status == 404, answer
        assert set(answer) == {"error"}
        assert "root:" not in json.dumps(answer)
    assert "refused, 404" in caplog.text


@pytest.mark.parametrize(
    "query",
    [
        "lines=-1",
        "lines=10001",
        "lines=many",
        "lines=nan",
        "lines=inf",
        "follow=perhaps",
        "seconds=0",
        "seconds=1e9",
        "search=" + "x" * 201,
        "seconds=nan",
    ],
)
def test_parameters_out_of_their_bounds_are_refused(site: Site, query: str) -> None:
    status, answer = site.ask("GET", f"/logs/general?{query}")
    assert status == 400
    assert re.search(r"\w \w", answer["error"])


@pytest.mark.parametrize(
    "body", [{"wait": -1}, {"wait": 121}, {"wait": "x"}, {"wait": None}, {"wait": [1]}, {"seconds": 61}, {"wait": True}]
)
def test_waits_out_of_their_bounds_do_nothing(site: Site, body: dict) -> None:
    assert site.ask("POST", "/programs/gateway/quickstop", body)[0] == 400
    assert site.supervisor.told == []


def test_refusals_are_told_up_to_a_number_a_minute(site: Site, caplog) -> None:
    for _ in range(40):
        assert site.ask("GET", "/nothing")[0] == 404
    told = [record for record in caplog.records if "refused, 404" in record.getMessage()]
    assert len(told) == door_module.COMPLAINTS_AN_ADDRESS
    site.api._server.complaints.sweep()
    assert "30 more requests were refused" in caplog.text


def test_complaints_of_many_addresses_have_a_bound_too(caplog) -> None:
    complaints = Complaints()
    for number in range(1000):
        complaints.tell(f"10.0.0.{number}", "refused %d", number)
    assert len(caplog.records) == door_module.COMPLAINTS
    complaints.sweep()
    assert "940 more" in caplog.text


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"", b""), (b"GET /sta", b""), (b"GET /status HTTP/1.1\r\nHost: ", b"HTTP/1.1 408 "),
        (b"POST /programs/gateway/stop HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 1000\r\n\r\n{", b"HTTP/1.1 408 "),
        (b"POST /programs/gateway/stop HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{", b"HTTP/1.1 401 "),
    ],
)  # fmt: skip
def test_a_caller_who_never_ends_is_ended(site: Site, monkeypatch, octets: bytes, answer: bytes) -> None:
    """An octet now and then keeps no connection."""
    for name in ("IDLE_SECONDS", "HEAD_SECONDS", "BODY_SECONDS", "LINGER_SECONDS"):
        monkeypatch.setattr(f"emg.control.http_server.{name}", 0.3)
    monkeypatch.setattr(api_module, "IDLE_SECONDS", 0.3)
    with gevent.Timeout(10):
        sock = site.connect()
        sock.sendall(octets)

        def drip() -> None:
            try:
                while octets:
                    gevent.sleep(0.1)
                    sock.sendall(b"x")
            except OSError:
                pass

        dripping = gevent.spawn(drip)
        got = b""
        try:
            while data := sock.recv(1000):
                got += data
        except ConnectionResetError:
            pass
        dripping.kill()
        sock.close()
    assert got.startswith(answer)
    assert bool(got) is bool(answer)
    assert site.supervisor.told == []


# -- the token's file


def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    site = Site(tmp_path, "")
    file = tmp_path / "spool" / "watchdog.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = read_token(str(file))
    assert len(token) >= 40
    assert site.ask("GET", "/status", token=token)[0] == 200
    site.api.stop()
    again = Site(tmp_path, "")
    assert again.ask("GET", "/status", token=token)[0] == 200
    again.api.stop()


@pytest.mark.parametrize("damage", ["empty", "short", "binary", "readable", "long"])
def test_a_token_that_cannot_be_trusted_is_made_anew(tmp_path: Path, caplog, damage: str) -> None:
    file = tmp_path / "watchdog.token"
    old = "x" * 40
    file.write_bytes(
        {"empty": b"", "short": b"abc", "binary": b"\xff" * 40, "readable": old.encode(), "long": b"y" * 500}[damage]
    )
    file.chmod(0o644 if damage == "readable" else 0o600)
    token = token_of(None, str(file))
    assert token != old
    assert len(token) >= 40
    assert read_token(str(file)) == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "a new one is made" in caplog.text or "a new token is made" in caplog.text
    assert [entry.name for entry in tmp_path.iterdir()] == ["watchdog.token"]


def test_the_token_is_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("z" * 40)
    (tmp_path / "watchdog.token").symlink_to(tmp_path / "other")
    with pytest.raises(EmgError, match="cannot be used"):
        token_of(None, str(tmp_path / "watchdog.token"))
