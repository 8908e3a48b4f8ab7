"""Checks of programs and the machine: each raises, does not raise just below, and clears."""

import pytest

from emg.config.model import ServerConfig
from tests.unit.watchdog.looks import BOOT, EPOCH, MIB, Watch, changed, program
from watchdog.checks import CHECKS, Limits
from watchdog.history import COUNTED, MOST, History
from watchdog.limits import limits_of
from watchdog.model import CertificateFacts, Cure, DiskFacts, Facts, Severity
from watchdog.programs import BY_NAME as PROGRAMS

GB = 1 << 30


def test_every_check_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({check.name for check in CHECKS}) == len({check.find for check in CHECKS}) == len(CHECKS)
    assert all(check.says for check in CHECKS)


def test_nothing_is_wrong_where_nothing_is_known() -> None:
    """Figures that are None say nothing."""
    watch = Watch(supervised=False)
    assert watch.found(1000) == {}
    bare = changed(program(), files=None, files_limit=None, process_state="", resident=0, born=0, age=0.0)
    assert Watch(Limits(memory={"gateway": MIB})).programs(bare).found(1000) == {}


def test_nothing_is_wrong_where_all_is_well() -> None:
    watch = Watch().programs(program(), program("recorder"), program("scheduler")).gateway()
    assert watch.given(database="", disks=(DiskFacts("/", 100, 50),), memory_free=50, memory_size=100).found(60) == {}


def test_limits_follow_the_configuration() -> None:
    usual, chosen = (
        limits_of(ServerConfig()),
        limits_of(
            ServerConfig(
                watchdog_disk=97, watchdog_memory=(("recorder", 5),), watchdog_certificates=3600.0, draintime=300.0
            )
        ),
    )
    assert (usual.disk, usual.disk_critical, usual.patience) == (0.8, 0.95, 2.5)
    assert usual.memory["gateway"] == PROGRAMS["gateway"].memory << 20
    assert limits_of(ServerConfig(watchdog_patience=7.0)).patience == 7.0
    assert (chosen.disk, chosen.disk_critical) == (0.97, 0.97), "critical is never below the warning"
    assert (chosen.memory["recorder"], chosen.memory["gateway"]) == (5, usual.memory["gateway"])
    assert (chosen.certificate, chosen.certificate_critical) == (3600.0, 3600.0)
    assert chosen.stop_patience > PROGRAMS["gateway"].stop_limit(ServerConfig(draintime=300.0))


# -- supervisord


def test_a_supervisord_that_does_not_answer() -> None:
    watch = Watch().programs(program()).given(supervisor="supervisord does not run")
    assert watch.found(3) == {}
    found = watch.found(1)["supervisor:silent"]
    assert (found.severity, found.cure) == (Severity.CRITICAL, Cure.NONE)
    assert "supervisord does not run" in found.text
    assert watch.given(supervisor="").found(1) == {}


# -- programs


def test_a_program_that_supervisord_has_given_up_is_started_at_once() -> None:
    watch = Watch().programs(program("recorder", "FATAL", description="Exited too quickly"))
    found = watch.found(1)["program:recorder:down"]
    assert (found.severity, found.program, found.cure) == (Severity.CRITICAL, "recorder", Cure.START)
    assert "FATAL, Exited too quickly" in found.text
    assert watch.programs(program("recorder")).found(1) == {}


@pytest.mark.parametrize("state", ["BACKOFF", "EXITED", "UNKNOWN"])
def test_a_program_that_ended_is_left_to_supervisord_for_a_moment(state: str) -> None:
    watch = Watch(step=0.5).programs(program("recorder"))
    watch.look()
    watch.programs(program("recorder", state))
    assert watch.found(2.5) == {}
    assert watch.found(0.5)["program:recorder:down"].cure is Cure.START


def test_a_program_that_comes_up_and_falls_again_is_down_all_the_time() -> None:
    """STARTING is neither up nor, by itself, wrong."""
    watch = Watch().programs(program("recorder"))
    watch.look()
    for number in range(3):
        found = watch.programs(program("recorder", "STARTING", pid=200 + number)).found(1)
        assert "program:recorder:down" not in found
        last = watch.programs(program("recorder", "BACKOFF")).found(1)
    assert "program:recorder:down" in last
    assert "program:recorder:down" not in watch.programs(program("recorder", "STARTING", pid=300)).found(1)
    assert "program:recorder:down" not in watch.programs(program("recorder", pid=300)).found(1)


@pytest.mark.parametrize("state", ["STOPPED", "STOPPING"])
def test_a_program_that_was_stopped_on_purpose_is_no_fault(state: str) -> None:
    assert Watch().programs(program("recorder", state)).found(100) == {}


def test_a_program_that_does_not_stop_is_told_of() -> None:
    watch = Watch().programs(program("recorder"))
    watch.look()
    watch.programs(program("recorder", "STOPPING"))
    assert watch.found(119) == {}
    assert "program:recorder:stopping" in watch.found(1)
    assert watch.programs(program("recorder", "STOPPED")).found(1) == {}


def test_a_program_that_is_started_again_and_again() -> None:
    watch = Watch().programs(program())
    watch.look()
    for number in range(1, 3):
        assert watch.programs(program(pid=100 + number, born=77 + number)).found(30) == {}
    assert "program:gateway:restarts" in watch.programs(program(pid=103, born=80)).found(30)
    assert "program:gateway:restarts" in watch.found(29)
    assert watch.found(2) == {}, "the first of the three is out of the window"


def test_a_pid_that_was_used_again_is_another_program() -> None:
    watch = Watch().programs(program(process_state="T"))
    watch.look()
    watch.programs(program(process_state="T", born=999, started=EPOCH))
    assert watch.found(1) == {}
    assert "program:gateway:halted" in watch.found(1)


def test_a_program_that_was_stopped_by_a_signal_is_continued() -> None:
    watch = Watch(step=0.25).programs(program("recorder", process_state="T"))
    assert watch.found(0.5) == {}
    found = watch.found(0.25)["program:recorder:halted"]
    assert (found.severity, found.program, found.cure) == (Severity.CRITICAL, "recorder", Cure.CONTINUE)
    assert "process 100" in found.text
    assert watch.programs(program("recorder")).found(0.25) == {}


def test_memory_first_a_warning_then_a_restart() -> None:
    watch = Watch(Limits(memory={"gateway": 1000 * MIB}), step=0.5).programs(program(resident=799 * MIB))
    assert watch.found(10) == {}
    found = watch.programs(program(resident=800 * MIB)).found(10)["program:gateway:memory"]
    assert (found.severity, found.cure) == (Severity.WARNING, Cure.NONE)
    assert "800 MiB; its limit is 1000 MiB" in found.text
    watch.programs(program(resident=1000 * MIB))
    assert watch.found(1.5)["program:gateway:memory"].cure is Cure.NONE, "it may be a moment"
    found = watch.found(0.5)["program:gateway:memory"]
    assert (found.severity, found.cure, found.program) == (Severity.CRITICAL, Cure.RESTART, "gateway")
    assert watch.programs(program("gateway", "STOPPING", resident=1000 * MIB)).found(1)[found.key].cure is Cure.NONE
    assert watch.programs(program(pid=101, resident=1000 * MIB)).found(1)[found.key].cure is Cure.NONE, (
        "another process"
    )
    assert watch.programs(program(pid=101)).found(0.5) == {}


def test_a_program_without_a_memory_limit_has_none() -> None:
    assert Watch(Limits(memory={"recorder": MIB})).programs(program(resident=1 << 40)).found(10) == {}


@pytest.mark.parametrize(
    ("files", "severity"), [(819, None), (820, Severity.WARNING), (972, Severity.WARNING), (973, Severity.CRITICAL)]
)
def test_open_files(files: int, severity: Severity | None) -> None:
    found = Watch().programs(program(files=files)).found(1)
    assert [finding.severity for finding in found.values()] == ([severity] if severity else [])
    assert list(found) == (["program:gateway:files"] if severity else [])


# -- the machine


@pytest.mark.parametrize(
    ("free", "severity"), [(21, None), (20, Severity.WARNING), (6, Severity.WARNING), (5, Severity.CRITICAL)]
)
def test_disk(free: int, severity: Severity | None) -> None:
    """In space, and in the number of files."""
    for disk in (DiskFacts("/spool", 100 * GB, free * GB), DiskFacts("/spool", GB, GB, 100, free)):
        found = Watch().given(disks=(disk,)).found(1)
        assert [(key, finding.severity) for key, finding in found.items()] == [("disk:/spool", severity)] * bool(
            severity
        )


def test_a_disk_that_does_not_answer_or_knows_no_bound() -> None:
    watch = Watch().given(disks=(DiskFacts("/spool", 0, 0, error="no answer for 6 s"), DiskFacts("/", 0, 0)))
    found = watch.found(1)
    assert list(found) == ["disk:/spool"]
    assert (found["disk:/spool"].text, found["disk:/spool"].severity) == (
        "/spool: no answer for 6 s",
        Severity.CRITICAL,
    )


@pytest.mark.parametrize(
    ("free", "severity"), [(50, None), (49, Severity.WARNING), (20, Severity.WARNING), (19, Severity.CRITICAL)]
)
def test_memory_of_the_machine(free: int, severity: Severity | None) -> None:
    found = Watch().given(memory_free=free, memory_size=1000).found(1)
    assert [(key, finding.severity) for key, finding in found.items()] == [("machine:memory", severity)] * bool(
        severity
    )


@pytest.mark.parametrize(("jump", "words"), [(3600.0, "forward by 3600.0 s"), (-2.1, "back by 2.1 s")])
def test_the_clock_was_set(jump: float, words: str) -> None:
    watch = Watch()
    watch.look()
    assert watch.look(jump=jump / abs(jump) * 2.0) == [], "two seconds are nothing"
    (found,) = watch.look(jump=jump)
    assert (found.key, found.text) == ("machine:clock", f"the clock was set {words}")
    assert "machine:clock" in watch.found(599)
    assert watch.found(1) == {}, "told of for ten minutes"


def test_a_suspended_machine_has_set_no_clock() -> None:
    watch = Watch()
    watch.look()
    assert watch.look(jump=7200.0, slept=7200.0) == []


def test_a_late_watchdog_has_set_no_clock() -> None:
    watch = Watch()
    watch.look()
    assert watch.look(passed=600.0, late=599.0) == []


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [
        (14.01, None, ""),
        (13.9, Severity.WARNING, "ends in 13.9 days"),
        (2.01, Severity.WARNING, "ends in 2.0 days"),
        (1.5, Severity.CRITICAL, "ends in 1.5 days"),
        (-3, Severity.CRITICAL, "ended 3.0 days ago"),
    ],
)
def test_certificates(days: float, severity: Severity | None, words: str) -> None:
    certificate = CertificateFacts("/tls/op.pem", "connector op", EPOCH + 1 + days * 86400)
    found = Watch().given(certificates=(certificate,)).found(1)
    assert [finding.severity for finding in found.values()] == ([severity] if severity else [])
    assert all(words in finding.text and "connector op" in finding.text for finding in found.values())


def shows(watch: Watch, seconds: float, days: float, *, unread: bool = False) -> str:
    """What is said of a certificate that ends then."""
    certificate = CertificateFacts("/tls/op.pem", "connector op", EPOCH + days * 86400, unread=unread)
    found = watch.given(certificates=(certificate,)).found(seconds)
    return "; ".join(f"{each.severity.value}: {each.text}" for each in found.values())


def test_a_renewed_certificate_that_nobody_reads() -> None:
    """What counts is the one that is shown, and that ends whatever stands in the file."""
    watch, whose = Watch(), "the certificate /tls/op.pem of connector op"
    assert shows(watch, 1, 1.5) == f"critical: {whose} ends in 1.5 days"
    assert shows(watch, 19, 300, unread=True) == f"critical: {whose} ends in 1.5 days", "it is not over"
    told = shows(watch, 3, 300, unread=True)
    assert told.startswith(
        f"critical: {whose} was renewed, and the gateway goes on with the old one, which ends in 1.5 days: "
    )
    assert told.endswith("emg ctl reload takes the new one")
    assert shows(watch, 1, 300) == ""


def test_a_certificate_that_was_renewed_in_good_time() -> None:
    watch = Watch()
    assert shows(watch, 5, 100) == shows(watch, 19, 300, unread=True) == ""
    assert shows(watch, 2, 300, unread=True).startswith("warning: ")
    assert shows(Watch(), 25, 300, unread=True).startswith("warning: "), "also when the old one was never seen"


def test_a_certificate_that_cannot_be_read() -> None:
    unknown = CertificateFacts("/tls/a.pem", "connector a", None)
    broken = CertificateFacts("/tls/b.pem", "connector b", None, "it is damaged")
    found = Watch().given(certificates=(unknown, broken)).found(1)
    assert list(found) == ["certificate:/tls/b.pem"]


# -- what is remembered


def test_history_is_bounded() -> None:
    history = History()
    history.begin(Facts(BOOT, EPOCH))
    for number in range(MOST + 10):
        history.unchanged(number, 1)
    history.end()
    history.begin(Facts(BOOT + 9, EPOCH))
    assert history.unchanged(0, 1) == 9
    assert history.unchanged(MOST + 1, 1) == 0, "beyond the bound nothing lasts"
    history = History()
    for number in range(COUNTED * 3):
        history.changed_within("pid", number, 1000)
    assert history.changed_within("pid", 0, 1000) == COUNTED


def test_what_is_not_asked_for_is_forgotten() -> None:
    history = History()
    for number in range(3):
        history.begin(Facts(BOOT + number, EPOCH))
        assert history.unchanged("always", 1) == number
        if number != 1:
            assert history.unchanged("not always", 1) == 0
        history.end()


def test_the_clock_of_the_history_stands_still_while_the_watchdog_sleeps() -> None:
    history = History()
    for now, late, expected in ((10, 0, 0), (11, 0, 1), (111, 99, 2), (112, 5, 2), (113, -3, 3)):
        history.begin(Facts(float(now), EPOCH, late=float(late)))
        assert history.now == expected


def test_a_faulty_server_cfg_is_told_of_when_nobody_is_just_writing_it():
    watch = Watch().given(configuration="server.cfg:3: a typo")
    assert watch.found(29) == {}
    assert "server.cfg:3: a typo" in watch.found(2)["configuration:faulty"].text
    assert watch.given(configuration="").found(1) == {}
