"""Batches handed to a gateway: once each, whatever is lost on the way. Against a real HTTP server on a socket that remembers keys as the gateway does."""

import datetime as dt
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from emg.db import accounts, batches
from emg.db.audit import Actor
from emg.db.batches import Row
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.db.models import BatchState, ItemState, SendBatch, SendItem
from emg.errors import EmgError
from emg.jobs import sending

ANN = Actor("ann")


class Gateway(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Takes messages under their keys. `lose`: takes them, and the answer does not arrive; `refuse`: by number, a cause."""

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.taken: dict[str, dict[str, Any]] = {}
        self.calls: list[int] = []
        self.lose = False
        self.refuse: dict[str, str] = {}

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        key = message["key"]
        if cause := self.refuse.get(message["dest"]):
            return {"key": key, "refused": cause, "reason": f"it is {cause}"}
        assert self.taken.setdefault(key, message) == message, "the same key with another message"
        return {"key": key, "id": 1000 + list(self.taken).index(key), "parts": 1, "price": 5, "currency": "EUR"}


class Handler(http.server.BaseHTTPRequestHandler):
    server: Gateway

    def address_string(self) -> str:
        return "test"

    def log_message(self, *_given: Any) -> None:
        pass

    def do_POST(self) -> None:
        assert self.path == "/messages"
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        self.server.calls.append(len(given))
        octets = json.dumps({"messages": [self.server.answer(each) for each in given]}).encode()
        if self.server.lose:
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with Gateway(str(tmp_path / "emg.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def path(gateway: Gateway) -> str:
    return str(gateway.server_address)


def make(database: Database, numbers: int = 3, *, confirm: bool = True, due: dt.datetime | None = None) -> int:
    with database.session() as session:
        try:
            account = accounts.find(session, "acme")
        except NotFound:
            account = accounts.add(session, ANN, {"name": "acme"})
            session.flush()
        batch = SendBatch(account_id=account.id, who="ann", source="EMG", template="hi", due=due, validity=3600)
        rows = [Row(line, f"4670{line:05d}", f"hi {line}", 1) for line in range(1, numbers + 1)]
        number = batches.draft(session, batch, rows).id
    if confirm:
        act(database, number, "confirm")
    return number


def act(database: Database, number: int, name: str) -> int:
    with database.session() as session:
        return batches.act(session, ANN, number, name, "")


def states(database: Database, number: int) -> list[str]:
    with database.session() as session:
        return [item.state.value for item in batches.items(session, number)]


def state(database: Database, number: int) -> BatchState:
    with database.session() as session:
        return batches.find(session, number, "").state


def test_all_are_handed_over_and_the_batch_is_done(database: Database, gateway: Gateway) -> None:
    number = make(database)
    assert sending.send(database, path(gateway)) == "handed over 3, of which 3 were taken"
    assert states(database, number) == ["sent"] * 3
    assert state(database, number) is BatchState.DONE
    with database.session() as session:
        item = session.scalars(select(SendItem)).first()
        assert item is not None
        assert item.message_id == 1000
    first = next(iter(gateway.taken.values()))
    assert (first["account"], first["source"], first["dest"], first["validity"]) == ("acme", "EMG", "467000001", 3600)
    assert sending.send(database, path(gateway)) == "nothing to hand over"


def test_an_answer_that_is_lost_sends_nothing_twice(database: Database, gateway: Gateway) -> None:
    number = make(database)
    gateway.lose = True
    assert "messages wait" in sending.send(database, path(gateway))
    assert len(gateway.taken) == 3
    assert states(database, number) == ["waiting"] * 3
    assert act(database, number, "cancel") == 0, "they may have been sent"
    gateway.lose = False
    sending.send(database, path(gateway))
    assert len(gateway.taken) == 3
    assert states(database, number) == ["sent"] * 3
    assert state(database, number) is BatchState.CANCELLED


def test_no_gateway_is_no_failure(database: Database, tmp_path: Path) -> None:
    number = make(database)
    assert "not running" in sending.send(database, str(tmp_path / "nobody"))
    assert states(database, number) == ["waiting"] * 3


def test_passing_causes_wait_and_others_end_it(database: Database, gateway: Gateway) -> None:
    number = make(database)
    gateway.refuse = {"467000001": "throttled", "467000002": "no credit"}
    sending.send(database, path(gateway))
    assert states(database, number) == ["waiting", "refused", "sent"]
    gateway.refuse = {}
    sending.send(database, path(gateway))
    assert states(database, number) == ["sent", "refused", "sent"]
    assert state(database, number) is BatchState.DONE
    with database.session() as session:
        assert batches.items(session, number, "refused")[0].reason == "it is no credit"


def test_a_call_is_bounded_and_batches_share_it(database: Database, gateway: Gateway) -> None:
    large, small = make(database, 450), make(database, 1)
    sending.send(database, path(gateway))
    assert gateway.calls == [101], "half for each, of which the small one needs one"
    assert state(database, small) is BatchState.DONE
    while state(database, large) is BatchState.SENDING:
        sending.send(database, path(gateway))
    assert max(gateway.calls) == sending.MOST
    assert len(gateway.taken) == 451


def test_drafts_paused_and_later_ones_are_left_alone(database: Database, gateway: Gateway) -> None:
    make(database, confirm=False)
    later = make(database, due=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    paused = make(database)
    assert act(database, paused, "pause") == 3
    assert sending.send(database, path(gateway)) == "nothing to hand over"
    assert act(database, later, "cancel") == 3
    assert states(database, later) == ["cancelled"] * 3
    act(database, paused, "resume")
    sending.send(database, path(gateway))
    assert states(database, paused) == ["sent"] * 3
    with pytest.raises(EmgError, match="is done"):
        act(database, paused, "cancel")


def test_drafts_that_were_left_lying_are_forgotten(database: Database) -> None:
    old = make(database, confirm=False)
    with database.session() as session:
        batches.find(session, old, "").created -= dt.timedelta(days=2)
    new = make(database, confirm=False)
    with database.session() as session:
        assert [batch.id for batch in batches.listing(session, "")] == [new]
        assert batches.counts(session, [new])[new]["waiting"] == 3
        assert session.scalar(select(SendItem.id).where(SendItem.batch_id == old)) is None
        assert ItemState.WAITING.value == "waiting"


def test_a_gateway_that_answers_nonsense_says_nothing(database: Database, gateway: Gateway) -> None:
    number = make(database, 1)
    gateway.answer = lambda message: {"strange": message["key"]}  # type: ignore[method-assign]
    sending.send(database, path(gateway))
    assert states(database, number) == ["waiting"]
    with database.session() as session:
        assert batches.counts(session, [number])[number]["asked"] == 1
