"""The watchdog's API: HTTP and JSON on WATCHDOG=host:port, for the portal, for outside systems, and for `emg watchdog …`.

Callers come from an address of WATCHDOG_ACCESS and bring the token (`watchdog.door`); /health alone is answered without. What is wrong is told as {"error": sentence}, with nothing
done, and logged. Every request has bounds on its size and its time, also on how slowly it may come; logs are read beside the event loop.

`start` raises EmgError, and then nothing is open; `keep_trying` starts it as soon as that is possible; `stop` ends both; `address` is where it listens.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gevent
import msgspec

from emg.config.model import ServerConfig
from emg.control.http import NAME, Request, Route, Status, Stream, Table
from emg.control.http_server import Application, Environ, Handler, Server, listen_tcp, refusal
from emg.errors import ControlError, EmgError
from watchdog.door import Complaints, Door, token_of
from watchdog.log_following import FOLLOW_SECONDS, KIND, LONGEST_SECONDS, Followers
from watchdog.log_names import Names
from watchdog.log_reading import MOST_LINES, Threads, last_lines
from watchdog.loop import Watchdog
from watchdog.model import Finding, Severity
from watchdog.plain import Cleaner
from watchdog.program_control import ProgramControl, Verb
from watchdog.programs import BY_NAME
from watchdog.settings import Settings
from watchdog.supervisor import QUICK_SECONDS

LONGEST_BODY: Final = 4096
LONGEST_SEARCH: Final = 200
LONGEST_WAIT: Final = 120.0
LONGEST_DUMP: Final = 1 << 20
IDLE_SECONDS: Final = 10.0
"""A connection that says nothing, or takes nothing, for this long is closed."""
TURNED_AWAY: Final = 8
"""Connections at a time that are told why; the next ones are closed without a word, so that they take nobody's place."""
STOP_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 2.0
PATIENT_TRIES: Final = 3
"""Until people are told: the watchdog before us may just be ending."""
TROUBLE: Final = "watchdog:api"

log = logging.getLogger("emg.watchdog.api")


class Api:
    """See the module's text; and what the handlers below work on."""

    def __init__(self, watchdog: Watchdog, config: ServerConfig, settings: Settings) -> None:
        self.watchdog = watchdog
        self.settings = settings
        self.control = ProgramControl(watchdog.supervisor, config)
        self.names = Names(config)
        self.threads = Threads()
        self.followers = Followers(self.threads)
        self.clean = Cleaner(settings.secrets)
        self.address: tuple[str, int] | None = None
        self._server: WatchdogServer | None = None
        self._trying: gevent.Greenlet[..., None] | None = None

    def keep_trying(self) -> None:
        """Listen as soon as that is possible; meanwhile the watchdog watches, and tells people what is wrong."""
        self._trying = gevent.spawn(self._try)

    def _try(self) -> None:
        tries = 0
        while True:
            try:
                self.start()
            except EmgError as error:
                tries += 1
                if tries == PATIENT_TRIES:
                    log.error("the API can't be offered: %s; it is tried again", error)
                if tries >= PATIENT_TRIES:
                    self.watchdog.note(TROUBLE, Finding(TROUBLE, f"the watchdog's API can't be offered: {error}"))
                gevent.sleep(AGAIN_SECONDS)
            else:
                self.watchdog.note(TROUBLE, None)
                log.info("the API listens on %s port %d", *(self.address or ()))
                return

    def start(self) -> None:
        """Listen. Raises EmgError."""
        door = Door(self.settings.access, token_of(self.settings.token, self.settings.token_file))
        listener = listen_tcp(self.settings.api.host, self.settings.api.port, "WATCHDOG")
        self.address = listener.getsockname()[:2]
        self._server = WatchdogServer(listener, self, door)
        self._server.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._trying is not None:
            self._trying.kill()
        server, self._server = self._server, None
        if server is not None:
            server.stop(timeout=STOP_SECONDS)

    def shown(self, value: Any) -> Any:
        """The value as it may be seen outside: sentences hold no secret. Names are left alone: an account may be called what another one's password is."""
        if isinstance(value, str):
            return self.clean(value) if " " in value or "://" in value else value
        if isinstance(value, Mapping):
            return {key: self.shown(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.shown(inner) for inner in value]
        return value

    def log_path(self, request: Request) -> tuple[str, Path]:
        """The log that is named. Raises ControlError 404."""
        name = request.path["name"]
        path = self.threads.run(lambda: self.names.path(name))
        if path is None:
            raise ControlError(f"there is no log '{name[:100]}'; GET /logs lists them", 404)
        return name, path


# -- handlers


def listing(_api: Api, _request: Request) -> dict[str, Any]:
    """What can be asked for."""
    return {"routes": TABLE.listed()}


def health(api: Api, _request: Request) -> Any:
    """No more than two words, since anybody may ask."""
    watchdog = api.watchdog
    critical = any(finding.severity is Severity.CRITICAL for finding in watchdog.findings)
    answer = {"up": True, "ok": watchdog.alive() and watchdog.facts is not None and not critical}
    return answer if answer["ok"] else Status(503, answer)


def status(api: Api, _request: Request) -> Any:
    """Everything that the watchdog knows."""
    watchdog = api.watchdog
    facts = msgspec.to_builtins(watchdog.facts) if watchdog.facts is not None else {}
    facts.pop("now", None)
    return api.shown(
        {
            "host": api.settings.host,
            "watchdog": watchdog.status(),
            "findings": [msgspec.to_builtins(finding) for finding in watchdog.findings],
            "facts": facts,
        }
    )


def programs(api: Api, _request: Request) -> Any:
    """All programs, in the order in which they are started."""
    found = api.control.programs()
    ordered = sorted(found, key=lambda name: BY_NAME[name].order if name in BY_NAME else 0)
    return {"programs": [_program(api, name, found[name]) for name in ordered]}


def program(api: Api, request: Request) -> Any:
    """One of them."""
    name = request.path["name"]
    found = api.control.programs().get(name) if name in BY_NAME else None
    if found is None:
        raise ControlError(f"there is no program '{name[:100]}'; GET /programs lists them", 404)
    return _program(api, name, found)


def _program(api: Api, name: str, now: Any) -> dict[str, Any]:
    """As supervisord has it now, with the figures of the last look where they are of the same process."""
    row = BY_NAME.get(name)
    last = api.watchdog.facts.programs.get(name) if api.watchdog.facts is not None else None
    figures = last if last is not None and last.pid == now.pid else now
    told: dict[str, Any] = {
        "name": name,
        "summary": row.summary if row is not None else "",
        "state": now.state,
        "pid": now.pid,
        "started": now.started,
        "description": now.description,
        "resident": figures.resident,
        "cpu_seconds": figures.cpu_seconds,
        "files": figures.files,
        "files_limit": figures.files_limit,
        "doing": api.control.doing(name),
    }
    shown: dict[str, Any] = api.shown(told)
    return shown


def act(verb: Verb) -> Any:
    """The handler of one verb."""

    def handler(api: Api, request: Request) -> Any:
        wait = request.number("wait", 0.0, 0.0, LONGEST_WAIT)
        quick = request.number("seconds", QUICK_SECONDS, 0.0, 60.0)
        answer = api.control.act(verb, request.path["name"], wait, quick)
        api.watchdog.wake()
        return answer if answer["done"] else Status(202, answer)

    return handler


def logs(api: Api, _request: Request) -> Any:
    """Which logs there are."""
    return {"logs": api.threads.run(api.names.listed)}


def lines(api: Api, request: Request) -> Any:
    """The last lines of a log, or what comes."""
    search = request.text("search", "")
    if len(search) > LONGEST_SEARCH:
        raise ControlError(f"search has at most {LONGEST_SEARCH} characters")
    count = int(request.number("lines", 100, 0, MOST_LINES))
    seconds = request.number("seconds", FOLLOW_SECONDS, 1.0, LONGEST_SECONDS)
    follows = request.flag("follow")
    name, path = api.log_path(request)
    if follows:
        return Stream(api.followers.follow(path, count, search, seconds), KIND)
    found = api.threads.run(lambda: last_lines(path, count, search))
    return {"log": name, "lines": found.lines, "whole": found.whole, "scanned": found.scanned}


def alerts(api: Api, _request: Request) -> Any:
    """What stands, and what was over within the last hour."""
    known = api.watchdog.alerts.show()
    return api.shown(
        {
            "standing": [alert for alert in known if not alert["cleared"]],
            "past": [alert for alert in known if alert["cleared"]],
        }
    )


def dump(api: Api, request: Request) -> Any:
    """What the threads and greenlets of a program do."""
    name = request.text("program", "gateway")
    if name not in BY_NAME:
        raise ControlError(f"there is no program '{name[:100]}'; GET /programs lists them", 404)
    path = api.watchdog.dump(name)

    def read() -> str:
        with path.open("rb") as file:
            return file.read(LONGEST_DUMP).decode("utf-8", "replace")

    return {"program": name, "file": path.name, "text": api.threads.run(read)}


_OF_PROGRAM: Final = f"/programs/{NAME}"
TABLE: Final = Table(
    (
        Route("GET", "/", listing, "this list"),
        Route("GET", "/health", health, "is all well: 200, or 503; without a token", quiet=True, open=True),
        Route("GET", "/status", status, "everything: the watchdog, what it sees, what is wrong"),
        Route("GET", "/programs", programs, "the programs and how each is"),
        Route("GET", _OF_PROGRAM, program, "one program", "/programs/<name>"),
        Route("POST", f"{_OF_PROGRAM}/start", act(Verb.START),
              "start it; here and below: `wait`, seconds to wait for the end (0 to 120, default 0)", "/programs/<name>/start", limited=False),
        Route("POST", f"{_OF_PROGRAM}/stop", act(Verb.STOP), "stop it in good order, and keep it stopped", "/programs/<name>/stop", limited=False),
        Route("POST", f"{_OF_PROGRAM}/restart", act(Verb.RESTART), "stop it in good order and start it", "/programs/<name>/restart", limited=False),
        Route("POST", f"{_OF_PROGRAM}/quickstop", act(Verb.QUICKSTOP),
              "stop it, and kill it after `seconds` (0 to 60, default 5)", "/programs/<name>/quickstop", limited=False),
        Route("GET", "/logs", logs, "the logs by name"),
        Route("GET", f"/logs/{NAME}", lines,
              "its last `lines` (0 to 10000, default 100), those that hold `search`; with `follow=1` also what comes, for `seconds`", "/logs/<name>"),
        Route("GET", "/alerts", alerts, "alerts that stand, and those of the last hour"),
        Route("POST", "/dump", dump, "what the threads and greenlets of `program` (default: gateway) do"),
    )
)  # fmt: skip


# -- the server


class WatchdogApplication(Application):
    """Nobody without the token; refusals are logged."""

    longest_body = LONGEST_BODY
    where = "the log 'watchdog'"

    def __init__(self, api: Api, door: Door, complaints: Complaints) -> None:
        super().__init__(api, TABLE, log)
        self._door = door
        self._complaints = complaints

    def admit(self, environ: Environ, route: Route | None) -> None:
        """The token, for all but what is open. Raises ControlError."""
        if route is None or not route.open:
            self._door.check(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_AUTHORIZATION", ""))

    def asked(self, environ: Environ, path: str, request: Request) -> None:
        """Who changes something."""
        log.info("%s asks: POST %.200s %s", environ.get("REMOTE_ADDR"), path, dict(request.body) or "")

    def refused(self, environ: Environ, error: ControlError) -> None:
        """A request is answered with an error."""
        address = environ.get("REMOTE_ADDR", "")
        self._complaints.tell(
            address, "%s %.200s of %s refused, %d: %.300s", environ["REQUEST_METHOD"], environ["PATH_INFO"], address, error.status, error
        )  # fmt: skip


class WatchdogHandler(Handler):
    """Turns away connections of other networks, and those that are too many, before their request is looked at."""

    def __init__(self, sock: Any, address: Any, server: Any) -> None:
        super().__init__(sock, address, server)
        sock.settimeout(IDLE_SECONDS)
        self._refusal: tuple[int, str] | None = None

    def handle(self) -> None:
        """A connection, from its beginning to its end."""
        server, address = self._server, self.client_address[0]
        if not server.door.enter(address):
            self._refusal = 503, "too many connections from this address"
        if not server.door.admits(address):
            self._refusal = 403, f"{address} may not use this API (WATCHDOG_ACCESS)"
        server.turned_away += self._refusal is not None
        try:
            super().handle()
        finally:
            server.turned_away -= self._refusal is not None
            server.door.leave(address)

    def handle_one_request(self) -> Any:
        """As any, or a refusal."""
        if self._refusal is None:
            return super().handle_one_request()
        server = self._server
        server.complaints.tell(self.client_address[0], "a connection was refused: %s", self._refusal[1])
        if server.turned_away > TURNED_AWAY:
            return None
        self.await_something()
        return refusal(*self._refusal)

    @property
    def _server(self) -> "WatchdogServer":
        assert isinstance(self.server, WatchdogServer), "no other makes one"
        return self.server


class WatchdogServer(Server):
    """The application behind its door."""

    def __init__(self, listener: Any, api: Api, door: Door) -> None:
        self.door = door
        self.complaints = Complaints()
        self.turned_away = 0
        super().__init__(listener, WatchdogApplication(api, door, self.complaints), log, WatchdogHandler)

    def bad_request(self, address: Any, reason: str) -> None:
        """Something came that is no HTTP request."""
        self.complaints.tell(str(address[0]), "a request of %s that is none was refused: %.200s", address[0], reason)
