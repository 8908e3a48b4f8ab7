"""`emg load`: a load client (ESME) that measures a gateway.

Binds its sessions, sends when all of them are bound, and prints throughput, latencies of acknowledgements and reports, and errors by status.
With `--ledger` it writes down what it sent and heard. Ctrl-C stops sending and waits for what is on its way; a second one ends.
Exit codes: 0 every message was acknowledged (and reported, where reports were asked for), 1 it was not, 3 the bind was refused, 5 bad argument.
"""

import argparse
import json
import math
import signal
import sys
import time
from typing import Any, Final

import gevent
import gevent.event

from emg.errors import EmgError
from emg.tools import options, progress
from emg.tools.connect import Login, connect
from emg.tools.esme import LoadRun, LoadSession
from emg.tools.ledger import Ledger
from emg.tools.traffic import Traffic, own_run
from emg.wire.smpp import machine as smpp
from emg.wire.smpp.codec import encode
from emg.wire.smpp.names import status_name

PACE_SECONDS: Final = 0.005
CLOSE_SECONDS: Final = 5.0
BACK_OFF: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to reconnect; the last one repeats."""
GIVE_UP_SECONDS: Final = 120.0
"""With --reconnect, a session that can't be bound for so long is given up."""
DEFAULT_SENDERS = options.Numbers("12345")
DEFAULT_RECIPIENTS = options.Numbers("4670", 7)


class Load:
    """Runs the sessions of one `LoadRun` from their dialling to their unbind."""

    def __init__(
        self, run: LoadRun, login: Login, *, sessions: int, window: int, mode: str, reconnect: bool, answer_wait: float
    ) -> None:
        self.run = run
        self.reconnects = 0
        self.process_seconds = 0.0
        self.faults: list[str] = []
        self.refusal = 0
        self._login = login
        self._window = window
        self._reconnect = reconnect
        self._timers = smpp.Timers(answer=answer_wait, unbind=min(CLOSE_SECONDS, answer_wait))
        self._bound = 0
        self._all_bound = gevent.event.Event()
        self._over = gevent.event.Event()
        kinds = [("trx", True)] if mode == "trx" else [("tx", True), ("rx", False)]
        self._sessions = [
            (kind, LoadSession(run, number, self._count_bound, sends=sends))
            for number in range(1, sessions + 1)
            for kind, sends in kinds
        ]
        self._stopped = False
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._pacer: gevent.Greenlet[..., None] | None = None

    def open(self) -> None:
        """Bind all sessions. Raises LoginRefused, or EmgError when one can't be bound."""
        self._greenlets = [gevent.spawn(self._serve, kind, session) for kind, session in self._sessions]
        self._all_bound.wait()
        if self._bound < len(self._sessions) and not self._stopped:
            self.close()
            if self.refusal:
                raise options.LoginRefused(f"the bind was refused: {status_name(self.refusal)}")
            raise EmgError(self.faults[0])

    def send(self, duration: float, report_wait: float) -> None:
        """Send everything; return when all is answered and reported, or waited for long enough."""
        self.process_seconds = time.process_time()
        self.run.start(time.monotonic())
        self._pacer = gevent.spawn(self._pace)
        stopper = gevent.spawn_later(duration, self.run.stop_sending) if duration < math.inf else None
        self.run.all_answered.wait()
        if self.run.awaited and any(session.bound or self._reconnect for _, session in self._sessions):
            self.run.all_reported.wait(report_wait)
        self.process_seconds = time.process_time() - self.process_seconds
        if stopper is not None:
            stopper.kill()

    def stop(self) -> None:
        """Send nothing new; a session that is not bound by now is not waited for."""
        self._stopped = True
        self.run.stop_sending()
        self._all_bound.set()

    def close(self) -> None:
        """Unbind all sessions and wait for them."""
        self._over.set()
        if self._pacer is not None:
            self._pacer.kill()
        for _, session in self._sessions:
            if session.bound:
                session.machine.unbind(time.monotonic())
                session.driver.flush_soon()
        gevent.joinall(self._greenlets, timeout=CLOSE_SECONDS)
        gevent.killall(self._greenlets)
        self.run.ledger.close()

    def _serve(self, kind: str, session: LoadSession) -> None:
        attempt, bound_at = 0, time.monotonic()
        while not self._over.is_set():
            was_bound = self._connect_once(kind, session)
            if self._over.is_set():
                return
            now = time.monotonic()
            attempt, bound_at = (0, now) if was_bound else (attempt + 1, bound_at)
            refused_at_first = session.refusal and not self._all_bound.is_set()
            if not self._reconnect or refused_at_first or now - bound_at > GIVE_UP_SECONDS:
                self._give_up(session)
                return
            self._over.wait(BACK_OFF[min(attempt, len(BACK_OFF) - 1)])
            self.reconnects += 1

    def _connect_once(self, kind: str, session: LoadSession) -> bool:
        """One connection from its beginning to its end; whether it was bound."""
        bound_before = self._bound
        session.reason = ""
        try:
            driver = connect(self._login, kind, session, self.run.ledger, self._timers, self._window)
        except EmgError as error:
            session.reason = str(error)
            return False
        session.attach(driver, driver.machine)  # type: ignore[arg-type]  # connect makes no other machine
        driver.run()
        return self._bound > bound_before

    def _give_up(self, session: LoadSession) -> None:
        self.faults.append(session.reason or "the connection was closed")
        self.refusal = self.refusal or session.refusal
        if not self._all_bound.is_set():
            self._all_bound.set()
        elif not self.run.sessions:
            self.run.stop_sending()

    def _count_bound(self) -> None:
        self._bound += 1
        if self._bound >= len(self._sessions):
            self._all_bound.set()

    def _pace(self) -> None:
        while True:
            gevent.sleep(PACE_SECONDS)
            self.run.pace(time.monotonic())


def main(argv: list[str]) -> int:
    """Run `emg load` with these arguments; the exit code."""
    return options.end("emg load", lambda: _run(_parser().parse_args(argv)))


def _run(chosen: argparse.Namespace) -> int:
    if chosen.size and chosen.long > 1:
        raise options.BadArgument("--size and --long exclude each other: the parts of a long message are full")
    messages = chosen.messages or (math.inf if chosen.duration else 1000)
    traffic = Traffic(
        own_run(), chosen.senders, chosen.recipients, chosen.text, chosen.size, chosen.long, int(chosen.reports),
        chosen.data_coding,
    )  # fmt: skip
    _check(traffic)
    run = LoadRun(traffic.each(), Ledger(chosen.ledger), messages=messages, rate=chosen.rate)
    run.reports_wanted = chosen.reports
    load = Load(
        run,
        _login(chosen),
        sessions=chosen.sessions,
        window=chosen.window,
        mode="trx" if chosen.mode == "trx" else "txrx",
        reconnect=chosen.reconnect,
        answer_wait=chosen.answer_wait,
    )
    handlers = _stop_on_signal(load)
    load.open()
    with progress.shown(run, messages, quiet=chosen.quiet or chosen.json):
        load.send(chosen.duration or math.inf, chosen.report_wait if chosen.reports else 0.0)
    load.close()
    for handler in handlers:
        handler.cancel()
    summary = summarize(load)
    if chosen.json:
        print(json.dumps(summary))
    else:
        print(progress.table(summary))
    good = summary["acked"] == summary["submitted"] and not summary["reports_missing"] and not load.faults
    return options.EXIT_OK if good else options.EXIT_ERROR


def _check(traffic: Traffic) -> None:
    """Raise BadArgument for messages that can't be said in SMPP."""
    try:
        encode(next(traffic.each())[1])
    except EmgError as error:
        raise options.BadArgument(str(error)) from None


def _stop_on_signal(load: Load) -> list[Any]:
    def stop() -> None:
        if load.run.sent_everything:
            raise SystemExit(options.EXIT_ERROR)
        load.stop()

    return [gevent.signal_handler(number, stop) for number in (signal.SIGINT, signal.SIGTERM)]


def summarize(load: Load) -> dict[str, Any]:
    """The run's figures: counts, messages a second from the first submit to the last answer, latencies in milliseconds."""
    run = load.run
    seconds = max(run.ended - run.began, 1e-9)
    answered = run.counts["acked"] + run.counts["refused"]
    return {
        "submitted": run.counts["submitted"],
        "acked": run.counts["acked"],
        "refused": dict(run.statuses.most_common()),
        "unknown": run.counts["unknown"],
        "seconds": round(seconds, 3),
        "rate": round(answered / seconds, 1),
        "ack_ms": run.acks.summary(),
        "reports": dict(run.states.most_common()),
        "reports_missing": len(run.awaited),
        "reports_unmatched": run.unmatched,
        "report_ms": run.report_times.summary(),
        "mo": run.counts["mo"],
        "reconnects": load.reconnects,
        "faults": load.faults,
        "cpu_us_a_message": round(load.process_seconds * 1e6 / max(run.counts["submitted"], 1), 1),
    }


def _login(chosen: argparse.Namespace) -> Login:
    return Login(
        chosen.to,
        chosen.system_id,
        options.password(chosen.password),
        chosen.system_type,
        chosen.version,
        options.client_tls(chosen),
    )


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        prog="emg load",
        description="A load client: sends messages over SMPP and measures. Start with one session and step up.",
    )
    add = parser.add_argument
    add("--to", type=options.address, default=("127.0.0.1", 2775), metavar="HOST:PORT", help="default 127.0.0.1:2775")
    options.add_login(parser, "load")
    add("--version", type=options.version, default=0x34, metavar="33|34|50")
    add(
        "--mode",
        choices=("trx", "tx+rx"),
        default="trx",
        help="a session is a transceiver, or a transmitter and a receiver",
    )
    add(
        "--reconnect",
        action="store_true",
        help="go on after a cut; what was not answered is unknown, and not sent again",
    )
    options.add_client_tls(parser)
    _add_amount(parser.add_argument_group("how much, how fast"))
    _add_messages(parser.add_argument_group("messages"))
    add("--ledger", default="", metavar="FILE", help="append what was sent, answered and reported")
    add("--quiet", action="store_true", help="no progress")
    add("--json", action="store_true", help="the summary as JSON")
    return parser


def _add_amount(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--sessions", type=options.whole(1, 1000), default=1, metavar="N", help="default 1")
    add(
        "--window",
        type=options.whole(1, 10000),
        default=10,
        metavar="N",
        help="unanswered messages a session (default 10)",
    )
    add(
        "--rate",
        type=options.rate,
        default=0.0,
        metavar="RATE",
        help="messages a second over all sessions (default: no limit)",
    )
    add("--messages", type=options.whole(1, 10**12), metavar="N", help="default 1000, or what fits --duration")
    add("--duration", type=options.seconds, metavar="TIME", help="send for so long")
    add("--answer-wait", type=options.seconds, default=60.0, metavar="TIME", help="for an answer (default 60s)")
    add("--reports", action="store_true", help="ask for delivery reports and wait for them")
    add("--report-wait", type=options.seconds, default=30.0, metavar="TIME", help="after the last answer (default 30s)")


def _add_messages(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    digits = "random digits; PREFIX:DIGITS:seq counts up"
    add("--senders", type=options.numbers, default=DEFAULT_SENDERS, metavar="PREFIX:DIGITS", help=digits)
    add("--recipients", type=options.numbers, default=DEFAULT_RECIPIENTS, metavar="PREFIX:DIGITS", help="likewise")
    add("--text", default="test message", help="follows the tag that begins each message")
    add(
        "--size",
        type=options.whole(0, 60000),
        default=0,
        metavar="N",
        help="characters; over 254 octets in message_payload",
    )
    add("--long", type=options.whole(1, 255), default=1, metavar="PARTS", help="long messages, each part a submit_sm")
    add("--data-coding", type=options.whole(0, 255), default=-1, metavar="N", help="instead of what the text needs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
