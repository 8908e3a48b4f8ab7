"""The control API over its real socket: every route, what is wrong with a request, who may connect."""

import dataclasses
import logging
import os
import re
import socket
import stat
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest

from emg.control import overview
from emg.control.http_server import Server, listen_tcp
from emg.control.server import PUBLIC, TABLE, Api, ControlApplication, ControlServer
from emg.engine.port import Counters
from emg.errors import Cause, EmgError
from emg.rules.pacing import TokenBucket
from tests.engines import SmallGateway, short

ROOT = Path(__file__).parents[3]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[SmallGateway]:
    running = SmallGateway(tmp_path)
    yield running
    running.close()


def good(gateway: SmallGateway, method: str, path: str, body: dict | None = None):
    status, answer = gateway.ask(method, path, body)
    assert status in (200, 202), answer
    return answer


def raw(gateway: SmallGateway, octets: bytes) -> bytes:
    """Octets in, octets out: for requests that no client makes."""
    with gevent.Timeout(10):
        sock = gevent.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(gateway.config.control)
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while data := sock.recv(65536):
            answer += data
        sock.close()
        return answer


# -- the table


def test_every_route_is_documented_and_unique(gateway: SmallGateway) -> None:
    seen = set()
    for route in TABLE.routes:
        assert route.help
        assert route.method in ("GET", "POST")
        assert "(?P" not in (route.shown or route.pattern), f"{route.pattern} is shown as a pattern"
        seen.add((route.method, route.shown or route.pattern))
    assert len(seen) == len(TABLE.routes)
    listed = good(gateway, "GET", "/")["routes"]
    assert {(row["method"], row["path"]) for row in listed} == seen


EXAMPLES = {"<name>": "one", "<id>": "5"}


@pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: f"{route.method} {route.shown or route.pattern}")
def test_every_route_answers_in_a_sentence_or_with_what_was_asked(gateway: SmallGateway, route) -> None:
    """Whatever is missing, the answer is JSON (or the metrics), and never an internal error."""
    path = route.shown or route.pattern
    for word, example in EXAMPLES.items():
        path = path.replace(word, example)
    status, answer = gateway.ask(route.method, path, {} if route.method == "POST" else None)
    assert status in (200, 202, 400, 404, 409)
    if status >= 400:
        assert re.search(r"\w \w", answer["error"])
    other = "POST" if route.method == "GET" else "GET"
    if not any(row.method == other and re.fullmatch(row.pattern, path) for row in TABLE.routes):
        status, answer = gateway.ask(other, path, {} if other == "POST" else None)
        assert status == 405
        assert route.method in answer["error"]


def test_metrics_port_offers_only_what_is_public() -> None:
    assert sorted(route.pattern for route in PUBLIC) == ["/health", "/metrics"]


# -- bad requests


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"DELETE /status HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{]}", b"400"),
        (b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", b"400"),
        (b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /explain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"413"),
        (b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"\x00\xff\x00\xff\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"GET /health?" + b"a=1&" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"a" * 20000 + b"\r\n\r\n", b"431"),
        (b"GET /health HTTP/1.1\r\n" + b"Aa: aaaaaaa\r\n" * 90 + b"B: " + b"b" * 20000 + b"\r\n\r\n", b"431"),
        (b"POST /explain HTTP/1.1\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000, b"400"),
        (b"POST /explain HTTP/1.1\r\nContent-Length: 40000\r\n\r\n" + b"{}", b"400"),
    ],
)
def test_a_bad_request_gets_its_answer_and_harms_nobody(gateway: SmallGateway, octets: bytes, status: bytes) -> None:
    answer = raw(gateway, octets)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]
    assert b"Traceback" not in answer
    assert re.search(rb'{"error":"[^"]+ [^"]+', answer)
    assert good(gateway, "GET", "/health")["ok"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/queues/one/move", {}, 400, "to is missing"),
        ("/queues/one/move", {"to": 5}, 400, "string"),
        ("/queues/one/move", {"to": "nine"}, 404, "no connector nine"),
        ("/queues/one/move", {"to": "one"}, 409, "already"),
        ("/queues/one/move", {"to": "customers/nobody"}, 404, "no queue"),
        ("/queues/nine/clear", {}, 404, "no queue nine"),
        ("/queues/one/clear", {"acount": "acme"}, 400, "unknown: acount"),
        ("/queues/one/clear", {"dry_run": "perhaps"}, 400, "true or false"),
        ("/queues/one/clear", {"wait": 1e9}, 400, "between"),
        ("/connectors/nine/stop", {}, 404, "no connector nine"),
        ("/sessions/customers%23999/close", {}, 404, "no session customers#999"),
        ("/messages/99/cancel", {}, 404, "does not wait"),
        ("/reports", {}, 400, "remote_id"),
        ("/reports", {"id": "12x"}, 400, "no message id"),
        ("/reports", {"id": True}, 400, "no message id"),
        ("/reports", {"id": 1 << 63}, 400, "no message id"),
        ("/reports", {"id": 5, "state": "eaten"}, 400, "one of"),
        ("/reports", {"id": 5, "error": "12345"}, 400, "three"),
        ("/reports", {"id": 5}, 404, "no report is awaited"),
        ("/reports", {"remote_id": "x", "provider": "one"}, 404, "no report is awaited"),
        ("/explain", {}, 400, "dest is missing"),
        ("/explain", {"dest": "+"}, 400, "address"),
        ("/explain", {"dest": "467", "connector": "nine"}, 404, "no connector nine"),
    ],
)
def test_what_is_wrong_is_told(gateway: SmallGateway, path: str, body: dict, status: int, words: str) -> None:
    assert gateway.ask("POST", path, body)[0] == status
    assert words in gateway.ask("POST", path, body)[1]["error"]


def test_a_fault_of_ours_is_an_answer_and_stays_in_the_log(gateway: SmallGateway, monkeypatch) -> None:
    monkeypatch.setattr(type(gateway.engine.spool), "commits", property(lambda spool: 1 / 0))
    status, answer = gateway.ask("GET", "/status")
    assert status == 500
    assert "ZeroDivision" not in str(answer)
    assert "ZeroDivisionError" in (Path(gateway.config.logdir) / "general").read_text()


# -- what it does


def test_connectors_are_stopped_started_and_held(gateway: SmallGateway) -> None:
    assert good(gateway, "GET", "/connectors/customers")["state"] == "up"
    assert good(gateway, "POST", "/connectors/customers/stop", {})["stopped"]
    assert good(gateway, "GET", "/connectors/customers")["state"] != "up"
    assert not good(gateway, "POST", "/connectors/customers/start", {})["stopped"]
    assert good(gateway, "GET", "/connectors/customers")["state"] == "up"
    assert good(gateway, "POST", "/connectors/one/hold", {})["held"]
    assert gateway.engine.lanes.get("one").held
    assert not good(gateway, "POST", "/connectors/one/release", {})["held"]


def test_a_disabled_connector_is_not_started(tmp_path: Path) -> None:
    gateway = SmallGateway(tmp_path, two="DISABLED")
    status, answer = gateway.ask("POST", "/connectors/two/start", {})
    assert status == 409
    assert "DISABLED" in answer["error"]
    gateway.close()


def test_a_session_is_seen_and_closed(gateway: SmallGateway) -> None:
    address = gateway.connectors["customers"].status()["addresses"][0].rpartition(":")
    sock = gevent.socket.create_connection((address[0], int(address[2])), timeout=5)
    with gevent.Timeout(5):
        while not (seen := good(gateway, "GET", "/sessions?connector=customers")["sessions"]):
            gevent.sleep(0.01)
    assert good(gateway, "GET", "/sessions?account=nobody")["count"] == 0
    name = seen[0]["session"]
    assert good(gateway, "POST", f"/sessions/{name.replace('#', '%23')}/close", {"now": True})["closing"]
    with gevent.Timeout(5):
        assert sock.recv(100) == b""
    sock.close()


def test_queues_are_listed_moved_and_cleared(gateway: SmallGateway) -> None:
    gateway.small.submit(100, lambda number: short(f"4670{number:07d}"))
    listed = good(gateway, "GET", "/queues")
    assert listed["messages"] == 100
    assert listed["queues"][0]["queue"] == "one"
    assert listed["queues"][0]["size"] == 100
    assert "not started" in listed["queues"][0]["waits_for"]
    details = good(gateway, "GET", "/queues/one")
    assert [row["dest"] for row in details["head"][:2]] == ["46700000000", "46700000001"]
    assert len(details["head"]) == 10
    assert len(good(gateway, "GET", "/queues/one?head=15")["head"]) == 15
    assert gateway.ask("GET", "/queues/one?head=0")[0] == 400
    assert good(gateway, "POST", "/queues/one/clear", {"dry_run": True})["messages"] == 100
    assert good(gateway, "GET", "/queues/one")["size"] == 100
    moved = good(gateway, "POST", "/queues/one/move", {"to": "two", "prefix": "+467000000"})
    assert (moved["messages"], moved["complete"]) == (100, True)
    assert good(gateway, "GET", "/queues/one")["operation"]["messages"] == 100
    assert good(gateway, "POST", "/queues/two/clear", {"account": "acme"})["messages"] == 100
    assert good(gateway, "GET", "/queues/customers/acme")["size"] == 100, "the reports"


def test_the_queue_of_a_connector_that_is_gone_is_seen_while_it_holds_something(gateway: SmallGateway) -> None:
    gateway.small.submit(3)
    for name in ("one", "two"):
        del gateway.engine.ports[name]
        del gateway.connectors[name]
    gateway.engine.lanes.get("customers/other")
    gateway.engine.lanes.get("removed/acme").held = True
    listed = {row["queue"]: row for row in good(gateway, "GET", "/queues")["queues"]}
    assert listed.keys() == {"one", "customers"}
    assert [row["connector_exists"] for row in listed.values()] == [False, True]
    assert listed["one"]["waits_for"] == "its connector is gone: move or clear it"
    assert gateway.ask("GET", "/queues/two")[0] == 404
    assert 'connector="two"' not in gateway.ask("GET", "/metrics")[1]
    assert good(gateway, "POST", "/queues/one/clear", {})["messages"] == 3
    assert good(gateway, "GET", "/queues/one")["operation"]["complete"], "how it went can still be asked for"
    assert "one" not in {row["queue"] for row in good(gateway, "GET", "/queues")["queues"]}


def test_a_message_is_followed_and_cancelled(gateway: SmallGateway) -> None:
    (number,) = gateway.small.submit(1)
    assert good(gateway, "GET", f"/messages/{number}")["state"] == "queued"
    assert good(gateway, "POST", f"/messages/{number}/cancel", {})["cancelled"] == 1
    assert gateway.small.spool.flush()
    assert good(gateway, "GET", f"/messages/{number}")["state"] == "deleted"
    assert gateway.ask("GET", f"/messages/{number + 50}")[0] == 404


def test_explain_without_a_table(tmp_path: Path) -> None:
    gateway = SmallGateway(tmp_path)
    told = good(gateway, "POST", "/explain", {"dest": "+4670", "account": "acme", "connector": "customers"})
    assert (told["decided_by"], told["queue"]) == ("connector", "one")
    told = good(gateway, "POST", "/explain", {"dest": "4670", "account": "acme"})
    assert "no routing table" in told["refused"]
    gateway.close()


def test_explain_by_table(tmp_path: Path) -> None:
    from emg.rules.routes import RouteTable

    gateway = SmallGateway(tmp_path)
    rows = "prefix,account,connector_in,connector_out,priority,weight,enabled\n46,,,two,,,\n4670,,,one,,,\n4671,,,one:two,,,\n"
    gateway.engine.router.table = RouteTable.parse(rows, ["one", "two"])
    for name in ("one", "two"):
        gateway.engine.ports[name].started = gateway.engine.ports[name].reachable = True
    told = good(gateway, "POST", "/explain", {"dest": "46701"})
    assert told["connector"] == "one"
    assert "shorter" in told["rivals"][0]["reason"]
    gateway.engine.ports["one"].reachable = False
    told = good(gateway, "POST", "/explain", {"dest": "46701"})
    assert (told["connector"], told["usable"]) == ("one", False)
    assert "waits for one" in told["reason"]
    assert good(gateway, "POST", "/explain", {"dest": "46711"})["connector"] == "two"
    assert good(gateway, "POST", "/explain", {"dest": "99"})["refused"] == "no route for 99"
    gateway.close()


def test_explain_takes_the_addresses_as_a_submission_would(tmp_path: Path) -> None:
    from emg.rules.blocklist import AddressList, BlockLists

    gateway = SmallGateway(tmp_path)
    asked = {"account": "acme", "connector": "customers"}
    for written in ("+46 70-1", "004670000001", "46701"):
        assert good(gateway, "POST", "/explain", asked | {"dest": written})["dest"].startswith("4670")
    told = good(gateway, "POST", "/explain", asked | {"dest": "acme"})
    assert (told["queue"], "is not a number" in told["refused"]) == (None, True)
    told = good(gateway, "POST", "/explain", asked | {"dest": "4670", "source": "a sender that is too long"})
    assert "neither a number nor a name" in told["refused"]
    port = gateway.engine.ports["customers"]
    port.config = dataclasses.replace(port.config, replaceprefix="07/467")
    assert good(gateway, "POST", "/explain", asked | {"dest": "070123"})["dest"] == "4670123"
    gateway.engine.receiver.lists = BlockLists(AddressList.parse("4670*\tREJECT\tDESTADDR\n"), None)
    told = good(gateway, "POST", "/explain", asked | {"dest": "+4670123"})
    assert (told["queue"], "the black list has DESTADDR 4670*" in told["refused"]) == (None, True)
    gateway.close()


def test_explain_knows_who_may_send_from_where(tmp_path: Path) -> None:
    gateway = SmallGateway(tmp_path)
    asked = {"account": "acme", "connector": "customers", "dest": "4670"}
    users = gateway.engine.users
    users["acme"] = dataclasses.replace(users["acme"], sourceaddr=("ACME", "46*"))
    assert not good(gateway, "POST", "/explain", asked | {"source": "ACME"})["refused"]
    assert "may not send from 'EMG'" in good(gateway, "POST", "/explain", asked | {"source": "EMG"})["refused"]
    users["acme"] = dataclasses.replace(users["acme"], force_sourceaddr="Forced")
    assert good(gateway, "POST", "/explain", asked | {"source": "EMG"})["source"] == "Forced"
    gateway.close()


def test_reload_and_stop(gateway: SmallGateway) -> None:
    assert good(gateway, "POST", "/reload", {}) == {"connectors_changed": ["one"]}
    gateway.reload_fault = "no such thing"
    status, answer = gateway.ask("POST", "/reload", {})
    assert (status, "stays as it was: server.cfg:7: no such thing" in answer["error"]) == (409, True)
    assert gateway.ask("POST", "/stop", {})[0] == 202
    assert gateway.stop_asked


def test_health_says_what_is_wrong(gateway: SmallGateway) -> None:
    assert good(gateway, "GET", "/health")["ok"]
    gateway.lag = 30.0
    gateway.engine.receiver.open = False
    status, answer = gateway.ask("GET", "/health")
    assert status == 503
    assert answer["codes"] == ["loop_late", "stopping"]
    assert answer["faults"] == ["the event loop was 30.0 s late", "the gateway is stopping"]


def test_each_trouble_of_health_has_its_code(gateway: SmallGateway, monkeypatch) -> None:
    """Programs go by the codes: each row of their table can be had, and nothing else."""
    answer = good(gateway, "GET", "/health")
    assert (answer["codes"], answer["faults"], answer["process"]) == ([], [], os.getpid())
    spool = gateway.engine.spool
    monkeypatch.setattr(type(spool), "commit_seconds", property(lambda _spool: overview.COMMIT_LIMIT + 1))
    spool.full_since = time.monotonic() - 5
    gateway.lag = overview.LAG_LIMIT + 1
    gateway.engine.receiver.open = False
    status, answer = gateway.ask("GET", "/health")
    assert (status, answer["codes"]) == (503, list(overview.CODES))
    assert len(answer["faults"]) == len(overview.CODES)


def progress(gateway: SmallGateway) -> dict:
    return good(gateway, "GET", "/connectors/one")["progress"]


def test_progress_counts_what_is_due_in_flight_and_finished(gateway: SmallGateway) -> None:
    assert good(gateway, "GET", "/connectors/customers")["progress"] is None
    first, second, third = gateway.small.submit(3)
    ended = {"finished": 0, "taken": 0, "unanswered": 0}
    assert progress(gateway) == ended | {"up": False, "due": 3, "in_flight": 0, "waiting": 3, "answer_seconds": 30.0}
    gateway.engine.ports["one"].started = True
    carrier, _sent = gateway.small.carrier("one", window=2, answering=False)
    gateway.small.rows("SELECT 1")
    assert progress(gateway) == ended | {"up": True, "due": 1, "in_flight": 2, "waiting": 3, "answer_seconds": 30.0}
    port, deliver = gateway.engine.ports["one"], gateway.engine.deliverer
    deliver.sent(port, carrier, carrier.in_flight[first], "r1")
    deliver.refused(port, carrier, carrier.in_flight[second], 0x14, Cause.QUEUE_FULL)
    assert progress(gateway)["finished"] == 2
    assert third in gateway.engine.lanes.get("one").waiting
    port.counters.maybe_sent += 1
    told = progress(gateway)
    assert (told["finished"], told["taken"], told["unanswered"], told["waiting"]) == (3, 1, 1, 2)


def test_what_waits_for_its_time_is_not_due(gateway: SmallGateway) -> None:
    gateway.small.submit(2)
    lane = gateway.engine.lanes.get("one")
    message = lane.waiting[next(iter(lane.waiting))]
    lane.remove(message.id)
    gateway.engine.lanes.put_back(message, lane, due=time.time() + 600)
    assert progress(gateway)["due"] == 1
    lane.remove(message.id)
    assert progress(gateway)["due"] == 1, "what was taken out is not waiting for its time either"


def _hold(gateway: SmallGateway) -> None:
    gateway.engine.lanes.get("one").held = True


def _stop(gateway: SmallGateway) -> None:
    gateway.engine.ports["one"].stopped = True


def _slow(gateway: SmallGateway) -> None:
    gateway.engine.lanes.get("one").paused_until = time.monotonic() + 60


def _pace(gateway: SmallGateway) -> None:
    pacer = gateway.engine.lanes.get("one").pacer = TokenBucket(0.001)
    pacer.take(time.monotonic())


@pytest.mark.parametrize("wait", [_hold, _stop, _slow, _pace])
def test_a_connector_that_is_meant_to_wait_is_not_up(gateway: SmallGateway, wait) -> None:
    gateway.engine.ports["one"].started = True
    gateway.small.carrier("one", answering=False)
    assert progress(gateway)["up"]
    wait(gateway)
    assert not progress(gateway)["up"]


def test_metrics_count_everything_that_a_connector_counts(gateway: SmallGateway) -> None:
    gateway.small.submit(3)
    text = good(gateway, "GET", "/metrics")
    assert 'emg_accepted_total{connector="customers"} 3.0' in text
    assert 'emg_connector_queued_messages{connector="one"} 3.0' in text
    for name in Counters.__slots__:
        assert f'emg_{name}_total{{connector="one"}}' in text
    for line in text.splitlines():
        assert "acme" not in line, "no account in a label"


# -- the sockets


def test_the_socket_is_for_its_user_and_group(gateway: SmallGateway) -> None:
    mode = Path(gateway.config.control).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


def test_a_second_gateway_is_told_that_there_is_one(gateway: SmallGateway) -> None:
    with pytest.raises(EmgError, match="running already"):
        ControlServer(gateway).start()
    assert good(gateway, "GET", "/health")["ok"], "and the first one is still there"


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()
    gateway = SmallGateway(tmp_path)
    assert good(gateway, "GET", "/health")["ok"]
    gateway.close()
    assert not (tmp_path / "control.sock").exists()


def test_what_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("precious")
    gateway = SmallGateway.__new__(SmallGateway)
    with pytest.raises(EmgError, match="no socket"):
        gateway.__init__(tmp_path)
    assert (tmp_path / "control.sock").read_text() == "precious"
    gateway.connectors["customers"].stop(0.1)
    gateway.small.close()


def test_the_metrics_port_shows_no_more(tmp_path: Path) -> None:
    gateway = SmallGateway(tmp_path, extra="METRICS=127.0.0.1:0")
    host, port = gateway.server.metrics_address

    def get(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as response:
                return response.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    pool = gevent.get_hub().threadpool
    assert pool.apply(get, ("/metrics",)) == 200
    assert pool.apply(get, ("/health",)) == 200
    assert pool.apply(get, ("/status",)) == 404
    assert pool.apply(get, ("/stop",)) == 404
    gateway.close()


def test_a_stop_does_not_wait_for_connections_that_ask_nothing(gateway: SmallGateway) -> None:
    server = Server(listen_tcp("127.0.0.1", 0, "TEST"), ControlApplication(Api(gateway), TABLE), logging.getLogger())
    server.start()
    with gevent.Timeout(10):
        kept = gevent.socket.create_connection(("127.0.0.1", server.server_port))
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 200")
        server.stop(timeout=60)
        assert kept.recv(65536) == b""
        kept.close()


def test_a_silent_connection_is_closed(gateway: SmallGateway, monkeypatch) -> None:
    monkeypatch.setattr("emg.control.http_server.Handler.idle_seconds", 0.05)
    assert raw_silent(gateway) == b""


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /hea", b""),
        (b"GET /health HTTP/1.1\r\nHost: ", b"408"),
        (b"POST /explain HTTP/1.1\r\nContent-Length: 10\r\n\r\n{", b"408"),
    ],
)
def test_a_request_that_does_not_end_is_ended(gateway: SmallGateway, monkeypatch, octets: bytes, status: bytes) -> None:
    """A caller who sends an octet now and then, so that the connection is never silent, holds it no longer than that."""
    monkeypatch.setattr("emg.control.http_server.HEAD_SECONDS", 0.2)
    monkeypatch.setattr("emg.control.http_server.BODY_SECONDS", 0.2)
    with gevent.Timeout(10):
        sock = gevent.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(gateway.config.control)
        sock.sendall(octets)

        def drip() -> None:
            while True:
                sock.sendall(b"x")
                gevent.sleep(0.15)

        dripping = gevent.spawn(drip)
        answer = b""
        try:
            while data := sock.recv(1000):
                answer += data
        except ConnectionResetError:
            pass  # an octet of ours came too late
        dripping.kill()
        sock.close()
    assert answer.startswith(b"HTTP/1.1 " + status if status else b"")
    assert good(gateway, "GET", "/health")["ok"]


def raw_silent(gateway: SmallGateway) -> bytes:
    with gevent.Timeout(10):
        sock = gevent.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(gateway.config.control)
        sock.sendall(b"GET /hea")
        data = sock.recv(1000)
        sock.close()
        return data


def test_explain_with_prices(tmp_path: Path) -> None:
    from emg.rules.billing import Billing
    from emg.rules.numbering import Numbering
    from emg.rules.prices import PriceTable

    gateway = SmallGateway(tmp_path)
    rows = "prefix,account,connector_out,price,cost,currency\n46,,one,0.05,0.03,EUR\n4670,other,one,0.04,0.03,EUR\n46,,one,9,9,SEK\n"
    gateway.engine.charging.prices = PriceTable.parse(rows)
    gateway.engine.charging.numbering = Numbering.parse("prefix,country,name,mcc,mnc\n46,SE,,240,01\n")
    gateway.engine.charging.configure(
        {"acme": Billing(7, 1, "EUR", True, None, 10, 0), "poor": Billing(8, 1, "USD", True, None, 10, 0)}
    )
    asked = {"dest": "4670123", "account": "acme", "connector": "customers"}
    told = good(gateway, "POST", "/explain", asked)
    assert (told["price"]["row"]["id"], told["price"]["row"]["price"], told["network"], told["refused"]) == (
        2,
        50_000,
        "24001",
        "",
    )
    assert told["price"]["row"]["valid_until"] is None
    assert [rival["reason"] for rival in told["price"]["rivals"]] == [
        "in SEK; the account's currency is EUR",
        "for account 'other' only",
    ]
    assert (
        good(gateway, "POST", "/explain", asked | {"account": "poor"})["refused"]
        == "there is no price: no row is in USD"
    )
    gateway.engine.charging.prices = None
    assert "price" not in good(gateway, "POST", "/explain", asked)
    gateway.close()
