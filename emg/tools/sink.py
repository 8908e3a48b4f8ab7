"""`emg sink`: a simulated operator (SMSC) to test a gateway against.

Listens, lets bind whoever gives the right name and password (or anybody), takes messages, answers and reports as its options say, and
keeps every report until it was acknowledged. SIGTERM or Ctrl-C unbinds the sessions and prints the counts. What it does with a
message stands in `behaviour`, how its receipts look in `receipts`, what it writes down in `ledger`.
Exit codes: 0 stopped on request, 1 cannot listen or write its ledger, 5 bad argument.
"""

import argparse
import itertools
import json
import signal
import ssl
import sys
import time
from dataclasses import dataclass

import gevent
import gevent.event
import gevent.socket

from emg.session.driver import Driver
from emg.session.listen import Listener
from emg.session.tls import TlsPipe
from emg.tools import options, receipts, tags
from emg.tools.behaviour import Behaviour
from emg.tools.connect import LedgerMachine
from emg.tools.ledger import Ledger
from emg.tools.smsc import Operator, OperatorSession
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status, status_name

UNBIND_SECONDS = 1.0
"""A customer who says goodbye waits no longer for answers: those that `--stall` held back will never come."""
DEFAULT_TIMERS = smpp.Timers(bind=30.0, keepalive=30.0, answer=30.0, unbind=UNBIND_SECONDS)
DEFAULT_MO_FROM = options.Numbers("46709", 6)
STOP_SECONDS = 5.0
_PACE = 0.01


@dataclass(frozen=True, slots=True)
class Station:
    """Everything about the sink that is not the behaviour of its operator."""

    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 2776),)
    system_id: str = ""
    password: str = ""
    version: int = 0x34
    window: int = 100
    timers: smpp.Timers = DEFAULT_TIMERS
    tls: ssl.SSLContext | None = None
    mo_rate: float = 0.0
    mo_from: options.Numbers = DEFAULT_MO_FROM
    mo_to: str = "12345"
    mo_text: str = "hello from a telephone"


class Sink:
    """The running sink: `start`, `stop`."""

    def __init__(self, station: Station, operator: Operator) -> None:
        self.operator = operator
        self._station = station
        self._listener = Listener(list(station.listen), self._serve)
        self._loop = gevent.get_hub().loop
        self._timer = self._loop.timer(0.0)
        self._armed = float("inf")
        self._planned = False
        self._mo: gevent.Greenlet[..., None] | None = None
        operator.wake = self._wake

    def start(self) -> list[tuple[str, int]]:
        """Listen. Returns the addresses, with the ports that the system chose for port 0. Raises EmgError."""
        self._listener.start()
        if self._station.mo_rate:
            self._mo = gevent.spawn(self._post)
        return list(self._listener.bound)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Accept no more, unbind all sessions, wait for them so long, and close the ledger."""
        self._listener.stop()
        if self._mo is not None:
            self._mo.kill()
        now = time.monotonic()
        for session in list(self.operator.sessions):
            session.machine.unbind(now)
            session.driver.flush_soon()
        self._listener.wait(seconds)
        self._listener.kill()
        self._timer.stop()
        self._timer.close()
        self.operator.ledger.close()

    def _serve(self, sock: gevent.socket.socket, ip: str, port: int) -> None:
        station = self._station
        session = OperatorSession(self.operator, station.system_id, station.password, station.version)
        machine = LedgerMachine(
            self.operator.ledger, smpp.Role.SMSC, time.monotonic(), timers=station.timers, window=station.window
        )
        pipe = TlsPipe(station.tls, server_side=True) if station.tls else None
        driver = Driver(sock, machine, session, peer=options.show_address(ip, port), tls=pipe)
        session.attach(driver, machine)
        driver.run()

    # The wheels are turned once a turn of the loop while something is put in, and by a timer for what is due later.

    def _wake(self) -> None:
        if not self._planned:
            self._planned = True
            self._loop.run_callback(self._turn)

    def _turn(self) -> None:
        self._planned = False
        now = time.monotonic()
        self.operator.turn(now)
        due = self.operator.next_due()
        if due is not None and due < self._armed:
            self._armed = due
            self._timer.stop()
            self._timer.close()
            self._timer = self._loop.timer(max(0.0, due - now))
            self._timer.start(self._rung)

    def _rung(self) -> None:
        # The loop's clock may be a little ahead of ours: what is due is not due yet then, and has to be waited for once more.
        self._armed = float("inf")
        self._turn()

    def _post(self) -> None:
        """Send mobile-originated messages at their rate while somebody is bound to receive them."""
        station = self._station
        run, numbers = tags.new_run("o"), station.mo_from.each()
        count = itertools.count(1)
        credit, before = 0.0, time.monotonic()
        while True:
            gevent.sleep(_PACE)
            now = time.monotonic()
            credit = min(credit + (now - before) * station.mo_rate, station.mo_rate + 1)
            before = now
            while credit >= 1:
                credit -= 1
                text = f"{run}{next(count)} {station.mo_text}".encode("latin-1", "replace")[:160]
                message = pdus.DeliverSm(
                    source_addr=next(numbers), source_addr_ton=1, source_addr_npi=1,
                    destination_addr=station.mo_to, short_message=text,
                )  # fmt: skip
                if not self.operator.post(message, now):
                    credit = 0.0


def main(argv: list[str]) -> int:
    """Run `emg sink` with these arguments until a signal; the exit code."""
    return options.end("emg sink", lambda: _run(_parser().parse_args(argv)))


def _run(chosen: argparse.Namespace) -> int:
    operator = Operator(_behaviour(chosen), Ledger(chosen.ledger), first_id=chosen.first_id, seed=chosen.seed)
    sink = Sink(_station(chosen), operator)
    stopped = gevent.event.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    bound = [options.show_address(*each) for each in sink.start()]
    if chosen.json:
        print(json.dumps({"listening": bound}), flush=True)
    elif not chosen.quiet:
        print(f"operator listening on {', '.join(bound)}", flush=True)
    shown = ""
    used = time.process_time()
    while True:
        stopped.wait(None if chosen.quiet or chosen.json else chosen.stats)
        if stopped.is_set():
            break
        line = _line(operator)
        if line != shown:
            print(line, flush=True)
            shown = line
    sink.stop()
    if chosen.json:
        cost = (time.process_time() - used) * 1e6 / max(operator.counts["taken"], 1)
        print(json.dumps(operator.summary() | {"cpu_us_a_message": round(cost, 1)}), flush=True)
    elif not chosen.quiet:
        print(_line(operator), flush=True)
    return options.EXIT_OK


def _line(operator: Operator) -> str:
    summary = operator.summary()
    errors = summary.pop("errors")
    shown = [f"{name} {count}" for name, count in summary.items() if count]
    return ", ".join(shown + [f"{name} {count}" for name, count in errors.items()]) or "nothing yet"


def _behaviour(chosen: argparse.Namespace) -> Behaviour:
    rate, status = chosen.error_rate
    return Behaviour(
        delay=(chosen.delay[0] / 1000, chosen.delay[1] / 1000),
        error_rate=rate,
        error_status=status,
        throttle=chosen.throttle,
        stall=chosen.stall,
        drop=chosen.drop,
        reports=not chosen.no_reports,
        report_delay=chosen.report_delay,
        report_states=chosen.report_states,
        report_before_answer=chosen.report_before_answer,
        report_by_data_sm=chosen.report_via == "data_sm",
        dialect=chosen.report_format,
        backlog=chosen.backlog,
        retry=chosen.retry,
    )


def _station(chosen: argparse.Namespace) -> Station:
    return Station(
        listen=tuple(chosen.listen or [("127.0.0.1", 2776)]),
        system_id=chosen.system_id,
        password=chosen.password,
        version=chosen.version,
        window=chosen.window,
        timers=smpp.Timers(bind=30.0, keepalive=chosen.keepalive, answer=chosen.answer_wait, unbind=UNBIND_SECONDS),
        tls=options.server_tls(chosen),
        mo_rate=chosen.mo,
        mo_from=chosen.mo_from,
        mo_to=chosen.mo_to,
        mo_text=chosen.mo_text,
    )


def _error_rate(text: str) -> tuple[float, int]:
    written, _, status = text.partition(":")
    if not status:
        return options.chance(written), int(Status.RSYSERR)
    name = status.upper().removeprefix("ESME_")
    if name in Status.__members__:
        return options.chance(written), int(Status[name])
    return options.chance(written), options.whole(1, 0xFFFFFFFF)(status)


def _dialect(text: str) -> receipts.Dialect:
    try:
        return receipts.Dialect(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _formats() -> str:
    variants = "\n".join(f"  {name:14} {meaning}" for name, (meaning, _) in receipts.VARIANTS.items())
    return f"""Receipt formats (--report-format ID,VARIANT,…, for example dec:hex,seconds,nul):
ids, as answer:report: {", ".join(receipts.IDS)}
{variants}

Statuses (--error-rate 0.1:RTHROTTLED) go by name or number; {status_name(Status.RSYSERR)} is the default."""


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(
        prog="emg sink",
        description="A simulated SMSC operator: takes messages, answers, reports.",
        epilog=_formats(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--listen",
        action="append",
        type=options.address,
        metavar="HOST:PORT",
        help="default 127.0.0.1:2776; may be repeated",
    )
    add("--system-id", default="", metavar="NAME", help="the only account that may bind (default: anybody)")
    add("--password", default="", metavar="WORD", help="its password (default: any)")
    add("--version", type=options.version, default=0x34, metavar="33|34|50", help="highest SMPP version spoken")
    add("--window", type=options.whole(1, 10000), default=100, help="unanswered deliver_sm a session (default 100)")
    add("--keepalive", type=options.seconds, default=30.0, metavar="TIME", help="enquire_link after so long a silence")
    add(
        "--answer-wait",
        type=options.seconds,
        default=30.0,
        metavar="TIME",
        help="a report not answered for so long is sent again",
    )
    _add_answers(parser.add_argument_group("answers"))
    _add_reports(parser.add_argument_group("reports"))
    mobile = parser.add_argument_group("mobile-originated messages")
    mobile.add_argument("--mo", type=options.rate, default=0.0, metavar="RATE", help="send so many a second")
    mobile.add_argument("--mo-from", type=options.numbers, default=DEFAULT_MO_FROM, metavar="PREFIX:DIGITS")
    mobile.add_argument("--mo-to", default="12345", metavar="NUMBER")
    mobile.add_argument("--mo-text", default="hello from a telephone", metavar="TEXT")
    options.add_server_tls(parser)
    add("--ledger", default="", metavar="FILE", help="append what was received, reported and acknowledged")
    add("--seed", type=int, metavar="N", help="repeatable random choices")
    add("--stats", type=options.seconds, default=10.0, metavar="TIME", help="print the counts this often (default 10)")
    add("--quiet", action="store_true", help="print nothing")
    add("--json", action="store_true", help="print the addresses and, at the end, the counts as JSON lines")
    return parser


def _add_answers(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--delay", type=options.span, default=(0.0, 0.0), metavar="MS[-MS]", help="milliseconds until the answer")
    add("--error-rate", type=_error_rate, default=(0.0, 8), metavar="P[:STATUS]", help="share of messages refused")
    add("--throttle", type=options.rate, default=0.0, metavar="RATE", help="RTHROTTLED above so many a second")
    add("--stall", type=options.chance, default=0.0, metavar="P", help="share taken and never answered")
    add(
        "--drop",
        type=options.chance,
        default=0.0,
        metavar="P",
        help="share taken, the connection cut instead of answered",
    )
    add(
        "--first-id",
        type=options.whole(0, 2**63),
        default=0,
        metavar="N",
        help="first message id (default: from the clock)",
    )


def _add_reports(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--no-reports", action="store_true", help="never report, whatever was asked for")
    add(
        "--report-delay",
        type=options.span,
        default=(0.0, 0.0),
        metavar="S[-S]",
        help="seconds from the answer to the report",
    )
    states = options.weights(tuple(receipts.STATES))
    add("--report-states", type=states, default={"DELIVRD": 1.0}, metavar="STATE=WEIGHT,…", help="default DELIVRD=1")
    add("--report-format", type=_dialect, default="dec:dec", metavar="FORMAT", help="see below (default dec:dec)")
    add(
        "--report-before-answer", type=options.chance, default=0.0, metavar="P", help="share reported before the answer"
    )
    add("--report-via", choices=("deliver_sm", "data_sm"), default="deliver_sm")
    add(
        "--retry", type=options.seconds, default=1.0, metavar="TIME", help="pause before a refused report is sent again"
    )
    add("--backlog", type=options.whole(1, 100_000_000), default=1_000_000, help="reports kept; above it RMSGQFUL")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
