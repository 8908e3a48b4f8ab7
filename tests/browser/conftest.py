"""The product on a real stack (supervisord, gateway, recorder, scheduler, portal, MariaDB), and a real browser: Debian's Chromium, driven by Playwright.

`site` is one stack for all tests of this folder, filled with sample traffic and the people of tests/portal. `person` logs somebody in, in a window of a chosen width and
scheme; whatever the browser complains of on its console fails the test. Pictures go to the folder that EMG_PICTURES names (default: build/pictures, which git ignores).
"""

import datetime as dt
import http
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from emg.db import sample
from emg.db.engine import Database
from tests.databases import MariaDb, _make_tables
from tests.gateways import SinkProcess, eventually, incoming, outgoing, user
from tests.portal.conftest import HOUSE, PASSWORD, fill
from tests.stacks import Stack

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = ROOT / "portal" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(os.environ.get("EMG_PICTURES", ROOT / "build" / "pictures"))
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
SECONDS = 15.0
TABLES = {"route": "connector_out\noperator\n", "price": "price,cost,currency\n0.040,0.031,EUR\n"}


class Site(NamedTuple):
    """What runs."""

    stack: Stack
    operator: SinkProcess
    """`emg sink`, as the next."""
    backup: SinkProcess
    database: Database

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.stack.portal_port}"


@pytest.fixture(scope="session")
def site(mariadb_server: MariaDb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """See the module's text."""
    url = mariadb_server.url()
    _make_tables(url)
    database = Database(url)
    sample.fill(database, HOUSE, weeks=2, a_day=200, seed=1, until=dt.datetime.now(dt.UTC))
    fill(database)
    folder = tmp_path_factory.mktemp("site")
    sinks = [SinkProcess(folder / name, "--report-delay", "0.1-0.3") for name in ("operator", "backup")]
    text = f"DATABASE={url}\n" + incoming("customers") + user("mover")
    for name, sink in zip(("operator", "backup"), sinks, strict=True):
        text += outgoing(name, sink.address, STATIC=True, WAITBEFORECONNECT=1, LOGPDU=True)
    try:
        with Stack(folder, text, start=False) as stack:
            for table, rows in TABLES.items():
                (folder / f"{table}.csv").write_text(rows)
                command = [
                    sys.executable,
                    str(ROOT / "app.py"),
                    table,
                    "import",
                    "-c",
                    str(stack.files.config_file),
                    str(folder / f"{table}.csv"),
                ]
                subprocess.run(command, check=True, capture_output=True, timeout=60)
            stack.start()
            eventually(lambda: answers(stack.portal_port), SECONDS, "the portal answers")
            yield Site(stack, *sinks, database)
    finally:
        database.close()
        for sink in sinks:
            sink.close()


def answers(port: int) -> bool:
    """Somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all."""
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is not there: scripts/packages.sh chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Person:
    """Somebody at a browser; `page` is Playwright's."""

    def __init__(self, site: Site, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.complaints: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{self.page.url}: {message.text}")

    def go(self, path: str) -> Page:
        """Open a page of the portal."""
        answer = self.page.goto(self.site.address + path)
        assert answer is not None
        assert answer.status < http.HTTPStatus.BAD_REQUEST, f"{path} answered {answer.status}"
        return self.page

    def log_in(self, name: str, password: str = PASSWORD) -> "Person":
        """By the page."""
        self.go("/login")
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(lambda address: "/login" not in address)
        return self

    def picture(self, name: str) -> Path:
        """The whole page, as a file."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{re.sub(r'[^a-z0-9-]+', '-', name.lower()).strip('-')}.png"
        self.page.screenshot(path=file, full_page=True, animations="disabled")
        return file

    def accessibility(self) -> list[str]:
        """What axe-core finds serious or critical (WCAG 2.1 A and AA)."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']})"
        )
        return [
            f"{each['id']} ({each['impact']}): {each['help']}: {each['nodes'][0]['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]


@pytest.fixture
def person(site: Site, browser: Browser) -> Iterator[Callable[..., Person]]:
    """A window of a width (`wide`, `narrow`) and scheme (`light`, `dark`), logged in as somebody of tests/portal."""
    made: list[Person] = []

    def of(name: str = "", size: str = "wide", scheme: str = "light") -> Person:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        somebody = Person(site, context)
        made.append(somebody)
        return somebody.log_in(name) if name else somebody

    yield of
    complaints = [complaint for each in made for complaint in each.complaints]
    for each in made:
        each.context.close()
    assert not complaints, "\n".join(complaints)
