"""The alerting half of the watchdog as a process, for tests: the alert book and its channels, told over standard input what is wrong.

    with Alerting(folder, config_file) as alerting:
        alerting.find(Finding("database:away", "…"))      # what is wrong from now on; the book looks each tenth of a second
        alerting.status()                                 # how the channels do, the book, and how late the loop was at most

`python -m tests.alerting CONFIG` is that process: patched by gevent, as the watchdog is. Its deadlines and pauses are short. With `names` after the
configuration no name is ever resolved: whoever asks waits in a native thread, as for a name server that is silent.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
HOST = "gw1.example.com"
LOOK = 0.1
DEADLINE = 2.0
FIRST_PAUSE = 0.5


class Alerting:
    """See the module's text."""

    def __init__(self, config_file: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "tests.alerting", str(config_file), *arguments]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Alerting":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """A watchdog starts."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.status()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def find(self, *findings: Any) -> None:
        """This is wrong, and nothing else; returns when the book has it."""
        self._ask({"findings": [msgspec.to_builtins(finding) for finding in findings]})

    def did(self, program: str, text: str) -> None:
        """The watchdog has done something."""
        self._ask({"did": [program, text]})

    def trial(self) -> list[dict[str, Any]]:
        """Send a message by each channel."""
        return self._ask({"trial": True})["trial"]

    def status(self) -> dict[str, Any]:
        """`channels`, `alerts` (the book's `show`), `fault`, `late`: seconds that a turn of the loop was late at most."""
        return self._ask({})

    def channel(self, name: str) -> dict[str, Any]:
        """One of the channels."""
        return next(each for each in self.status()["channels"] if each["name"] == name)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the alerting process ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


class SilentNames:
    """A resolver whose name server never answers."""

    def getaddrinfo(self, *_: Any) -> Any:
        import gevent
        from gevent import monkey

        return gevent.get_hub().threadpool.apply(monkey.get_original("time", "sleep"), (30,))

    def close(self) -> None:
        """Nothing to let go of."""


def serve(config_file: str, names: str = "") -> None:
    """Be that process, until standard input ends."""
    import time

    import gevent
    from gevent.fileobject import FileObject

    from emg.config.load import load
    from watchdog.alerts import Book
    from watchdog.channels import Channels, lanes
    from watchdog.model import Finding
    from watchdog.settings import settings

    lanes.DEADLINE, lanes.FIRST_PAUSE = DEADLINE, FIRST_PAUSE
    if names:
        gevent.get_hub().resolver = SilentNames()
    chosen = settings(load(config_file), HOST)
    book = Book(chosen.alert_file, chosen.repeat, chosen.clear, chosen.secrets)
    channels = Channels(chosen, book)
    state: dict[str, Any] = {"findings": [], "late": 0.0}

    def look() -> None:
        channels.tell(book.update(state["findings"], time.time(), time.monotonic()))

    def turn() -> None:
        while True:
            before = time.monotonic()
            gevent.sleep(LOOK)
            state["late"] = max(state["late"], time.monotonic() - before - LOOK)
            look()

    gevent.spawn(turn)
    for line in FileObject(sys.stdin.fileno(), "r", close=False):
        request = json.loads(line)
        if "findings" in request:
            state["findings"] = msgspec.convert(request["findings"], list[Finding])
        if "did" in request:
            program, text = request["did"]
            book.did(program, text, time.time())
        look()
        shown = {
            "trial": channels.trial() if "trial" in request else [], "channels": channels.status(), "alerts": book.show(), "fault": book.fault, "late": state["late"],
        }  # fmt: skip
        print(json.dumps(shown), flush=True)


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    serve(*sys.argv[1:])
