"""Looks for the tests of the checks: a watch that makes one each second on a clock of its own, out of what the test says."""

from collections.abc import Mapping
from typing import Any

import msgspec

from watchdog.checks import History, Limits, examine
from watchdog.model import ConnectorFacts, Facts, Finding, GatewayFacts, ProgramFacts, RecorderFacts

BOOT = 5000.0
"""On the monotonic clock."""
EPOCH = 1_800_000_000.0
MIB = 1 << 20


def program(name: str = "gateway", state: str = "RUNNING", **given: Any) -> ProgramFacts:
    """A program that is well, and has been for a while."""
    chosen = {
        "pid": 100 if state in ("STARTING", "RUNNING", "STOPPING") else 0, "started": EPOCH - 1000, "born": 77, "age": 1000.0,
        "process_state": "S", "resident": 50 * MIB, "files": 20, "files_limit": 1024,
    } | given  # fmt: skip
    return ProgramFacts(name=name, state=state, **chosen)


def health(*codes: str, **given: Any) -> dict[str, Any]:
    """What /health says."""
    return {
        "ok": not codes, "codes": list(codes), "faults": [f"about {code}" for code in codes], "process": 100, "loop_lag_seconds": 0.001,
    } | given  # fmt: skip


def connector(name: str = "op", **given: Any) -> ConnectorFacts:
    """One that is up and has nothing to do."""
    return ConnectorFacts(
        name=name, **({"up": True, "due": 0, "in_flight": 0, "finished": 5, "patience": 30.0, "state": "up"} | given)
    )


def recorder(**given: Any) -> RecorderFacts:
    """One that has written everything."""
    return RecorderFacts(**({"pid": 100, "at": EPOCH, "position": 10, "last": 10} | given))


class Watch:
    """`look` makes the next one, `step` seconds after the last; what it is given stays so until it is given anew."""

    def __init__(self, limits: Limits | None = None, *, supervised: bool = True, step: float = 1.0) -> None:
        self.limits = limits or Limits()
        self.history = History()
        self.step = step
        self.now = BOOT
        self.at = EPOCH
        self._supervised = supervised
        self._given: dict[str, Any] = {"supervisor": "" if supervised else None, "programs": {}}
        self._gateway: dict[str, Any] | None = None

    def programs(self, *programs: ProgramFacts) -> "Watch":
        self._given["programs"] = {each.name: each for each in programs}
        return self

    def gateway(self, *codes: str, answered: bool = True, **given: Any) -> "Watch":
        """It answers with these codes; `connectors`, `status`, `seen` and `health` may be given."""
        self._gateway = {"answered": answered, "codes": codes} | given
        if self._supervised and "gateway" not in self._given["programs"]:
            self._given["programs"] = {**self._given["programs"], "gateway": program()}
        return self

    def mute(self, error: str = "no answer") -> "Watch":
        """The gateway does not answer."""
        return self.gateway(answered=False, error=error)

    def given(self, **given: Any) -> "Watch":
        self._given |= given
        return self

    def look(self, *, passed: float | None = None, jump: float = 0.0, **once: Any) -> list[Finding]:
        """One look; `passed`: seconds since the last, `jump`: by how much the wall clock was set meanwhile."""
        passed = self.step if passed is None else passed
        self.now += passed
        self.at += passed + jump
        facts = Facts(now=self.now, at=self.at, **{**self._given, "gateway": self._gateway_facts(), **once})
        return examine(self.history, facts, self.limits)

    def found(self, seconds: float, **once: Any) -> Mapping[str, Finding]:
        """Looks for so long; gives what the last one found, by key."""
        found: list[Finding] = []
        for _ in range(max(1, round(seconds / self.step))):
            found = self.look(**once)
        return {finding.key: finding for finding in found}

    def until(self, key: str, most: float) -> float:
        """Seconds until the first look that finds it; an AssertionError after `most`."""
        began = self.now
        while self.now - began <= most:
            if any(finding.key == key for finding in self.look()):
                return self.now - began
        raise AssertionError(f"{key} was not found within {most:g} s")

    def _gateway_facts(self) -> GatewayFacts | None:
        if self._gateway is None:
            return None
        given = dict(self._gateway)
        codes, answered = given.pop("codes"), given.pop("answered")
        said = given.pop("health", health(*codes) if answered else {})
        return GatewayFacts(
            answered=answered, health=said, **({"seen": self.now - 1, "status": {"process": 100}} | given)
        )


def changed(facts: Any, **given: Any) -> Any:
    """The same with other values."""
    return msgspec.structs.replace(facts, **given)
