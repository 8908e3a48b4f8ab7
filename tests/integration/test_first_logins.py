"""Customers who log in for the very first time, all at the same moment: each password costs a comparison with its argon2 hash, and there is no time for all."""

import contextlib
from pathlib import Path

import pytest

from emg.engine.comparing import THREADS
from emg.engine.passwords import HASH_SECONDS
from emg.wire.smpp.names import Status
from tests.bench import logins
from tests.bench.stand import Client

BINDTIMEOUT = 2.5
COUNT = 80
"""More than two threads can compare in that time on any machine of today."""


@pytest.mark.timeout(120)
def test_as_many_get_in_as_can_be_compared_in_time_and_the_others_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{number}" for number in range(COUNT)]
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(logins.started(tmp_path, names, BINDTIMEOUT))
        steady = stack.enter_context(contextlib.closing(Client.bound(gateway.port())))
        seen = logins.wave(gateway.port(), names, steady, stack)
        with capsys.disabled():
            print(
                f"\n{len(seen.bound)} of {COUNT} first logins were in after {seen.last:.1f} s (BINDTIMEOUT={BINDTIMEOUT:g})"
            )
        assert not seen.unanswered, "nobody is cut off without an answer"
        assert seen.bound, "somebody gets in"
        assert seen.refused, "the test has enough customers"
        # The threads did not stand still while somebody waited. Where they are quicker than the gateway takes them for at its start, those whom it let wait are through early.
        taken_for_possible = BINDTIMEOUT / 2 * THREADS / HASH_SECONDS
        assert seen.last > BINDTIMEOUT / 2 or len(seen.bound) >= taken_for_possible
        assert set(seen.statuses) == {Status.RBINDFAIL}, "not 'wrong password': that would make a customer give up"
        # Who was refused is no suspect: he comes again, and gets in like anybody.
        while out := [name for name in names if name not in seen.bound]:
            again = logins.wave(gateway.port(), out, steady, stack)
            assert again.bound, f"{len(out)} are left, and nobody gets in"
            seen.bound |= again.bound
