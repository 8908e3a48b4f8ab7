"""A connector as the engine sees it: its rules, its lane, whether it works. The connector's own module fills it in and keeps it true."""

from emg.config.model import ConnectorConfig, ConnectorType, LongOut, Mode
from emg.engine.carrier import Carrier
from emg.engine.lane import UNLIMITED, Lane
from emg.rules.pacing import ThrottlePause, TokenBucket
from emg.rules.retry import RetryScheme


class Counters:
    """What is counted of one connector since the start; read by status, metrics and the probe."""

    __slots__ = (
        "accepted",
        "delivered",
        "duplicates",
        "failed",
        "maybe_sent",
        "orphans",
        "refused",
        "reports_in",
        "reports_out",
        "retried",
        "sent",
        "throttled",
        "undelivered",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    accepted: int
    delivered: int
    """Messages, or parts of long ones, of which its reports said so. `undelivered` are those of which they said another end."""
    duplicates: int
    failed: int
    maybe_sent: int
    orphans: int
    refused: int
    reports_in: int
    reports_out: int
    retried: int
    sent: int
    throttled: int
    undelivered: int

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Slowed:
    """What the far side asked to slow down, see `emg.engine.slowing`; `depth` is the session's without that."""

    __slots__ = ("depth", "throttle")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.throttle = ThrottlePause()


class Port:
    """One connector's rules and state for the engine."""

    __slots__ = (
        "asks_none",
        "asks_reports",
        "bucket",
        "config",
        "counters",
        "gets_reports",
        "incoming",
        "injected",
        "joins",
        "lane",
        "name",
        "provider",
        "reachable",
        "retry",
        "slowed",
        "started",
        "stopped",
        "throttle_told",
    )

    def __init__(self, config: ConnectorConfig, lane: Lane, retry: RetryScheme) -> None:
        self.name = config.name
        self.lane = lane
        self.counters = Counters()
        self.slowed: dict[Carrier | None, Slowed] = {}
        """By session where it is incoming; None stands for all of an outgoing one."""
        self.throttle_told = float("-inf")
        """When the log was last told of it (monotonic)."""
        self.bucket: TokenBucket | None = None
        self.reachable = False
        """A session is up, or one is made on demand and the last try did not fail."""
        self.started = False
        """It listens, or keeps its sessions."""
        self.stopped = False
        """An operator has stopped it; that outlives a restart."""
        self.configure(config, retry)

    incoming: bool
    """Others connect to it."""

    def configure(self, config: ConnectorConfig, retry: RetryScheme) -> None:
        """Take the rules of a new configuration; sessions are not touched."""
        self.config = config
        self.incoming = config.type is ConnectorType.INCOMING
        self.retry = retry
        self.provider = config.provider or config.name
        self.asks_none = config.force_dlr is not None and not config.force_dlr
        self.asks_reports = bool(config.force_dlr or config.default_dlr)
        self.gets_reports = config.dlr_support
        self.injected = not config.dlr_support and config.nodlr
        self.lane.affinity = config.affinity
        self.joins = config.messagemode.join
        self.lane.size_limit = config.maxqueuesize or UNLIMITED
        self._pace(config.throughput)

    def _pace(self, rate: float) -> None:
        """THROUGHPUT; what has been used of it stays used, so that a reload brings no second burst."""
        pacer = self.bucket if self.incoming else self.lane.pacer
        if not rate:
            pacer = None
        elif pacer is None:
            pacer = TokenBucket(rate)
        else:
            pacer.change(rate)
        if self.incoming:
            self.bucket = pacer
        else:
            self.lane.pacer = pacer

    @property
    def can_send(self) -> bool:
        """Messages can leave by it (MODE)."""
        return self.config.mode is not Mode.RECEIVE

    @property
    def usable(self) -> bool:
        """A route may choose it now: it works, is not held and not full."""
        return self.reachable and self.started and not self.lane.held and self.lane.size < self.lane.size_limit

    @property
    def splits(self) -> LongOut:
        """What it does with long messages."""
        return self.config.messagemode.out
