"""The systemd unit: systemd finds no fault in it, and it fits what it starts."""

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from emg.config.model import ServerConfig
from watchdog.document import ROOT
from watchdog.programs import open_files, stop_limit

UNIT = ROOT / "config" / "emg.service"


@pytest.fixture(scope="module")
def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser


def test_systemd_finds_no_fault(tmp_path):
    """With programs that exist here in the place of those that an installation puts there."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    installed = tmp_path / "emg.service"
    installed.write_text(re.sub(r"/opt/emg/bin/\w+", "/bin/true", UNIT.read_text()))
    command = [analyze, "verify", "--man=no", str(installed)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    ours = [line for line in (found.stdout + found.stderr).splitlines() if "emg" in line]
    assert (found.returncode, ours) == (0, [])


def test_it_is_never_given_up(unit):
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def test_an_orderly_stop_has_the_time_it_may_take(unit):
    longest = stop_limit(ServerConfig(database="mysql+pymysql://127.0.0.1/emg"))
    assert longest + 30 < int(unit["Service"]["TimeoutStopSec"])


def test_programs_may_open_as_many_files_as_the_largest_configuration_needs(unit):
    assert open_files(ServerConfig()) < int(unit["Service"]["LimitNOFILE"])


def test_it_starts_what_the_watchdog_renders_and_holds_no_secret(unit):
    written = re.search(r"--write (\S+)", unit["Service"]["ExecStartPre"])
    assert written is not None
    assert unit["Service"]["ExecStart"].endswith(f"-c {written[1]}")
    assert Path(written[1]).parent == Path("/run") / unit["Service"]["RuntimeDirectory"]
    assert Path(ServerConfig().control).parent == Path(written[1]).parent
    assert "Environment" not in unit["Service"], "secrets come from a file that only root reads"
