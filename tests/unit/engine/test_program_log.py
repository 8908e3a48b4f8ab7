"""The log of the recorder and the scheduler: the gateway's form, one file, nothing left behind."""

import logging
import os
import re
from pathlib import Path

import pytest

from emg.config.model import ServerConfig
from emg.engine.logfile import LogFile
from emg.engine.logs import Logs
from emg.engine.program_log import ProgramLog
from emg.errors import EmgError
from tests.unit.engine.test_logs import config


def said(settings: ServerConfig, name: str, logger: str) -> str:
    """The one line of this log, without its time and its process."""
    (line,) = (Path(settings.logdir) / name).read_text().splitlines()
    assert re.match(r"\w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} ", line)
    return line.split(" ", 3 if line[4] != " " else 4)[-1].replace(f"[{os.getpid()}]", "[]").replace(logger, "…")


def test_a_line_is_like_the_gateways(tmp_path: Path) -> None:
    settings = config(tmp_path)
    gateway = Logs(settings)
    logging.getLogger("emg.tables").warning("not used: %s", "a\nb")
    gateway.close()
    program = ProgramLog(settings, "scheduler")
    logging.getLogger("emg.scheduler").warning("not used: %s", "a\nb")
    program.close()
    assert said(settings, "scheduler", "scheduler") == said(settings, "general", "tables")


def test_libraries_are_heard_that_are_named_and_nobody_after_the_end(tmp_path: Path) -> None:
    program = ProgramLog(config(tmp_path), "scheduler", ["apscheduler"])
    logging.getLogger("apscheduler.executors").error("broke")
    logging.getLogger("elsewhere").error("nothing of ours")
    program.reopen()
    logging.getLogger("emg.db").info("goes on")
    program.close()
    lines = (tmp_path / "log" / "scheduler").read_text().splitlines()
    assert [line.partition("]: ")[2] for line in lines] == ["ERROR apscheduler.executors: broke", "INFO db: goes on"]
    assert not logging.getLogger("emg").handlers
    assert not logging.getLogger("apscheduler").handlers


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmgError, match=r"LOGDIR .* cannot be used"):
        ProgramLog(config(tmp_path / "file"), "scheduler")


def test_two_programs_that_write_one_file_put_it_aside_once(tmp_path: Path) -> None:
    one, other = (LogFile(tmp_path / "log", 100, 5) for _ in range(2))
    other.write("x" * 90)
    one.write("y" * 90)  # aside: both think that it is full
    other.write("z" * 50)
    assert (tmp_path / "log").read_text().split() == ["y" * 90, "z" * 50]
    assert (tmp_path / "log.1").read_text().split() == ["x" * 90]
    assert not (tmp_path / "log.2").exists()
    one.close()
    other.close()
