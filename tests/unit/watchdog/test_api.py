"""The watchdog's API over real sockets: every route, who may ask, and what is wrong with a request."""

import json
import logging
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest

from emg.config.load import load_text
from emg.errors import ControlError, EmgError
from watchdog import api as api_module
from watchdog import door as door_module
from watchdog import log_following, program_control
from watchdog.api import TABLE, TROUBLE, Api
from watchdog.door import Complaints, Door, read_token, token_of
from watchdog.model import Facts, Finding, ProgramFacts, Severity
from watchdog.programs import BY_NAME
from watchdog.settings import settings
from watchdog.supervisor import SupervisorError, SupervisorUnreachable, UnknownProgram

TOKEN = "a-token-of-the-test"
CONFIG = """
CONTROL={folder}/control.sock
LOGDIR={folder}/log
SPOOLDIR={folder}/spool
DATABASE=sqlite:///{folder}/emg.db
{extra}
CONNECTOR one <
PROTOCOL=SMPP
TYPE=OUTGOING
ADDRESS=127.0.0.1:1
USERNAME=u
PASSWORD=very-secret
>
"""


class FakeSupervisor:
    """supervisord, as far as it is asked."""

    def __init__(self) -> None:
        self.known = {
            name: ProgramFacts(name, "RUNNING", pid, 1.0e9, f"pid {pid}")
            for pid, name in enumerate(("recorder", "gateway", "scheduler", "watchdog"), 1000)
        }
        self.told: list[tuple[Any, ...]] = []
        self.fault: EmgError | None = None
        self.stubborn = False
        self.slow = 0.0

    def programs(self) -> dict[str, ProgramFacts]:
        if self.fault is not None:
            raise self.fault
        return dict(self.known)

    def program(self, name: str) -> ProgramFacts:
        if name not in self.programs():
            raise UnknownProgram(f"supervisord has no program '{name}'")
        return self.known[name]

    def _is(self, name: str, state: str, pid: int) -> None:
        self.known[name] = ProgramFacts(name, state, pid)

    def start(self, name: str) -> bool:
        self.told.append(("start", name))
        if self.known[name].pid:
            return False
        self._is(name, "RUNNING", 2000)
        return True

    def stop(self, name: str, wait: float = 0.0) -> bool:
        self.told.append(("stop", name))
        gevent.sleep(self.slow)
        if self.stubborn:
            raise SupervisorError(f"{name} still runs {wait:g} s after it was told to stop")
        ran = bool(self.known[name].pid)
        self._is(name, "STOPPED", 0)
        return ran

    def quick_stop(self, name: str, seconds: float) -> bool:
        self.told.append(("quick_stop", name, seconds))
        self._is(name, "STOPPED", 0)
        return True

    def signal(self, name: str, number: int) -> bool:
        self.told.append(("signal", name, number))
        if not self.stubborn or number == signal.SIGKILL:
            self._is(name, "RUNNING", self.known[name].pid + 1000)
        return True


class FakeWatchdog:
    """The loop, as far as it is asked."""

    def __init__(self, folder: Path) -> None:
        self.supervisor = FakeSupervisor()
        self.facts: Facts | None = Facts(
            5.0, 1.0e9, programs={"gateway": ProgramFacts("gateway", "RUNNING", 1001, resident=77)}
        )
        self.findings: tuple[Finding, ...] = ()
        self.alerts = self
        self.notes: dict[str, Finding | None] = {}
        self.woken = 0
        self._dump = folder / "gateway.1001.1.txt"

    def show(self) -> list[dict[str, Any]]:
        return [
            {"key": "a:b", "text": "the word very-secret is hidden", "cleared": 0.0},
            {"key": "c:d", "cleared": 9.0},
        ]

    def status(self) -> dict[str, Any]:
        return {"ok": True, "channels": [{"name": "very-secret", "error": "login as u:very-secret failed"}]}

    def alive(self) -> bool:
        return True

    def dump(self, program: str) -> Path:
        if program != "gateway":
            raise ControlError(f"{program} does not run", 409)
        self._dump.write_bytes(b"Thread 1\n\xff\n")
        return self._dump

    def note(self, key: str, finding: Finding | None) -> None:
        self.notes[key] = finding

    def wake(self) -> None:
        self.woken += 1


class Site:
    """An API that listens, and what is behind it."""

    def __init__(self, folder: Path, extra: str = f"WATCHDOG_TOKEN={TOKEN}") -> None:
        self.folder = folder
        (folder / "log").mkdir(exist_ok=True)
        config = load_text(CONFIG.format(folder=folder, extra=extra + "\nWATCHDOG=127.0.0.1:1"))
        chosen = settings(config, "gw1")
        chosen = type(chosen)(
            **{field: getattr(chosen, field) for field in chosen.__struct_fields__}
            | {"api": config.watchdog._replace(port=0)}
        )
        self.watchdog = FakeWatchdog(folder)
        self.supervisor = self.watchdog.supervisor
        self.api = Api(self.watchdog, config, chosen)  # type: ignore[arg-type]
        self.api.start()

    def log(self, name: str, octets: bytes) -> None:
        (self.folder / "log" / name).write_bytes(octets)

    def connect(self) -> Any:
        assert self.api.address is not None
        return gevent.socket.create_connection(self.api.address)

    def raw(self, octets: bytes, *, half: bool = True) -> bytes:
        """Octets in, octets out."""
        with gevent.Timeout(15):
            sock = self.connect()
            try:
                sock.sendall(octets)
                if half:
                    sock.shutdown(socket.SHUT_WR)
                answer = b""
                while data := sock.recv(65536):
                    answer += data
            finally:
                sock.close()
            return answer

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, head: str = ""
    ) -> tuple[int, Any]:
        octets = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(octets)}"]
        lines += [f"Authorization: Bearer {token}"] if token is not None else []
        lines += [head] if head else []
        answer = self.raw("\r\n".join([*lines, "", ""]).encode() + octets, half=False)
        first, _, rest = answer.partition(b"\r\n\r\n")
        assert b"Content-Type: application/json" in first, answer
        return int(first.split()[1]), json.loads(rest) if rest else None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    running = Site(tmp_path)
    yield running
    running.api.stop()


def shown(route: Any, name: str = "gateway") -> str:
    path = route.shown or route.pattern
    return path.replace("<name>", "general" if path.startswith("/logs") else name)


ROUTES = pytest.mark.parametrize(
    "route", TABLE.routes, ids=lambda route: f"{route.method} {route.shown or route.pattern}"
)


# -- the table


def test_every_route_is_documented_and_unique(site: Site) -> None:
    seen = {(route.method, route.shown or route.pattern) for route in TABLE.routes}
    assert len(seen) == len(TABLE.routes)
    assert all(route.help and "(?P" not in (route.shown or route.pattern) for route in TABLE.routes)
    listed = site.ask("GET", "/")[1]["routes"]
    assert {(row["method"], row["path"]) for row in listed} == seen
    handbook = (Path(__file__).parents[3] / "docs" / "watchdog.md").read_text()
    for method, path in seen:
        assert f"`{method} {path}`" in handbook, f"docs/watchdog.md does not have {method} {path}"


@ROUTES
def test_every_route_answers(site: Site, route: Any) -> None:
    status, answer = site.ask(route.method, shown(route))
    assert status == 200 or (status, answer["done"]) == (202, False)
    other = "POST" if route.method == "GET" else "GET"
    if not any(row.method == other and re.fullmatch(row.pattern, shown(route)) for row in TABLE.routes):
        status, answer = site.ask(other, shown(route))
        assert status == 405
        assert route.method in answer["error"]


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


AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n".encode()


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


# -- programs


def test_the_programs_are_shown_as_they_are_now(site: Site) -> None:
    rows = site.ask("GET", "/programs")[1]["programs"]
    assert [row["name"] for row in rows] == ["recorder", "gateway", "scheduler", "watchdog"]
    assert (rows[1]["state"], rows[1]["pid"], rows[1]["resident"], rows[1]["doing"]) == ("RUNNING", 1001, 77, "")
    assert site.ask("GET", "/programs/gateway")[1] == rows[1]


def test_a_program_is_stopped_and_started(site: Site, caplog) -> None:
    with caplog.at_level(logging.INFO):
        status, answer = site.ask("POST", "/programs/gateway/stop", {"wait": 5})
    assert (status, answer["done"], answer["changed"], answer["state"]) == (200, True, True, "STOPPED")
    assert "127.0.0.1 asks: POST /programs/gateway/stop {'wait': 5}" in caplog.text
    assert site.ask("POST", "/programs/gateway/stop?wait=5")[1]["changed"] is False
    status, answer = site.ask("POST", "/programs/gateway/start", {"wait": 5})
    assert (status, answer["changed"], answer["state"], answer["pid"]) == (200, True, "RUNNING", 2000)
    assert site.ask("POST", "/programs/gateway/start", {"wait": 5})[1]["changed"] is False
    assert site.watchdog.woken == 4
    assert site.ask("POST", "/programs/scheduler/quickstop", {"wait": 5, "seconds": 2})[1]["state"] == "STOPPED"
    assert site.supervisor.told[-1] == ("quick_stop", "scheduler", 2.0)


def test_a_restart_is_a_signal_so_that_nothing_stays_stopped(site: Site) -> None:
    status, answer = site.ask("POST", "/programs/gateway/restart", {"wait": 5})
    assert (status, answer["done"], answer["state"], answer["pid"]) == (200, True, "RUNNING", 2001)
    assert site.supervisor.told == [("signal", "gateway", signal.SIGTERM)]
    site.supervisor._is("gateway", "STOPPED", 0)
    assert site.ask("POST", "/programs/gateway/restart", {"wait": 5})[1]["state"] == "RUNNING"
    assert site.supervisor.told[-1] == ("start", "gateway")


def test_who_does_not_end_is_killed(site: Site, monkeypatch) -> None:
    monkeypatch.setattr(type(BY_NAME["gateway"]), "stop_limit", lambda _self, _config: 0.3)
    site.supervisor.stubborn = True
    answer = site.ask("POST", "/programs/gateway/restart", {"wait": 10})[1]
    assert (answer["done"], answer["pid"]) == (True, 2001)
    assert [told[2] for told in site.supervisor.told] == [signal.SIGTERM, signal.SIGKILL]
    status, answer = site.ask("POST", "/programs/gateway/stop", {"wait": 10})
    assert status == 409
    assert "still runs" in answer["error"]


def test_the_watchdog_restarts_itself_after_its_answer_and_cannot_be_stopped(site: Site) -> None:
    for verb in ("stop", "quickstop"):
        status, answer = site.ask("POST", f"/programs/watchdog/{verb}")
        assert status == 409
        assert "supervisorctl" in answer["error"]
    status, answer = site.ask("POST", "/programs/watchdog/restart")
    assert (status, answer["done"]) == (202, False)
    assert site.supervisor.told == []
    gevent.sleep(program_control.ANSWER_FIRST + 0.1)
    assert site.supervisor.told == [("signal", "watchdog", signal.SIGTERM)]


def test_one_deed_at_a_time_and_it_goes_on_without_who_asked(site: Site) -> None:
    site.supervisor.slow = 0.5
    status, answer = site.ask("POST", "/programs/gateway/stop")
    assert (status, answer["done"]) == (202, False)
    assert site.ask("GET", "/programs/gateway")[1]["doing"] == "stop"
    for verb in ("start", "stop", "restart", "quickstop"):
        status, answer = site.ask("POST", f"/programs/gateway/{verb}")
        assert status == 409
        assert "stop is under way" in answer["error"]
    gevent.sleep(0.6)
    assert site.supervisor.known["gateway"].state == "STOPPED"
    assert site.ask("POST", "/programs/gateway/start", {"wait": 1})[0] == 200


def test_two_at_the_same_moment_are_one_deed_and_one_refusal(site: Site, monkeypatch) -> None:
    """Asking supervisord takes a moment, in which the other one asks too."""
    quick = site.supervisor.program
    monkeypatch.setattr(site.supervisor, "program", lambda name: (gevent.sleep(0.05), quick(name))[1])
    site.supervisor.slow = 0.3
    asked = [gevent.spawn(site.ask, "POST", "/programs/gateway/stop", {"wait": 5}) for _ in range(5)]
    gevent.joinall(asked, timeout=10)
    assert sorted(one.value[0] for one in asked) == [200, 409, 409, 409, 409]
    assert site.supervisor.told == [("stop", "gateway")]


def test_supervisord_away_is_503(site: Site) -> None:
    site.supervisor.fault = SupervisorUnreachable("supervisord does not run: nobody answers on /run/x")
    assert site.ask("POST", "/programs/gateway/stop") == (
        503,
        {"error": "supervisord does not run: nobody answers on /run/x"},
    )
    assert site.ask("GET", "/programs")[0] == 503
    assert site.ask("GET", "/status")[0] == 200


# -- the rest


def test_health_says_two_words_and_503_when_something_critical_is_wrong(site: Site) -> None:
    assert site.ask("GET", "/health", token=None) == (200, {"up": True, "ok": True})
    site.watchdog.findings = (Finding("disk:/x:full", "the disk is full by 81 %"),)
    assert site.ask("GET", "/health")[0] == 200
    site.watchdog.findings = (Finding("gateway:silent", "it does not answer", Severity.CRITICAL),)
    assert site.ask("GET", "/health", token=None) == (503, {"up": True, "ok": False})
    site.watchdog.findings, site.watchdog.facts = (), None
    assert site.ask("GET", "/health", token=None) == (503, {"up": True, "ok": False})


def test_nothing_secret_is_told(site: Site) -> None:
    site.watchdog.findings = (
        Finding("database:away", "mysql://emg:pass@db can't be reached with very-secret", Severity.WARNING),
    )
    for path in ("/status", "/alerts", "/programs", "/logs", "/"):
        text = json.dumps(site.ask("GET", path)[1])
        assert TOKEN not in text
        assert "very-secret is" not in text
        assert "u:very-secret" not in text
        assert "pass@" not in text
    assert "***@db can't be reached with ***" in json.dumps(site.ask("GET", "/status")[1])


def test_alerts_that_stand_and_that_are_past(site: Site) -> None:
    answer = site.ask("GET", "/alerts")[1]
    assert [alert["key"] for alert in answer["standing"]] == ["a:b"]
    assert [alert["key"] for alert in answer["past"]] == ["c:d"]


def test_a_dump_comes_with_its_text(site: Site) -> None:
    assert site.ask("POST", "/dump") == (
        200,
        {"program": "gateway", "file": "gateway.1001.1.txt", "text": "Thread 1\n\ufffd\n"},
    )
    assert site.ask("POST", "/dump", {"program": "scheduler"})[0] == 409


def test_logs_are_listed_and_read(site: Site) -> None:
    site.log("general", "ein Gruß\nred \x1b[31m\xff\nthree\n".encode("latin-1"))
    site.log("connector.one", b"x\n")
    listed = site.ask("GET", "/logs")[1]["logs"]
    assert [(row["name"], row["size"]) for row in listed] == [("general", 26), ("connector.one", 2)]
    answer = site.ask("GET", "/logs/general?lines=2")[1]
    assert answer == {"log": "general", "lines": ["red \\x1b[31m\\xff", "three"], "whole": False, "scanned": 25}
    assert site.ask("GET", "/logs/general?search=RED&lines=5")[1]["lines"] == ["red \\x1b[31m\\xff"]
    assert site.ask("GET", "/logs/watchdog")[1]["lines"] == []
    status, answer = site.ask("HEAD", "/logs/general")
    assert (status, answer) == (200, None)


def follow(site: Site, query: str) -> Any:
    sock = site.connect()
    sock.sendall(f"GET /logs/general?follow=1&{query} HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    file = sock.makefile("rb")
    sock.close()
    while file.readline().strip():
        pass
    return file


def test_a_log_is_followed(site: Site) -> None:
    site.log("general", b"one\ntwo\n")
    with gevent.Timeout(15):
        file = follow(site, "lines=1&seconds=1")
        assert json.loads(file.readline()) == {"line": "two"}
        with (site.folder / "log" / "general").open("ab") as log:
            log.write(b"three\n")
        assert json.loads(file.readline()) == {"line": "three"}
        assert json.loads(file.readline()) == {"end": "followed for 1 s"}
        assert file.readline() == b""
    deadline = time.monotonic() + 5
    while site.api.followers.count:
        assert time.monotonic() < deadline
        gevent.sleep(0.01)


def test_a_follower_who_goes_makes_room(site: Site, monkeypatch) -> None:
    monkeypatch.setattr(log_following, "ALIVE_SECONDS", 0.05)
    monkeypatch.setattr(log_following, "POLL_SECONDS", 0.02)
    site.log("general", b"")
    with gevent.Timeout(15):
        files = [follow(site, "seconds=60") for _ in range(log_following.FOLLOWERS)]
        assert json.loads(files[0].readline()) == {"alive": True}
        status, answer = site.ask("GET", "/logs/general?follow=1")
        assert status == 429
        assert "follow logs already" in answer["error"]
        assert site.ask("GET", "/logs/general")[0] == 200
        for file in files:
            file.close()
        while site.api.followers.count:
            gevent.sleep(0.01)


def test_head_of_a_stream_holds_nothing(site: Site) -> None:
    head = site.raw(b"HEAD /logs/general?follow=1 HTTP/1.1\r\n" + AUTHORIZED + b"\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert site.api.followers.count == 0


def test_stopping_ends_followers(site: Site) -> None:
    site.log("general", b"")
    with gevent.Timeout(15):
        file = follow(site, "seconds=600")
        gevent.sleep(0.1)
        assert site.api.followers.count == 1
        site.api.stop()
        file.read()
        assert site.api.followers.count == 0


def test_a_fault_of_ours_is_500_and_its_details_stay_here(site: Site, monkeypatch, caplog) -> None:
    monkeypatch.setattr(site.watchdog, "status", lambda: 1 / 0)
    status, answer = site.ask("GET", "/status")
    assert (status, answer) == (500, {"error": "internal error; the log 'watchdog' has the details"})
    assert "ZeroDivisionError" in caplog.text


# -- the token's file


def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    site = Site(tmp_path, "")
    file = tmp_path / "watchdog.token"
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


def test_an_api_that_cannot_listen_is_tried_again_and_told_of(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(api_module, "AGAIN_SECONDS", 0.02)
    site = Site(tmp_path)
    watchdog = FakeWatchdog(tmp_path)
    taken = site.api.address
    assert taken is not None
    chosen = site.api.settings
    chosen = type(chosen)(
        **{field: getattr(chosen, field) for field in chosen.__struct_fields__}
        | {"api": chosen.api._replace(port=taken[1])}
    )
    second = Api(watchdog, load_text(f"LOGDIR={tmp_path}"), chosen)  # type: ignore[arg-type]
    second.keep_trying()
    with gevent.Timeout(10):
        while not watchdog.notes.get(TROUBLE):
            gevent.sleep(0.01)
        assert "can't be offered" in watchdog.notes[TROUBLE].text
        site.api.stop()
        while watchdog.notes[TROUBLE] is not None:
            gevent.sleep(0.01)
    assert second.address == taken
    second.stop()
