"""The gateway's figures for Prometheus, read from the plain counters when they are asked for: counting costs nothing extra.

Labels are connectors, never accounts, numbers or sessions: the series stay few. The names are a table that the documentation and
the tests read too.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from emg.control.http import Request, Route, Text
from emg.control.routes import Connector, Gateway
from emg.engine import inspection

if TYPE_CHECKING:
    from emg.control.server import Api

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTERS = {
    "accepted": "Messages accepted",
    "refused": "Requests refused before acceptance",
    "sent": "Messages that the far side has taken",
    "failed": "Messages that failed for good",
    "retried": "Attempts that failed and are repeated",
    "throttled": "Answers that asked to slow down",
    "maybe_sent": "Messages whose answer was lost with the connection",
    "delivered": "Messages that reports say were delivered",
    "undelivered": "Messages of which reports say another end",
    "reports_in": "Delivery reports received",
    "reports_out": "Delivery reports brought to their senders",
    "duplicates": "Delivery reports that came twice",
    "orphans": "Delivery reports that match no message",
}
"""Of each connector, since the start: emg_<name>_total."""


class Gauge(NamedTuple):
    """One figure of the whole gateway."""

    help: str
    value: Callable[[Gateway], float]
    counter: bool = False


GAUGES = {
    "emg_up_seconds": Gauge("Time since the start", lambda g: time.time() - g.started_at if g.started_at else 0.0),
    "emg_queued_messages": Gauge("Messages in all queues", lambda g: g.engine.lanes.total),
    "emg_held_parts": Gauge(
        "Parts of long messages that wait for the others (MESSAGEMODE=JOIN)", lambda g: g.engine.receiver.joiner.count
    ),
    "emg_open_reports": Gauge("Delivery reports still awaited", lambda g: g.engine.open_reports.count),
    "emg_orphan_reports": Gauge("Delivery reports kept that match nothing", lambda g: len(g.engine.orphans)),
    "emg_outbox_events": Gauge("Events kept for the message log", lambda g: g.engine.spool.outbox_events),
    "emg_outbox_rows_behind": Gauge(
        "Commits whose events are not in the message log", lambda g: g.engine.outbox.behind
    ),
    "emg_outbox_alarm": Gauge(
        "1 while too many events wait for the message log", lambda g: float(bool(g.engine.outbox.alarm))
    ),
    "emg_reused_ids": Gauge(
        "Ids that providers gave again while a report on them was awaited",
        lambda g: g.engine.open_reports.reused,
        counter=True,
    ),
    "emg_loop_lag_seconds": Gauge("How late the event loop was", lambda g: g.lag),
    "emg_commit_running_seconds": Gauge("Age of the present commit", lambda g: g.engine.spool.commit_seconds),
    "emg_spool_full": Gauge("1 while the spool cannot be written", lambda g: float(bool(g.engine.spool.full_since))),
    "emg_spool_commits": Gauge("Group commits", lambda g: g.engine.spool.commits, counter=True),
    "emg_spool_committing_seconds": Gauge(
        "How long group commits took together", lambda g: g.engine.spool.writer.seconds, counter=True
    ),
    "emg_spool_writing_seconds": Gauge(
        "The same without waiting: from BEGIN to the end of COMMIT",
        lambda g: g.engine.spool.writer.writing_seconds,
        counter=True,
    ),
    "emg_spool_prompt_answers": Gauge(
        "Submissions answered by the thread that committed them", lambda g: g.engine.spool.writer.answers, counter=True
    ),
    "emg_spool_refusals": Gauge("Refused as the spool was full", lambda g: g.engine.spool.refusals, counter=True),
    "emg_log_lines_lost": Gauge("Log lines that could not be written", lambda g: g.engine.logs.lost, counter=True),
}

CONNECTOR_GAUGES: dict[str, tuple[str, Callable[[Connector], float]]] = {
    "emg_connector_usable": ("1 when routes may choose it", lambda c: float(c.port.usable)),
    "emg_connector_held": ("1 while it is on hold", lambda c: float(c.port.lane.held)),
    "emg_connector_throttled": (
        "1 while the far side slows it down, or a session of it",
        lambda c: float(bool(c.port.slowed)),
    ),
    "emg_connector_sessions": ("Connections that stand", lambda c: len(c.sessions())),
}
QUEUE_GAUGES = {
    "emg_connector_queued_messages": "Messages in the queues of a connector",
    "emg_connector_in_flight_messages": "Messages that wait for their answers",
    "emg_connector_deferred_messages": "Messages that wait for their time",
}


class _Gateway(Collector):
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def describe(self) -> Iterable[Metric]:
        """Nothing yet: the gateway is not there when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All figures, now."""
        for name, gauge in GAUGES.items():
            family = CounterMetricFamily if gauge.counter else GaugeMetricFamily
            yield family(name, gauge.help, value=gauge.value(self._gateway))
        connectors = list(self._gateway.connectors.items())
        for name, text in COUNTERS.items():
            counted = CounterMetricFamily(f"emg_{name}", text, labels=["connector"])
            for connector, owner in connectors:
                counted.add_metric([connector], getattr(owner.port.counters, name))
            yield counted
        for name, (text, value) in CONNECTOR_GAUGES.items():
            measured = GaugeMetricFamily(name, text, labels=["connector"])
            for connector, owner in connectors:
                measured.add_metric([connector], value(owner))
            yield measured
        yield from self._queues()

    def _queues(self) -> Iterator[Metric]:
        sums: dict[str, list[int]] = {}
        engine = self._gateway.engine
        for lane in engine.lanes.by_name.values():
            if inspection.is_gone(engine, lane):
                continue
            row = sums.setdefault(lane.name.partition("/")[0], [0, 0, 0])
            row[0] += lane.size
            row[1] += lane.in_flight
            row[2] += lane.deferred
        for index, (name, text) in enumerate(QUEUE_GAUGES.items()):
            family = GaugeMetricFamily(name, text, labels=["connector"])
            for connector, row in sums.items():
                family.add_metric([connector], row[index])
            yield family


class Metrics:
    """The registry of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Gateway(gateway))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self._registry)


def show(api: "Api", _request: Request) -> Text:
    """The figures."""
    return Text(api.metrics.text(), CONTENT_TYPE)


ROUTES = (Route("GET", "/metrics", show, "figures for Prometheus"),)
