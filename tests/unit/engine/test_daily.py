"""DAILYLIMIT: counted by UTC days, kept with the messages, forgotten by no restart. And THROUGHPUT: a second's worth at once."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from emg.config.model import UserConfig
from emg.engine.daily import DailyCounts
from emg.engine.receive import Sender
from emg.errors import Cause, Rejected
from tests.engines import SmallEngine, short

NOON = 20_000 * 86400 + 43200.0


def limited(engine: SmallEngine, limit: int, **more: object) -> SmallEngine:
    users = dict(engine.config.users)
    users["acme"] = dataclasses.replace(users["acme"], dailylimit=limit, **more)
    engine.engine.configure(dataclasses.replace(engine.config, users=users), None)
    return engine


def refused(engine: SmallEngine, when: float) -> str:
    with pytest.raises(Rejected) as caught:
        engine.submit(1, lambda _: short(accepted=when))
    assert caught.value.cause is Cause.THROTTLED
    return str(caught.value)


def test_what_comes_beyond_the_limit_is_throttled_until_midnight_utc(tmp_path: Path) -> None:
    engine = limited(SmallEngine(tmp_path), 3)
    engine.submit(3, lambda _: short(accepted=NOON))
    assert "all 3 messages of the day" in refused(engine, NOON + 43199)
    engine.submit(1, lambda _: short(accepted=NOON, account="other"))  # has no limit
    engine.submit(3, lambda _: short(accepted=NOON + 43200))
    refused(engine, NOON + 43201)
    engine.close()


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    engine = limited(SmallEngine(tmp_path), 3)
    engine.submit(2, lambda _: short(accepted=NOON))
    engine.close()
    engine = limited(SmallEngine(tmp_path), 3)
    engine.submit(1, lambda _: short(accepted=NOON))
    refused(engine, NOON)
    engine.close()


def test_the_count_is_in_the_very_commit_that_keeps_the_message(tmp_path: Path) -> None:
    engine = limited(SmallEngine(tmp_path), 10)
    for count in (1, 2, 3):
        engine.submit(1, lambda _: short(accepted=NOON))
        [[value]] = engine.rows("SELECT value FROM setting WHERE name = 'daily/acme'")
        assert value & 0xFFFFFFFF == count
    engine.close()


def test_what_is_refused_for_something_else_is_not_counted(tmp_path: Path) -> None:
    engine = limited(SmallEngine(tmp_path), 2, route="nowhere")
    for _ in range(5):
        with pytest.raises(Rejected, match="does not exist"):
            engine.submit(1, lambda _: short(accepted=NOON))
    limited(engine, 2)
    engine.submit(2, lambda _: short(accepted=NOON))
    refused(engine, NOON)
    engine.close()


def test_another_limit_does_not_begin_anew(tmp_path: Path) -> None:
    engine = limited(SmallEngine(tmp_path), 2)
    engine.submit(2, lambda _: short(accepted=NOON))
    limited(engine, 3)
    engine.submit(1, lambda _: short(accepted=NOON))
    refused(engine, NOON)
    limited(limited(engine, 0), 3)
    refused(engine, NOON)
    engine.close()


def test_a_commit_that_failed_is_not_counted() -> None:
    notes: dict[str, int] = {}
    spool = SimpleNamespace(note=notes.__setitem__)
    daily = DailyCounts(spool, {}).of("acme", 2)  # type: ignore[arg-type]  # all of a spool that it uses
    assert daily is not None
    daily.add(NOON)
    daily.add(NOON)
    assert daily.used_up(NOON)
    daily.undo(NOON)
    assert not daily.used_up(NOON)
    assert notes == {"daily/acme": 20_000 << 32 | 1}


def test_throughput_lets_one_seconds_worth_through_at_once_and_a_reload_gives_no_second_one() -> None:
    user = UserConfig(name="acme", throughput=20.0)
    sender = Sender("acme", user)
    assert sender.bucket is not None
    assert [sender.bucket.take(100.0) for _ in range(21)] == [True] * 20 + [False]
    sender.configure(user)
    assert not sender.bucket.take(100.0)
    assert [sender.bucket.take(100.5) for _ in range(11)] == [True] * 10 + [False]
    assert [sender.bucket.take(200.0) for _ in range(21)] == [True] * 20 + [False]
