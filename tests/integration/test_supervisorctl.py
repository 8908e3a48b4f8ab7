"""`supervisorctl` from the shell, as docs/supervisorctl.md shows it: the document's transcript is played, command by command."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import _make_tables
from tests.gateways import eventually, incoming, user
from tests.stacks import Stack

DOCUMENT = Path(__file__).parents[2] / "docs" / "supervisorctl.md"
SECONDS = 40.0
CHANGING = (
    (re.compile(r"[A-Z][a-z]{2} \d\d \d\d:\d\d [AP]M"), "MINUTE"),
    (re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{6}"), "MOMENT"),
    (re.compile(r"uptime \d+:\d\d:\d\d"), "uptime TIME"),
    (re.compile(r"\bpid \d+"), "pid NUMBER"),
    (re.compile(r"^\d+$", re.MULTILINE), "NUMBER"),
    (re.compile(r"emg\[\d+\]"), "emg[NUMBER]"),
)
"""What is another each time, and what stands for it."""

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    url = f"sqlite:///{tmp_path / 'emg.db'}"
    _make_tables(url)
    with Stack(tmp_path, f"DATABASE={url}\n" + incoming() + incoming("partners") + user()) as running:
        yield running


def transcript() -> list[tuple[list[str], str]]:
    """The document's commands, each with what it prints."""
    [text] = re.findall(r"```\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    played = []
    for part in text.split("$ supervisorctl ")[1:]:
        command, _, printed = part.partition("\n")
        played.append((shlex.split(command), printed))
    return played


def supervisorctl(stack: Stack, *words: str) -> str:
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(stack.conf), *words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False
    )  # fmt: skip
    return done.stdout


def steady(text: str) -> str:
    """Without what is another each time."""
    for pattern, instead in CHANGING:
        text = pattern.sub(instead, text)
    return text


def same(printed: str, wanted: str) -> bool:
    pattern = "(?:.*\n)*".join(re.escape(part) for part in steady(wanted).split("…\n"))
    return re.fullmatch(pattern, steady(printed)) is not None


def in_order(text: str) -> str:
    """Its lines sorted: what all are told at once they do in any order."""
    return "".join(sorted(text.splitlines(keepends=True)))


@pytest.mark.timeout(120)
def test_the_transcript_of_the_document_is_true(stack: Stack) -> None:
    for words, wanted in transcript():
        if words[0] == "tail" and words[1] == "gateway":
            eventually(stack.well, 20)
        printed = supervisorctl(stack, *words)
        told, expected = (printed, wanted) if words != ["stop", "all"] else map(in_order, (printed, wanted))
        assert same(told, expected), f"supervisorctl {shlex.join(words)}\n{printed}"
    eventually(stack.well, 20)


def test_tail_follows_what_a_program_prints(stack: Stack) -> None:
    following = subprocess.Popen(
        [sys.executable, "-u", "-m", "supervisor.supervisorctl", "-c", str(stack.conf), "tail", "-f", "gateway"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert following.stdout is not None
        assert following.stdout.readline().startswith("==> Press Ctrl-C to exit <==")
        before = stack.pid("gateway")
        supervisorctl(stack, "restart", "gateway")
        wanted = f"emg[{stack.pid('gateway')}]: INFO emg: gateway emgtest is up"
        assert stack.pid("gateway") != before
        assert any(wanted in line for line in following.stdout), "the lines of the new process come by themselves"
    finally:
        following.kill()
        following.communicate()
