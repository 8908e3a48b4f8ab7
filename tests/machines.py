"""A machine with a booted systemd: a container by systemd-nspawn, up in a second.

Its /usr is this machine's, read-only; /etc and /var are its own and almost empty, so that nothing runs in it but what the test puts there. Its network is its
own loopback interface. EMG stands in it as on an appliance: /opt/emg/bin, /etc/emg, the user emg, config/emg.service; the code is this checkout's.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = Path("/usr/bin/python3.11")
USER: Final = 990
BOOT_SECONDS: Final = 30.0
CALL_SECONDS: Final = 40.0

LINKS: Final = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
FILES: Final = {
    "etc/os-release": 'ID=emg\nPRETTY_NAME="EMG under test"\n',
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "machine\n",
    "etc/passwd": f"root:x:0:0::/root:/bin/sh\nemg:x:{USER}:{USER}::/var/lib/emg:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "etc/group": f"root:x:0:\nemg:x:{USER}:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost machine\n",
    "opt/emg/pyvenv.cfg": f"home = {PYTHON.parent}\ninclude-system-site-packages = false\n",
    "opt/emg/lib/python3.11/site-packages/emg.pth": "/opt/emg/src\n/opt/emg/packages\n",
}
COMMANDS: Final = {
    "emg": "app",
    "supervisord": "supervisor.supervisord",
    "supervisorctl": "supervisor.supervisorctl",
}


def obstacle() -> str | None:
    """Why there can't be such a machine here, if so."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed (Debian: systemd-container)"
    if not PYTHON.exists() or sys.version_info[:2] != (3, 11):
        return f"the machine's Python would be {PYTHON}, and is not there or another than ours"
    return None


class Machine:
    """It is off until `boot`."""

    def __init__(self, folder: Path, config: str, *environment: str) -> None:
        """`folder` is made, and becomes the machine's root; `config`: the text of /etc/emg/server.cfg; `environment`: NAME=VALUE for it."""
        self.folder = folder
        self._environment = environment
        self._nspawn: subprocess.Popen[bytes] | None = None
        for name in ("usr", "dev", "proc", "sys", "run", "tmp", "root", "var/lib", "var/log", "var/spool", "opt/emg/src", "opt/emg/packages", "opt/emg/bin", "etc/emg"):  # fmt: skip
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, target in LINKS.items():
            if Path("/", name).is_symlink():
                (folder / name).symlink_to(target)
        lines = "".join(f"{line}\n" for line in environment)
        for name, text in {**FILES, "etc/emg/server.cfg": config, "etc/emg/environment": lines}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (folder / "opt/emg/bin/python3").symlink_to(PYTHON)
        for name, module in COMMANDS.items():
            file = folder / "opt/emg/bin" / name
            file.write_text(f"#!/opt/emg/bin/python3\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
            file.chmod(0o755)
        (folder / "etc/systemd/system").mkdir(parents=True)
        shutil.copyfile(ROOT / "config" / "emg.service", folder / "etc/systemd/system/emg.service")
        (folder / "etc/supervisord.conf").symlink_to("/run/emg/supervisord.conf")
        folder.chmod(0o755)
        (folder / "etc/emg").chmod(0o750)
        (folder / "etc/emg/environment").chmod(0o600)
        os.chown(folder / "etc/emg", 0, USER)

    def boot(self) -> str | None:
        """Turn it on and wait until systemd has started everything; what nspawn says if it gives up."""
        command = [
            "systemd-nspawn", "--quiet", "--boot", "--directory", str(self.folder), "--machine", f"emg-{os.getpid()}", "--register=no", "--keep-unit",
            "--private-network", "--console=pipe", "--bind-ro=/usr", f"--bind-ro={ROOT}:/opt/emg/src",
            f"--bind-ro={sysconfig.get_path('purelib')}:/opt/emg/packages",
        ]  # fmt: skip
        with (self.folder.parent / "console").open("wb") as console:
            self._nspawn = (
                subprocess.Popen(  # the second version of control groups tells systemd reliably when a unit has ended
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                )
            )
        deadline = time.monotonic() + BOOT_SECONDS
        while not self.is_up():
            if self._nspawn.poll() is not None or time.monotonic() > deadline:
                self.cut_power()
                return (self.folder.parent / "console").read_text(errors="replace")[-2000:].strip() or "silence"
            time.sleep(0.05)
        return None

    def is_up(self) -> bool:
        """Whether systemd has started everything, with or without success."""
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def cut_power(self) -> None:
        """Everything in it is killed at once, and forgets what it has not written."""
        if self._nspawn is None:
            return
        leader = self.leader()
        if leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
        try:
            self._nspawn.wait(10)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait(10)
        self._nspawn = None

    def leader(self) -> int | None:
        """The process that is number 1 inside."""
        assert self._nspawn is not None, "the machine is off"
        try:
            children = psutil.Process(self._nspawn.pid).children()
        except psutil.NoSuchProcess:
            return None
        return children[0].pid if children else None

    def run(self, *words: str, user: str = "root", check: bool = True) -> str:
        """What a command prints that is run inside. Raises AssertionError with its words when it fails, unless `check` is off."""
        leader = self.leader()
        if leader is None:
            assert not check, "the machine is off"
            return ""
        enter = ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        become = ["setpriv", "--reuid", user, "--regid", "nogroup" if user == "nobody" else user, "--clear-groups"]
        done = subprocess.run(
            [*enter, *become, "env", "-i", "PATH=/opt/emg/bin:/usr/bin:/usr/sbin", *self._environment, *words],
            capture_output=True, text=True, timeout=CALL_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def eventually(self, condition: Callable[[], bool], wanted: str, seconds: float = 30.0) -> float:
        """Seconds until it is so. Raises AssertionError with the journal's end."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > seconds:
                journal = self.run("journalctl", "--no-pager", "--lines=60", check=False)
                raise AssertionError(f"not within {seconds} s: {wanted}\n{journal}")
            time.sleep(0.05)
        return time.monotonic() - begun
