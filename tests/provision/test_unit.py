"""config/emg.service on a machine with a booted systemd (`make machine-test`): start, stop, kills, a reboot, a power cut, and who may do what."""

import json
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emg.config.model import ServerConfig
from tests.machines import USER, Machine, obstacle
from watchdog.programs import chosen

pytestmark = [pytest.mark.machine, pytest.mark.timeout(120)]

CONFIG = """
DATABASE=sqlite:////var/lib/emg/emg.db
CONNECTOR customers <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2775
ROUTE=provider
>
CONNECTOR provider <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:2776
USERNAME=emg
PASSWORD=${PROVIDER_PASSWORD}
WAITBEFORECONNECT=1
MAXFAILEDCONNECTS=0
STATIC
>
USER demo <
PASSWORD=changeme
>
"""
PROGRAMS = {program.name for program in chosen(ServerConfig(database="sqlite:////var/lib/emg/emg.db"))}
SERVER = ("-c", "/etc/emg/server.cfg")
WELL = 2.5
"""Exposure by `systemd-analyze security`: 0 to 10, and from 2.5 on no longer "OK"."""
READY_SECONDS = 30.0


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """EMG as the header of the unit says, enabled and started."""
    reason = obstacle()
    if reason is not None:
        pytest.skip(reason)
    machine = Machine(tmp_path_factory.mktemp("machine") / "root", CONFIG, "PROVIDER_PASSWORD=secret")
    refused = machine.boot()
    if refused is not None:
        pytest.skip(f"systemd-nspawn can't boot a machine here: {refused}")
    try:
        machine.run("install", "-d", "-o", "emg", "-g", "emg", "/var/lib/emg")
        machine.run("emg", "db", "upgrade", *SERVER, user="emg")
        start_operator(machine)
        machine.run("systemctl", "enable", "--now", "emg")
        yield machine
    finally:
        machine.cut_power()


@pytest.fixture(autouse=True)
def all_is_well(machine: Machine) -> None:
    """Before each test."""
    machine.eventually(lambda: healthy(machine), "all programs run", READY_SECONDS)


def start_operator(machine: Machine) -> None:
    sink = ("/opt/emg/bin/emg", "sink", "--listen", "127.0.0.1:2776", "--report-delay", "0.1")
    machine.run("systemd-run", "--quiet", "--unit=operator", "--uid=emg", *sink)


@contextmanager
def one_message_waits(machine: Machine) -> Iterator[None]:
    """It is there afterwards too, and sent when the operator is back."""
    machine.run("systemctl", "stop", "operator")
    try:
        send(machine, "waits")
        assert waiting(machine) == 1
        yield
        assert waiting(machine) == 1
    finally:
        start_operator(machine)
    machine.eventually(lambda: waiting(machine) == 0, "the message is sent")


def healthy(machine: Machine) -> bool:
    listed = machine.run("supervisorctl", "status", check=False)
    running = set(re.findall(r"^(\w+) +RUNNING", listed, re.MULTILINE))
    return running == PROGRAMS and "true" in machine.run("emg", "ctl", "--json", *SERVER, "health", check=False)


def send(machine: Machine, text: str, *options: str) -> str:
    words = ("emg", "send", *SERVER, "--system-id", "demo", "--password", "changeme", *options, "46701234567", text)
    return machine.run(*words, user="emg")


def waiting(machine: Machine) -> int:
    queues = json.loads(machine.run("emg", "ctl", "--json", *SERVER, "queues"))
    return sum(queue["size"] for queue in queues["queues"] if queue["queue"] == "provider")


def processes(machine: Machine) -> set[int]:
    """Of the unit."""
    group = shown(machine, "ControlGroup")
    first, second = (f"/sys/fs/cgroup{version}{group}/cgroup.procs" for version in ("", "/systemd"))
    listed = machine.run("sh", "-c", f"cat {first} 2>/dev/null || cat {second}")
    return {int(word) for word in listed.split()}


def main_pid(machine: Machine, unit: str = "emg") -> int:
    return int(shown(machine, "MainPID", unit))


def shown(machine: Machine, name: str, unit: str = "emg") -> str:
    return machine.run("systemctl", "show", unit, f"--property={name}", "--value").strip()


def alive(machine: Machine) -> set[int]:
    """Processes of the user that are not the operator's."""
    listed = machine.run("pgrep", "--uid", "emg", check=False).split()
    return {int(number) for number in listed} - {main_pid(machine, "operator")}


def test_a_message_and_its_report(machine):
    assert "DELIVRD" in send(machine, "hello", "--dlr")


def test_the_journal_tells_what_is_started(machine):
    journal = machine.run("journalctl", "--no-pager", "--unit=emg")
    assert {name for name in PROGRAMS if f"spawned: '{name}'" in journal} == PROGRAMS


def test_who_may_ask_supervisord(machine):
    for user in ("root", "emg"):
        assert "RUNNING" in machine.run("supervisorctl", "status", user=user)
    assert "RUNNING" not in machine.run("supervisorctl", "-s", "unix:///run/emg/supervisor.sock", "status", user="nobody", check=False)  # fmt: skip


def test_files_belong_to_the_user_and_nobody_else_reads_them(machine):
    listed = machine.run("find", "/run/emg", "/var/log/emg", "/var/spool/emg", "/var/lib/emg", "-printf", "%m %U %p\n")
    rows = [line.split(" ", 2) for line in listed.splitlines()]
    assert {"/run/emg/supervisord.conf", "/var/spool/emg/spool.db", "/var/log/emg/general"} <= {row[2] for row in rows}
    assert [path for mode, owner, path in rows if owner != str(USER) or int(mode, 8) & stat.S_IRWXO] == []


def test_programs_have_no_rights_beyond_the_users(machine):
    for number in processes(machine):
        status = machine.run("cat", f"/proc/{number}/status")
        rights = dict(re.findall(r"^(\w+):\s*(\S+)", status, re.MULTILINE))
        assert (int(rights["CapEff"], 16), int(rights["CapBnd"], 16), int(rights["CapAmb"], 16)) == (0, 0, 0)
        assert (rights["Uid"], rights["Gid"], rights["NoNewPrivs"], rights["Seccomp"]) == (str(USER), str(USER), "1", "2")  # fmt: skip


def test_exposure(machine):
    said = machine.run("systemd-analyze", "security", "--no-pager", "emg.service")
    level = re.search(r"Overall exposure level for emg.service: ([\d.]+)", said)
    assert level is not None
    assert float(level[1]) < WELL, said


def test_open_files_as_many_as_the_machine_allows(machine):
    limits = machine.run("cat", f"/proc/{main_pid(machine)}/limits")
    soft = re.search(r"Max open files +(\d+)", limits)
    assert soft is not None
    assert int(soft[1]) >= min(16384, int(machine.run("sh", "-c", "ulimit -Hn")))


def test_a_stop_is_orderly(machine):
    send(machine, "before the stop", "--dlr")
    begun = time.monotonic()
    machine.run("systemctl", "stop", "emg")
    assert time.monotonic() - begun < 15
    assert (shown(machine, "Result"), alive(machine)) == ("success", set())
    assert not {"control.sock", "supervisor.sock", "supervisord.pid"} & set(machine.run("ls", "/run/emg").split())
    log = machine.run("cat", "/var/log/emg/supervisord.log")
    assert "SIGKILL" not in log
    assert re.findall(r"stopped: (\w+)", log)[-4:] == ["watchdog", "scheduler", "gateway", "recorder"]
    machine.run("systemctl", "start", "emg")


@pytest.mark.parametrize("victims", ["supervisord", "everything"])
def test_killed_it_comes_back_by_itself_and_loses_nothing(machine, victims):
    with one_message_waits(machine):
        before = processes(machine)
        if victims == "supervisord":
            machine.run("kill", "-KILL", str(main_pid(machine)))
        else:
            machine.run("systemctl", "kill", "--signal=KILL", "emg")
        machine.eventually(lambda: healthy(machine) and not before & alive(machine), "others in their place", 20)


def test_a_reload_reads_the_configuration_and_refuses_a_faulty_one(machine):
    before = processes(machine)
    machine.run("systemctl", "reload", "emg")
    file = machine.folder / "etc/emg/server.cfg"
    file.write_text(CONFIG + "NONSENSE\n")
    try:
        with pytest.raises(AssertionError, match="failed"):
            machine.run("systemctl", "reload", "emg")
        assert "NONSENSE" in machine.run("journalctl", "--no-pager", "--unit=emg", "--lines=20")
    finally:
        file.write_text(CONFIG)
    assert processes(machine) == before


def test_after_a_shutdown_by_supervisorctl_it_is_started_again(machine):
    before = main_pid(machine)
    machine.run("supervisorctl", "shutdown")
    machine.eventually(lambda: main_pid(machine) not in (0, before) and healthy(machine), "another supervisord")


@pytest.mark.parametrize("how", ["reboot", "power cut"])
def test_after_a_reboot_it_is_back_with_its_messages(machine, how):
    with one_message_waits(machine):
        if how == "reboot":
            machine.run("systemctl", "reboot", check=False)
            machine.eventually(lambda: machine.leader() is None, "down")
        machine.cut_power()
        assert machine.boot() is None
        machine.eventually(lambda: healthy(machine), "all programs run", READY_SECONDS)
