"""The watchdog's API over real sockets: what each route does. Who may use it: test_api_door."""

import json
import logging
import re
import signal
import time
from pathlib import Path
from typing import Any

import gevent

from emg.config.load import load_text
from tests.watchdog_site import AUTHORIZED, ROUTES, TOKEN, FakeWatchdog, Site, shown
from watchdog import api as api_module
from watchdog import log_following, program_control
from watchdog.api import TABLE, TROUBLE, Api
from watchdog.model import Finding, Severity
from watchdog.programs import BY_NAME
from watchdog.supervisor import SupervisorUnreachable

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


def test_nobody_is_asked_for_our_own_name(tmp_path: Path, monkeypatch) -> None:
    """A DNS that does not answer would hold up the start."""
    monkeypatch.setattr("gevent.pywsgi.socket.getfqdn", lambda _address: 1 / 0)
    site = Site(tmp_path)
    assert site.ask("GET", "/status")[0] == 200
    site.api.stop()


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
