"""Looking at queues and routes without touching them: how long, how old, why they wait, and where a message would go."""

import time
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from emg.config.connector import ConnectorConfig
from emg.config.model import UserConfig
from emg.engine import slowing
from emg.engine.engine import Engine
from emg.engine.lane import UNLIMITED, Lane
from emg.engine.port import Port
from emg.errors import Cause, Rejected
from emg.message import Message
from emg.rules import price_explain
from emg.rules.address import Addressing, normal_source
from emg.rules.blocklist import Action

HEAD = 10


def port_of(engine: Engine, lane: Lane) -> Port | None:
    """The connector that empties this queue; None when it is gone."""
    return engine.ports.get(lane.name.partition("/")[0])


def is_gone(engine: Engine, lane: Lane) -> bool:
    """An empty queue whose connector does not exist any more: nobody needs to see it."""
    return not lane.size and port_of(engine, lane) is None


def queue_row(engine: Engine, lane: Lane) -> dict[str, Any]:
    """A queue in one line."""
    oldest = min((message.accepted for message in lane.waiting.values()), default=0.0)
    return {
        "queue": lane.name,
        "connector_exists": port_of(engine, lane) is not None,
        "size": lane.size,
        "in_memory": len(lane.waiting),
        "in_flight": lane.in_flight,
        "on_disk": lane.spilled_count,
        "deferred": lane.deferred,
        "limit": None if lane.size_limit >= UNLIMITED else lane.size_limit,
        "held": lane.held,
        "oldest_seconds": round(time.time() - oldest, 1) if oldest else None,
        "sent": lane.sent,
        "failed": lane.failures,
        "waits_for": why_waiting(engine, lane),
    }


def queue_details(engine: Engine, lane: Lane, count: int = HEAD) -> dict[str, Any]:
    """The same with its first `count` messages and its sessions."""
    return {
        **queue_row(engine, lane),
        "head": [_summary(message) for message in lane.head(count)],
        "sessions": [
            {"session": carrier.name, "window": carrier.window, "in_flight": len(carrier.in_flight)}
            for carrier in lane.carriers
        ],
        "retries_waiting": len(lane.delayed),
    }


def _summary(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": message.kind.name.lower(),
        "account": message.account,
        "source": message.source,
        "dest": message.dest,
        "accepted": message.accepted,
        "expires": message.expires,
        "tries": message.tries,
        "maybe_sent": message.maybe_sent,
    }


def why_waiting(engine: Engine, lane: Lane) -> str:
    """In words: what the next message of this queue waits for; empty when nothing waits."""
    if not lane.size:
        return ""
    if port_of(engine, lane) is None:
        return "its connector is gone: move or clear it"
    if lane.held:
        return "on hold: release it"
    obstacle = _obstacle(engine, lane)
    if obstacle:
        return obstacle
    now = time.monotonic()
    port = port_of(engine, lane)
    pause = slowing.pause_of(port, lane, now) if port is not None else 0.0
    if pause > 0:
        return f"the far side asked to slow down: goes on in {pause:.1f} s"
    if not lane.waiting and lane.spilled_count:
        return "being read from disk"
    if not lane.heap and (lane.delayed or lane.deferred):
        return _due(lane)
    if all(len(carrier.in_flight) >= min(carrier.depth, lane.cap) for carrier in lane.carriers):
        slowed = f", of which the far side leaves us {lane.cap}" if lane.cap < UNLIMITED else ""
        return f"the window is full: {lane.in_flight} messages wait for their answers{slowed}"
    if lane.wake_planned > now:
        return f"THROUGHPUT: the next may go in {lane.wake_planned - now:.2f} s"
    return "nothing: it is being sent" if lane.heap else "its answers"


def _obstacle(engine: Engine, lane: Lane) -> str:
    """Why nobody empties it, if nobody does."""
    port = port_of(engine, lane)
    assert port is not None, "that its connector is gone was told before"
    if port.stopped:
        return "the connector was stopped by an operator: start it"
    if not port.can_send:
        return "the connector only receives (MODE): move or clear it"
    if not port.started:
        return "the connector is not started"
    if lane.carriers:
        return ""
    if "/" in lane.name:
        return "the account has no session that receives"
    if port.incoming:
        return "no client is bound that receives"
    return "a session: it is being made" if port.reachable else "the connector has no session"


def _due(lane: Lane) -> str:
    if lane.delayed:
        first = min(due for due, _number, _message in lane.delayed)
        return f"the time of its next message, in {max(first - time.time(), 0):.0f} s"
    return "the times of its messages, which are in the future"


def explain_route(engine: Engine, dest: str, source: str, account: str, connector: str) -> dict[str, Any]:
    """Where a message would go now, and why; nothing is changed by asking. What is told of the addresses is what would become of them."""
    told: dict[str, Any] = {
        "dest": dest, "source": source, "account": account, "received_on": connector,
        "connector": None, "queue": None, "decided_by": "", "reason": "", "refused": "",
    }  # fmt: skip
    user = engine.users.get(account)
    origin = engine.ports.get(connector)
    try:
        _take_in(engine, told, user, origin)
        _decide(engine, told, user, origin)
    except Rejected as error:
        told["refused"] = error.reason
    return told


def _take_in(engine: Engine, told: dict[str, Any], user: UserConfig | None, origin: Port | None) -> None:
    """Addresses as the way in makes them, and what it refuses them for. A sender that is not given is not judged. Raises Rejected."""
    addressing = Addressing(origin.config if origin is not None else ConnectorConfig(name=""))
    told["dest"] = addressing.dest(told["dest"], 0, 0)[0]
    told["source"] = addressing.source(told["source"], 0, 0)[0]
    source = told["source"]
    if user is not None and user.force_sourceaddr:
        told["source"] = normal_source(user.force_sourceaddr, 0, 0)[0]
    elif user is not None and source and user.sourceaddr and not any(fnmatchcase(source, p) for p in user.sourceaddr):
        raise Rejected(Cause.BAD_SOURCE, f"account {user.name} may not send from {source!r}")
    listed = engine.receiver.lists.find(told["source"], told["dest"]) if engine.receiver.lists is not None else None
    if listed is not None and listed.action is Action.REJECT:
        raise Rejected(Cause.BLOCKED, f"the black list has {listed}")


def _decide(engine: Engine, told: dict[str, Any], user: UserConfig | None, origin: Port | None) -> None:
    name, reason = None, ""
    if user is not None and user.route:
        name, told["decided_by"] = user.route, "account"
        reason = f"USER {user.name} has ROUTE={user.route}"
    elif origin is not None and origin.config.route:
        name, told["decided_by"] = origin.config.route, "connector"
        reason = f"CONNECTOR {origin.name} has ROUTE={origin.config.route}"
    elif engine.router.table is None:
        told["decided_by"] = "nothing"
        told["refused"] = "no ROUTE of the account or the connector applies, and there is no routing table (ROUTES)"
    else:
        told["decided_by"] = "table"
        explanation = engine.router.table.explain(
            told["dest"], told["account"], told["received_on"], engine.router.usable
        )
        name, reason = explanation.connector, explanation.reason
        told["row"] = msgspec.to_builtins(explanation.row)
        told["rivals"] = msgspec.to_builtins(explanation.rivals)
        told["more_rivals"] = explanation.more_rivals
        if name is None:
            choice = engine.router.table.lookup(told["dest"], told["account"], told["received_on"])
            names = [connector for row in choice.rows for connector in row.connectors]
            name = engine.router.fallback(names, told["dest"])
            reason += f"; it waits for {name}, the first that has room"
    told["reason"] = reason
    if name is not None:
        lane, port, _why = engine.router.target(name, "")
        told["connector"], told["queue"] = port.name, lane.name
        told["usable"] = port.usable
        if origin is None or origin.incoming:
            _price(engine, told, port)


def _price(engine: Engine, told: dict[str, Any], port: Port) -> None:
    """What a part of the message would cost; amounts in micro-units."""
    account = told["account"]
    explanation = engine.charging.explain(told["dest"], account, told["received_on"], port, time.time())
    if explanation is not None:
        told["price"] = price_explain.plain(explanation)
        told["network"] = engine.charging.network(told["dest"])
        if explanation.row is None and account in engine.charging.by_account:
            told["refused"] = f"there is no price: {explanation.reason}"
