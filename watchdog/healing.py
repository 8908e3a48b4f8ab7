"""What is done against what is wrong: bounded, mildest cure first, never blindly. Pure: facts and findings in, actions out."""

from collections.abc import Sequence
from typing import Any

import msgspec

from watchdog.model import Action, Facts, Finding


class Verdict(msgspec.Struct, frozen=True):
    """What `Healing.decide` says."""

    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Healing's own: what was restarted, and where it has given up."""


class Healing:
    """Remembers what was done to whom. At most `restarts` of a program within `window` seconds."""

    def __init__(self, restarts: int = 5, window: float = 600.0) -> None:
        self.restarts = restarts
        self.window = window

    def decide(self, facts: Facts, findings: Sequence[Finding]) -> Verdict:
        """What is done now."""
        raise NotImplementedError

    def status(self) -> dict[str, Any]:
        """For each program that something was done to: restarts within the window, and whether it has given up."""
        raise NotImplementedError
