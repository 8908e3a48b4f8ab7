"""Kannel as a customer: its bearerbox binds to a running gateway, its smsbox takes messages over HTTP and tells us each delivery report.

Nothing here is ours but the gateway and the simulated operator at its far end: what Kannel makes of our answers and receipts is what a
customer would make of them. Its configuration follows its user guide (groups core, smsc, smsbox, sendsms-user).
"""

import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.gateways import GatewayProcess, SinkProcess, free_port, incoming, outgoing, user

pytestmark = [
    pytest.mark.skipif(shutil.which("bearerbox") is None, reason="Debian's package kannel is not installed"),
    pytest.mark.timeout(90),
]

MESSAGES = 1000
SECONDS = 60.0
ACCEPTED, DELIVERED = 8, 1
"""Kannel's kinds of report: taken by the SMSC, delivered to the handset (its dlr-mask)."""

CONFIGURATION = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {word}
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = emg
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
smsc-username = {account}
smsc-password = {word}
system-type = ""
interface-version = 34
max-pending-submits = 50
enquire-link-interval = 5
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
smsbox-id = box
sendsms-port = {http}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 1

group = sendsms-user
username = tester
password = {word}
concatenation = true
max-messages = 10

group = sms-service
keyword = default
text = ""
max-messages = 0
"""


class Reports:
    """An HTTP server that Kannel calls for each report (dlr-url)."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[int]] = {}
        """What was told of each message: number → kinds, in order."""
        self._changed = threading.Condition()
        reports = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                reports.note(asked["number"], int(asked["kind"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 1024  # smsbox gives up a report whose connection does not come about
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/report"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()

    def note(self, number: str, kind: int) -> None:
        with self._changed:
            self.kinds.setdefault(number, []).append(kind)
            self._changed.notify_all()

    def delivered(self) -> int:
        return sum(DELIVERED in kinds for kinds in self.kinds.values())

    def wait(self, count: int, deadline: float) -> bool:
        """True when `count` messages are reported delivered before the deadline (monotonic)."""
        return self.wait_for(lambda: self.delivered() >= count, deadline)

    def wait_for(self, true: Callable[[], bool], deadline: float) -> bool:
        """True when it becomes so, looked at after each report, before the deadline."""
        with self._changed:
            return self._changed.wait_for(true, max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Kannel:
    """bearerbox and smsbox with a configuration of their own in `folder`."""

    def __init__(self, folder: Path, smpp: int, account: str, word: str) -> None:
        folder.mkdir()
        self.word = word
        self.admin, self.http, box = free_port(), free_port(), free_port()
        self.file = folder / "kannel.conf"
        self.file.write_text(
            CONFIGURATION.format(
                folder=folder, smpp=smpp, account=account, word=word, admin=self.admin, http=self.http, box=box
            )
        )
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, deadline: float) -> None:
        self._run("bearerbox")
        self._until(lambda: "(online" in self.status(), deadline, "bearerbox is not bound")
        self._run("smsbox")
        self._until(lambda: "smsbox:box" in self.status(), deadline, "smsbox has not found bearerbox")
        self._until(self._serves, deadline, "smsbox does not answer")

    def _run(self, program: str) -> None:
        with (self.folder / f"{program}.out").open("wb") as out:
            self.running.append(subprocess.Popen([program, "-v", "2", str(self.file)], stdout=out, stderr=out))

    def _until(self, true: Callable[[], bool], deadline: float, what: str) -> None:
        while not true():
            assert time.monotonic() < deadline, what + "\n" + self.told()
            assert all(program.poll() is None for program in self.running), self.told()
            threading.Event().wait(0.05)

    def told(self) -> str:
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in sorted(self.folder.glob("*.out")))

    def status(self) -> str:
        return self._ask(self.admin, f"/status.txt?password={self.word}")

    def _serves(self) -> bool:
        return bool(self._ask(self.http, "/cgi-bin/sendsms"))

    @staticmethod
    def _ask(port: int, path: str) -> str:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode("latin-1")
        except OSError:
            return ""
        finally:
            connection.close()

    def send(self, numbers: range, report_url: str, text: str) -> Counter[int]:
        """Hand over one message to each number on one HTTP connection; how often which HTTP status was answered."""
        answers: Counter[int] = Counter()
        connection = HTTPConnection("127.0.0.1", self.http, timeout=30)
        for number in numbers:
            query = urlencode(
                {
                    "username": "tester", "password": self.word, "from": "EMG", "to": f"+{number}", "text": text,
                    "dlr-mask": DELIVERED | ACCEPTED | 2 | 16, "dlr-url": f"{report_url}?number={number}&kind=%d",
                }
            )  # fmt: skip
            connection.request("GET", f"/cgi-bin/sendsms?{query}")
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1
        connection.close()
        return answers

    def stop(self) -> None:
        for program in reversed(self.running):
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(5)


@pytest.fixture
def reports() -> Iterator[Reports]:
    server = Reports()
    yield server
    server.stop()


def test_a_thousand_messages_of_kannel_and_their_reports(tmp_path, reports):
    """Each message is accepted by us, delivered once by the operator, and reported to Kannel exactly once, with the right final state."""
    deadline = time.monotonic() + SECONDS
    with (
        SinkProcess(tmp_path / "sink", "--report-delay", "0-0.2") as sink,
        GatewayProcess(
            tmp_path / "gateway",
            incoming("customers", ROUTE="operator", WINDOWSIZE=20)
            + outgoing("operator", sink.address, WINDOWSIZE=20)
            + user("kannel"),
        ) as gateway,
    ):
        kannel = Kannel(tmp_path / "kannel", gateway.port("customers"), "kannel", "secret")
        try:
            kannel.start(deadline)
            quarters = [
                range(46700000000 + first, 46700000000 + first + MESSAGES // 4) for first in range(0, 1000, 250)
            ]
            with ThreadPoolExecutor(len(quarters)) as pool:
                answers = sum(pool.map(lambda part: kannel.send(part, reports.url, "Grüße {€}"), quarters), Counter())
            assert answers == {202: MESSAGES}, "every message is accepted by smsbox"
            assert reports.wait(MESSAGES, deadline), f"{reports.delivered()} of {MESSAGES} delivered\n{kannel.status()}"
            told = Counter(tuple(sorted(kinds)) for kinds in reports.kinds.values())
            assert told == {(DELIVERED, ACCEPTED): MESSAGES}, "accepted once and delivered once, nothing else"
            assert f"sent: sms {MESSAGES} " in kannel.status()
            assert "DLR: 0 queued" in kannel.status(), "Kannel waits for no report any more"
        finally:
            kannel.stop()
        assert sink.stop()["received"] == MESSAGES
        assert "Traceback" not in gateway.logs()


def test_kannel_gets_every_report_although_the_gateway_is_killed_meanwhile(tmp_path, reports):
    """It binds again by itself; what we had acknowledged we deliver and report, what we had not it sends again."""
    count = 400
    deadline = time.monotonic() + SECONDS
    with (
        SinkProcess(tmp_path / "sink", "--report-delay", "0.5-1.5") as sink,
        GatewayProcess(
            tmp_path / "gateway",
            incoming("customers", ROUTE="operator", WINDOWSIZE=20)
            + outgoing("operator", sink.address, WINDOWSIZE=20)
            + user("kannel", SESSIONS=2),
        ) as gateway,
    ):
        kannel = Kannel(tmp_path / "kannel", gateway.port("customers"), "kannel", "secret")
        try:
            kannel.start(deadline)
            halves = [range(46700000000 + first, 46700000000 + first + count // 2) for first in (0, count // 2)]
            with ThreadPoolExecutor(2) as pool:
                answers = [pool.submit(kannel.send, half, reports.url, "Hej") for half in halves]
                assert reports.wait_for(lambda: len(reports.kinds) > count // 4, deadline), "it is under way"
                gateway.kill()
                gateway.start()
                assert sum((answer.result() for answer in answers), Counter()) == {202: count}
            assert reports.wait(count, deadline), f"{reports.delivered()} of {count} delivered\n{kannel.status()}"
        finally:
            kannel.stop()
        assert sink.stop()["received"] >= count
        assert "Traceback" not in gateway.logs()
