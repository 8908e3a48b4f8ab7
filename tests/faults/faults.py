"""The faults: what is done to the stage, and from when on it should be well again. Each is a row of `FAULTS`; the tests and the page walk them.

A fault is done while a client sends. What lasts (a full disk, a database that is away) is done for a while, in which what must go on is looked at; then it is measured
from when the cause is gone.
"""

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.stage import LEAK_LIMIT, RATE, Done, Load, Stage
from tests.gateways import eventually
from watchdog.healing import SETTLE_SECONDS

HURT_SECONDS = 20.0
"""For a fault to be seen."""
FULL_LOAD = 1500.0
"""Messages a second: with all programs and the client on two cores, what leaves little idle."""
HANG_SECONDS = 60.0
"""A commit may take 30 s before the gateway calls it hanging."""
AWAY_SECONDS = 3.0
FLAPS = 3
SET_BACK = -3600.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row."""

    name: str
    how: str
    """How it is done, for the page."""
    do: Callable[[Stage, Load], Done]
    rate: float = RATE
    sessions: int = 2
    needs: tuple[str, ...] = ("ext4", "tmpfs", "")
    """Kinds of the spool's disk on which it can be done."""


# -- programs that die


def killed(*names: str) -> Callable[[Stage, Load], Done]:
    def do(stage: Stage, load: Load) -> Done:
        renewed = stage.kill(*(names or stage.names))
        return Done(time.monotonic(), renewed)

    return do


def supervisor_killed(stage: Stage, load: Load) -> Done:
    """Its programs are told by the kernel, drain and end; the next supervisord does not wait for that."""
    before = stage.pids()
    assert stage.process is not None
    stage.process.kill()
    stage.process.wait(10)
    at = time.monotonic()
    stage.launch()

    def no_orphans() -> bool:
        return not any(running(pid) for pid in before.values())

    return Done(at, before, also=no_orphans)


def power_lost(stage: Stage, load: Load) -> Done:
    before = stage.pids()
    stage.mariadb.kill()
    stage.kill_all()
    at = time.monotonic()
    stage.mariadb.start()
    stage.launch()
    return Done(at, before, note="from the boot on, the database's recovery with it")


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- programs that live and do not work


def frozen(stage: Stage, load: Load) -> Done:
    pid = stage.pid("gateway")
    os.kill(pid, signal.SIGSTOP)
    at = time.monotonic()
    return Done(at, also=lambda: stage.pid("gateway") == pid, note="the same process goes on (SIGCONT)")


def spins(stage: Stage, load: Load) -> Done:
    pid = settled(stage)
    os.kill(pid, signal.SIGUSR1)
    at = time.monotonic()
    return Done(
        at, {"gateway": pid}, also=lambda: dumped(stage, pid, "_spin"), note="killed after a dump that shows where"
    )


def leaks(stage: Stage, load: Load) -> Done:
    """It takes more and more; measured from when it has more than it may."""
    pid = settled(stage)

    def beyond() -> bool:
        if resident(pid) < (LEAK_LIMIT + 32) << 20:
            os.kill(pid, signal.SIGRTMIN + 1)
            time.sleep(0.02)
            return False
        return True

    eventually(beyond, HURT_SECONDS, "the gateway has grown")
    return Done(
        time.monotonic(),
        {"gateway": pid},
        note="drained and started again; it carried messages until then",
        no_duplicates=True,
    )


def commit_hangs(stage: Stage, load: Load) -> Done:
    """The disk below the spool does not answer: a kill reaches the gateway only when it does again."""
    pid, before = settled(stage), len(stage.alerts("gateway:commit_hangs"))
    stage.disk.freeze()
    try:
        eventually(
            lambda: "commit_hangs" in stage.health().get("codes", ()),
            HANG_SECONDS,
            "the gateway says that a commit hangs",
        )
        eventually(lambda: stage.alerts("gateway:commit_hangs")[before:] == ["raised"], HURT_SECONDS, "an alert")
        eventually(lambda: "kill gateway: the gateway says: a commit" in stage.log("watchdog"), HURT_SECONDS, "a kill")
    finally:
        stage.disk.thaw()
    return Done(time.monotonic(), {"gateway": pid}, note="an alert, and a kill that takes effect when the disk answers")


def settled(stage: Stage) -> int:
    """The gateway's pid, when the watchdog may restart it again: fault after fault comes quicker here than it does in life."""
    started = stage.programs()["gateway"].started
    time.sleep(max(0.0, started + SETTLE_SECONDS - time.time()))
    return stage.pid("gateway")


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def dumped(stage: Stage, pid: int, sign: str) -> bool:
    return any(f".{pid}." in path.name and sign in path.read_text() for path in stage.dumps("gateway"))


# -- what they need is away


def disk_full(stage: Stage, load: Load) -> Done:
    pid, refused = stage.pid("gateway"), load.count("refused")
    stage.disk.fill()
    try:
        eventually(
            lambda: load.count("refused") > refused + 20, HURT_SECONDS, "the client is told that there is no room"
        )
        eventually(lambda: "spool_full" in stage.health().get("codes", ()), HURT_SECONDS, "/health says so")
        eventually(lambda: standing(stage, f"disk:{stage.disk.folder}"), HURT_SECONDS, "an alert")
    finally:
        stage.disk.empty()
    at = time.monotonic()
    return Done(at, also=lambda: stage.pid("gateway") == pid, note='"busy" meanwhile, an alert, no restart')


def database_away(stage: Stage, load: Load) -> Done:
    stage.mariadb.stop()
    away_until = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < away_until:
        assert stage.carried(), "messages flow without the database"
        assert stage.healthy(), "the gateway is well without the database"
    stage.mariadb.start()
    return Done(
        time.monotonic(), also=logged(stage), note="messages flowed meanwhile; well again when the log has caught up"
    )


def database_flaps(stage: Stage, load: Load) -> Done:
    """Away long enough for an alert, and then again and again."""
    before = len(stage.alerts("database:away"))
    stage.mariadb.stop()
    eventually(lambda: stage.alerts("database:away")[before:], HURT_SECONDS, "an alert")
    for _ in range(FLAPS):
        stage.mariadb.start()
        time.sleep(0.8)
        stage.mariadb.kill()
        assert stage.carried(), "messages flow without the database"
        time.sleep(0.8)
    stage.mariadb.start()
    at = time.monotonic()
    assert stage.alerts("database:away")[before:] == ["raised"], "one alert, however it flaps"
    return Done(at, also=logged(stage), note=f"away for 10 s, then back and away {FLAPS} times: one alert")


def logged(stage: Stage) -> Callable[[], bool]:
    """Whether the log has all that the outbox has by now."""
    last = stage.files.control("GET", "/outbox")["last"]
    return lambda: bool(stage.files.control("GET", "/outbox")["recorded"] >= last)


def standing(stage: Stage, key: str) -> bool:
    """Whether that alert stands: it may have been raised by an earlier fault, and not been cleared yet."""
    return stage.alerts(key)[-1:] not in ([], ["cleared"])


def nobody_to_tell(stage: Stage, load: Load) -> Done:
    """Alerts stand, their mail server is mute and their webhook refuses: what comes then is healed all the same."""
    os.kill(stage.pid("recorder"), signal.SIGSTOP)
    eventually(lambda: standing(stage, "program:recorder:halted"), HURT_SECONDS, "an alert")
    for channel in ("mail", "webhook"):
        eventually(
            lambda channel=channel: f"alerts by {channel}: try" in stage.log("watchdog"),
            HURT_SECONDS,
            f"{channel} fails",
        )
    return Done(
        time.monotonic(), stage.kill("gateway"), note="mail server mute, webhook refused; then kill -9 of the gateway"
    )


def clock_set_back(stage: Stage, load: Load) -> Done:
    before, pids = len(stage.alerts("machine:clock")), stage.pids()
    stage.set_clock(SET_BACK)
    at = time.monotonic()
    return Done(
        at,
        also=lambda: (
            stage.pids() == pids and standing(stage, "machine:clock") and len(stage.alerts("machine:clock")) >= before
        ),
        note="an alert, no restart; time.time of all programs and supervisord, not their datetime.now",
    )


# -- what people do


def gateway_restarted(stage: Stage, load: Load) -> Done:
    pid, at = stage.pid("gateway"), time.monotonic()
    answer = stage.supervisorctl("restart", "gateway")
    assert answer.stdout == "gateway: stopped\ngateway: started\n", answer.stdout + answer.stderr
    return Done(
        at,
        {"gateway": pid},
        note=f"{FULL_LOAD:.0f} a second; from the command on, the drain with it",
        no_duplicates=True,
    )


def all_restarted(stage: Stage, load: Load) -> Done:
    before, at = stage.pids(), time.monotonic()
    stage.stop()
    assert not stage.family(), "nothing is left running"
    took = time.monotonic() - at
    at = time.monotonic()
    stage.launch()
    return Done(at, before, note=f"from the start on; the stop took {took:.1f} s", no_duplicates=True)


FAULTS = (
    *(
        Fault(f"{name} killed", "kill -9", killed(name))
        for name in ("gateway", "recorder", "scheduler", "portal", "watchdog", "operator")
    ),
    Fault("all programs killed", "kill -9 of all six at once", killed()),
    Fault("supervisord killed", "kill -9; started again at once (systemd waits for a second)", supervisor_killed),
    Fault("gateway frozen", "SIGSTOP", frozen),
    Fault("a greenlet spins", "an endless loop in the gateway's only thread", spins),
    Fault("memory leak", f"the gateway grows beyond its {LEAK_LIMIT} MiB", leaks),
    Fault("a commit hangs", "the spool's disk frozen (fsfreeze) for half a minute", commit_hangs, needs=("ext4",)),
    Fault("disk full", "the spool's disk filled to the last octet", disk_full, needs=("ext4", "tmpfs")),
    Fault("MariaDB away", f"stopped for {AWAY_SECONDS:.0f} s and started", database_away),
    Fault("MariaDB flaps", "stopped, started, killed, started …", database_flaps),
    Fault("clock set back", "by an hour", clock_set_back),
    Fault("alerts undeliverable", "all addresses out of order", nobody_to_tell),
    Fault(
        "gateway restarted",
        "supervisorctl restart gateway, under full load",
        gateway_restarted,
        rate=FULL_LOAD,
        sessions=8,
    ),
    Fault(
        "all stopped and started",
        "SIGTERM to supervisord, then a start, under full load",
        all_restarted,
        rate=FULL_LOAD,
        sessions=8,
    ),
    Fault("power lost", "kill -9 of everything, supervisord and MariaDB too, then a boot", power_lost),
)
