"""What a page of the portal costs: CPU of its process and time to the answer, over a database with some weeks of traffic on MariaDB, without a gateway.

Run: python -m tests.bench.portal_pages
"""

import contextlib
import datetime as dt
import http.client
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from emg.config import hashes
from emg.db import people, sample
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Role
from tests.bench import stand
from tests.bench.stand import Row, cells
from tests.databases import MariaDb, _make_tables
from tests.gateways import Program, eventually, free_port

TITLE = "Pages of the portal"
HOW = """\
One person asks for each page {count:,} times, one after the other, over one connection: the portal's CPU, and the time to the whole answer. {messages:,} messages of {weeks} weeks in
the log, on MariaDB; no gateway answers, which costs each page that asks for one a refused connection. Pages a second are what one core would serve."""
HEAD = ("page", "CPU", "median", "99th percentile", "pages a second")
PAGES = (
    "/login",
    "/",
    "/connectors",
    "/queues",
    "/routes",
    "/prices",
    "/customers",
    "/accounts",
    "/accounts/retail",
    "/messages",
    "/people",
    "/static/portal.css",
)
COUNT = 100
WEEKS = 4
A_DAY = 1500
NAME, PASSWORD = "bench", "a password for measuring"


class Browser:
    """One connection that keeps its cookie."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookie = ""

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, bytes]:
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request(method, path, urlencode(fields) if fields else None, headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if given := answer.headers.get("Set-Cookie"):
            self._cookie = given.partition(";")[0]
        return answer.status, body

    def log_in(self) -> None:
        _, page = self.ask("GET", "/login")
        token = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token is not None
        code, _ = self.ask("POST", "/login", name=NAME, password=PASSWORD, csrf_token=token[1].decode())
        assert code == http.HTTPStatus.SEE_OTHER, code


@contextlib.contextmanager
def portal(folder: Path, url: str) -> Iterator[tuple[Program, int]]:
    """`emg portal` over this database."""
    port = free_port()
    text = f"SERVERNAME=bench\nCONTROL={folder}/emg.sock\nSPOOLDIR={folder}/spool\nLOGDIR={folder}/log\nDATABASE={url}\nPORTAL=127.0.0.1:{port}\n"
    (folder / "server.cfg").write_text(text, encoding="utf-8")
    program = Program(["portal", "-c", str(folder / "server.cfg")], folder / "portal")
    try:
        eventually(lambda: answers(port), 20, "the portal answers")
        yield program, port
    finally:
        program.kill()


def answers(port: int) -> bool:
    with contextlib.closing(Browser(port)) as browser:
        try:
            return browser.ask("GET", "/login")[0] == http.HTTPStatus.OK
        except OSError:
            return False


def rows(scale: float = 1.0) -> list[Row]:
    """One a page."""
    count = max(5, int(COUNT * scale))
    server = MariaDb()
    measured: list[Row] = []
    try:
        url = server.url()
        _make_tables(url)
        database = Database(url)
        sample.fill(
            database,
            Actor("shell:bench"),
            weeks=WEEKS,
            a_day=max(50, int(A_DAY * scale)),
            seed=1,
            until=dt.datetime.now(dt.UTC),
        )
        with database.session() as session:
            people.add(
                session, Actor("shell:bench"), {"name": NAME, "role": Role.OWNER.value}, hashes.make(PASSWORD.encode())
            )
        database.close()
        with (
            stand.folder() as folder,
            portal(folder, url) as (program, port),
            contextlib.closing(Browser(port)) as browser,
        ):
            for path in PAGES:
                if path == PAGES[1]:
                    browser.log_in()
                measured.append(of_page(browser, program.pid, path, count))
    finally:
        server.remove()
    return measured


def of_page(browser: Browser, pid: int, path: str, count: int) -> Row:
    """Ask for it so often, after a few times that don't count."""
    taken: list[float] = []
    for number in range(-3, count):
        if number == 0:
            before = stand.cpu(pid)
        began = time.monotonic()
        code, _body = browser.ask("GET", path)
        assert code == http.HTTPStatus.OK, f"{path} answered {code}"
        if number >= 0:
            taken.append(time.monotonic() - began)
    cpu = (stand.cpu(pid) - before) / count
    taken.sort()
    return cells(
        path,
        f"{cpu * 1000:.1f} ms",
        f"{taken[count // 2] * 1000:.1f} ms",
        f"{taken[int(count * 0.99)] * 1000:.1f} ms",
        f"{1 / max(cpu, 1e-6):,.0f}",
    )


def how(scale: float = 1.0) -> str:
    """What was measured."""
    return HOW.format(count=max(5, int(COUNT * scale)), messages=WEEKS * 7 * int(A_DAY * 0.85), weeks=WEEKS)


def main() -> None:
    """Print it."""
    stand.print_rows(TITLE, HEAD, rows())


if __name__ == "__main__":
    main()
