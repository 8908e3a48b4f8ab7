"""Connectors as this portal sees them: joined from the configuration file, the database and the gateway, any of which may know one that the others don't.

seen = gather(rows, house.config(), live, rates)        # rows: the database's; live: the gateway's, None without one
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emg.config.connector import ConnectorConfig
from emg.config.model import ServerConfig
from emg.config.stored import ROWS, Stored, plain
from emg.config.values import ConnectorType, Mode
from emg.db import connectors
from emg.db.models import Connector
from portal.rates import Rates

FILE, DATABASE, GATEWAY = "file", "database", "gateway"
TRANSCEIVER_VERSION: Final = 0x34
"""Below it one instance is two sessions, one each way."""

STATES: Final[Mapping[str, str]] = {
    "up": "It works.",
    "idle": "No session is up, because there is nothing to send. It connects by itself (STATIC keeps it connected).",
    "retrying": "It can't connect, and tries again by itself.",
    "held": "Its sessions stay up, its messages wait until it is released.",
    "down": "It does not listen.",
    "stopped": "It takes and sends nothing until somebody starts it, also over restarts of the gateway.",
    "disabled": "It neither listens nor connects, and its queue is kept, until it is enabled.",
    "not used": "The gateway runs without it.",
    "unknown": "No gateway answers.",
}
"""Every state, and what it means."""


@dataclass(slots=True)
class Seen:
    """One connector."""

    name: str
    source: str
    """`file`, `database`, or `gateway` for one that it alone still has."""
    incoming: bool | None
    """None: what the database has of it says no type."""
    protocol: str
    address: str
    expected: int
    """Sessions that it has at most (incoming), or tries to have (outgoing)."""
    disabled: bool
    note: str = ""
    live: Mapping[str, Any] | None = None
    """What the gateway says of it."""
    asked: bool = False
    """A gateway answered, whether it knows this one or not."""
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Its type as a word."""
        return "" if self.incoming is None else "incoming" if self.incoming else "outgoing"

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.live is None:
            return "disabled" if self.disabled else "not used" if self.asked else "unknown"
        if self.live["disabled"]:
            return "disabled"
        if self.live["stopped"]:
            return "stopped"
        word = str(self.live["state"])
        return "held" if self.live["held"] and word in ("up", "idle") else word

    @property
    def sessions(self) -> int | None:
        """Those that are bound now."""
        return None if self.live is None else int(self.live["sessions"])

    @property
    def queued(self) -> int | None:
        """Messages that wait for it."""
        return None if self.live is None else int(self.live["queued"])

    @property
    def last_fault(self) -> str:
        """Why it is not connected, in the gateway's words."""
        return "" if self.live is None else str(self.live.get("last_fault") or "")

    def counter(self, name: str) -> int | None:
        """Since the gateway's start."""
        return None if self.live is None else int(self.live["counters"][name])

    def rate(self, name: str) -> float | None:
        """The same a second, now."""
        return self.rates.get(name)

    @property
    def sent_rate(self) -> float | None:
        """Messages and reports that leave by it, a second."""
        return None if not self.rates else self.rates.get("sent", 0.0) + self.rates.get("reports_out", 0.0)


def gather(
    stored: Iterable[Connector], config: ServerConfig, live: Sequence[Mapping[str, Any]] | None, rates: Rates
) -> list[Seen]:
    """All of them, those of the file first. `live`: rows of `GET /connectors`."""
    found = {name: of_file(connector) for name, connector in config.connectors.items()}
    for row in stored:
        if row.name not in found:  # of two of one name the file's counts, for the gateway too
            found[row.name] = of_database(row)
    for one in live or ():
        if one["name"] not in found:
            found[one["name"]] = of_gateway(one)
    by_name = {one["name"]: one for one in live or ()}
    for seen in found.values():
        seen.asked = live is not None
        seen.live = by_name.get(seen.name)
        seen.rates = rates.of(seen.name) if seen.live is not None else {}
    return list(found.values())


def of_file(config: ConnectorConfig) -> Seen:
    """A connector of the configuration file."""
    return Seen(
        config.name, FILE, config.type is ConnectorType.INCOMING, config.protocol.name,
        ", ".join(map(str, config.address)), _expected(config.instances, config.type, config.mode, config.interfaceversion),
        config.disabled,
    )  # fmt: skip


def of_database(row: Connector) -> Seen:
    """A connector of the tables, as its lines say; what they don't say, or say wrongly, is as usual."""
    lines = Lines(connectors.stored(row))
    kind = lines.value("TYPE", None)
    mode, version = lines.value("MODE", Mode.BOTH), lines.value("INTERFACEVERSION", TRANSCEIVER_VERSION)
    usual = ROWS["INSTANCES"].incoming if kind is ConnectorType.INCOMING else ROWS["INSTANCES"].default
    return Seen(
        row.name, DATABASE, None if kind is None else kind is ConnectorType.INCOMING, lines.text("PROTOCOL").upper(),
        lines.text("ADDRESS").replace(",", ", "), _expected(lines.value("INSTANCES", usual), kind, mode, version),
        row.disabled, row.note,
    )  # fmt: skip


def of_gateway(live: Mapping[str, Any]) -> Seen:
    """A connector that the gateway still has, while neither file nor tables do."""
    return Seen(
        live["name"], GATEWAY, live["type"] == "incoming", "", ", ".join(live["addresses"]), 0, bool(live["disabled"])
    )


class Lines:
    """What the lines of a stored connector say, one keyword at a time."""

    def __init__(self, stored: Stored) -> None:
        self._lines = dict(stored.lines)

    def text(self, keyword: str) -> str:
        """The value; one with `${NAME}` in it as it stands."""
        value = self._lines.get(keyword, "")
        read = plain(value)
        return value if read is None else read

    def value(self, keyword: str, usual: Any) -> Any:
        """The same, read; `usual` where it is not given or can't be read."""
        text = self.text(keyword)
        if not text:
            return usual
        try:
            return ROWS[keyword].kind.parse(text)
        except ValueError:
            return usual


def _expected(instances: int, kind: ConnectorType | None, mode: Mode, version: int) -> int:
    both = kind is ConnectorType.OUTGOING and mode is Mode.BOTH and version < TRANSCEIVER_VERSION
    return instances * 2 if both else instances
