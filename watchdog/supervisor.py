"""supervisord as the rest of the watchdog sees it: its XML-RPC over the unix socket, with deadlines and errors in sentences.

`Supervisor(path)` holds no connection; each call makes one, asks, and closes it. A call waits at most `seconds` for supervisord itself; who wants to see
the end of a stop says how long to wait for that. Cooperative under gevent. Raises `SupervisorUnreachable` when supervisord does not answer in time,
`UnknownProgram` for a name that it does not have, and `SupervisorError` for what it refuses.
"""

import http.client
import re
import signal as signals
import socket
import time
import xmlrpc.client  # the far side is supervisord, behind a socket that only we may use
from collections.abc import Callable
from typing import Any, Final

from emg.errors import EmgError
from watchdog.model import ProgramFacts

SECONDS: Final = 5.0
"""supervisord does no work of its own: an answer takes a millisecond."""
QUICK_SECONDS: Final = 5.0
"""From SIGTERM to SIGKILL of a quick stop."""
POLL_SECONDS: Final = 0.05
LONGEST_ANSWER: Final = 4 << 20

NOT_RUNNING: Final = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
STOPPING: Final = "STOPPING"
_NAME: Final = re.compile(r"[\w-]+")
_BAD_NAME, _ALREADY_STARTED, _NOT_RUNNING = 10, 60, 70
"""supervisord's fault codes (supervisor.xmlrpc.Faults)."""


class SupervisorError(EmgError):
    """supervisord refuses, or a program does not do what it was told."""


class SupervisorUnreachable(SupervisorError):
    """Nobody answers on its socket, or not in time."""


class UnknownProgram(SupervisorError):
    """supervisord has no such program."""


class Supervisor:
    """See the module's text. `path`: supervisord's socket; `seconds`: the deadline of a call."""

    def __init__(self, path: str, seconds: float = SECONDS) -> None:
        self.path = path
        self.seconds = seconds

    # -- looking

    def programs(self) -> dict[str, ProgramFacts]:
        """Every program, as supervisord sees it (no figures of the system: they are the probe's)."""
        return {row["name"]: _facts(row) for row in self._ask("getAllProcessInfo")}

    def program(self, name: str) -> ProgramFacts:
        """One of them."""
        return _facts(self._ask("getProcessInfo", name))

    def pid(self) -> int:
        """The process id of supervisord itself."""
        return int(self._ask("getPID"))

    # -- acting

    def start(self, name: str) -> bool:
        """Have it started now, also when supervisord pauses before its next try; does not wait until it is up. False: it runs already.

        Raises SupervisorError while it still stops: supervisord would forget about it.
        """
        state = self.program(name).state
        if state == STOPPING:
            raise SupervisorError(f"{name} still stops: it can be started when it has ended")
        if state == "BACKOFF":
            # both at once: who died between the two would leave it stopped, as if on purpose
            calls = [{"methodName": f"supervisor.{do}Process", "params": [name, False]} for do in ("stop", "start")]
            return self._ask("system.multicall", calls)[1] is True
        return self._ask_unless(_ALREADY_STARTED, "startProcess", name, False)

    def stop(self, name: str, wait: float = 0.0) -> bool:
        """Tell it to stop in good order (its row says how long it may take before supervisord kills it), and keep it stopped. False: it did not run.

        `wait`: seconds to wait for its end; raises SupervisorError when it still runs then (and goes on stopping).
        """
        told = self._ask_unless(_NOT_RUNNING, "stopProcess", name, False) or self.program(name).state == STOPPING
        if told and wait:
            self._await_end(name, wait)
        return told

    def restart(self, name: str, wait: float) -> None:
        """Stop it in good order and start it; `wait`: seconds that the stop may take. A stopped one is started."""
        self.stop(name, wait)
        self.start(name)

    def quick_stop(self, name: str, seconds: float = QUICK_SECONDS) -> bool:
        """Stop it, and kill it when it has not ended by then; it is gone when this returns. False: it did not run."""
        if not self.stop(name):
            return False
        try:
            self._await_end(name, seconds)
        except SupervisorError:
            self._ask_unless(_NOT_RUNNING, "signalProcess", name, str(int(signals.SIGKILL)))
            self._await_end(name, self.seconds)
        return True

    def signal(self, name: str, number: int) -> bool:
        """Send it a signal, by supervisord's hand: never to a process that only has its old number. False: it does not run."""
        return self._ask_unless(_NOT_RUNNING, "signalProcess", name, str(int(number)))

    def _await_end(self, name: str, seconds: float) -> None:
        if not _within(seconds, lambda: self.program(name).state in NOT_RUNNING):
            raise SupervisorError(f"{name} still runs {seconds:g} s after it was told to stop")

    # -- asking

    def _ask_unless(self, code: int, method: str, *arguments: Any) -> bool:
        """Ask; False where supervisord answers with this fault: there was nothing to do."""
        try:
            self._ask(method, *arguments)
        except _Fault as fault:
            if fault.code != code:
                raise
            return False
        return True

    def _ask(self, method: str, *arguments: Any) -> Any:
        if (
            arguments and isinstance(arguments[0], str) and not _NAME.fullmatch(arguments[0])
        ):  # supervisord would take `x:*` for a whole group
            raise UnknownProgram(f"supervisord has no program '{arguments[0]}'")
        body = xmlrpc.client.dumps(arguments, method if "." in method else f"supervisor.{method}").encode()
        answer = self._exchange(body)
        try:
            return xmlrpc.client.loads(answer)[0][0]
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == _BAD_NAME:
                raise UnknownProgram(f"supervisord has no program '{arguments[0]}'") from fault
            what = " ".join([method, *(str(argument) for argument in arguments[:1])])
            raise _Fault(f"supervisord refuses {what}: {fault.faultString}", fault.faultCode) from fault
        except Exception as error:  # whatever a parser of XML makes of octets that are none
            raise SupervisorUnreachable(f"what answers on {self.path} is not supervisord") from error

    def _exchange(self, body: bytes) -> bytes:
        connection = _Connection(self.path, self.seconds)
        try:
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            response = connection.getresponse()
            answer = response.read(LONGEST_ANSWER)
        except TimeoutError as error:
            raise SupervisorUnreachable(
                f"supervisord did not answer on {self.path} within {self.seconds:g} s"
            ) from error
        except PermissionError as error:
            raise SupervisorUnreachable(f"{self.path}: permission denied") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise SupervisorUnreachable(f"supervisord does not run: nobody answers on {self.path}") from error
        except (OSError, http.client.HTTPException) as error:
            raise SupervisorUnreachable(f"supervisord on {self.path} cannot be asked: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise SupervisorUnreachable(
                f"what answers on {self.path} is not supervisord: HTTP status {response.status}"
            )
        return answer


class _Fault(SupervisorError):
    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("supervisord", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _facts(row: dict[str, Any]) -> ProgramFacts:
    return ProgramFacts(
        name=row["name"],
        state=row["statename"],
        pid=row["pid"],
        started=float(row["start"]) if row["pid"] else 0.0,
        description=row["description"],
    )


def _within(seconds: float, look: Callable[[], bool]) -> bool:
    """Whether it became true in that time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
