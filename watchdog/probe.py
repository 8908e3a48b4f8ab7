"""The probe: looks at everything that the watchdog watches, and gives what it saw as `Facts`.

Each part has a deadline, a pace and a greenlet or native thread of its own: a database, a disk or a far side that hangs delays no other part,
and the look at the gateway least of all. A look waits for the quick parts alone (supervisord, the gateway's /health), `WAIT_SECONDS` at most; of the others it takes
what they last found. What a part can't find out is None or says why: a look never raises.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from emg.config.model import ServerConfig
from watchdog.model import Facts, ProgramFacts

WAIT_SECONDS: Final = 0.4
"""How long a look waits for its quick parts; an answer that comes later is the next look's."""


class Programs(Protocol):
    """supervisord, see `watchdog.supervisor`."""

    def programs(self) -> Mapping[str, ProgramFacts]:
        """All programs as supervisord sees them: name, state, pid, started, description. Raises EmgError."""


class Probe:
    """See the module's text. `supervisor` None: there is none, only the gateway and the machine are looked at.

    `parent`: supervisord's pid; a process that has another parent is not its program, but somebody who got a used pid again. 0: not known.
    """

    def __init__(self, config: ServerConfig, supervisor: Programs | None = None, *, parent: int = 0) -> None:
        self.config = config
        self.supervisor = supervisor
        self.parent = parent

    def look(self, late: float = 0.0) -> Facts:
        """See everything; `late`: by how much the watchdog itself was late since the last look (seconds). Takes `WAIT_SECONDS` at most."""
        raise NotImplementedError

    def close(self) -> None:
        """End what still looks; a native thread that hangs in the system is left to the end of the program."""
        raise NotImplementedError
