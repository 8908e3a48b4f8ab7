"""`emg ctl` against a real control socket: what it prints, what it asks, how it ends."""

import dataclasses
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from emg.control import ctl
from emg.control.client import Client, Unreachable
from tests.engines import SmallGateway, short


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[SmallGateway]:
    running = SmallGateway(tmp_path)
    yield running
    running.close()


LOOKING = (
    ["status"], ["health"], ["connectors"], ["connectors", "one"], ["sessions"], ["accounts"], ["accounts", "acme"], ["queues"], ["queues", "one"], ["orphans"],
    ["explain", "46701234567", "--connector", "customers"], ["metrics"],
)  # fmt: skip


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_looking_prints_something_for_people(gateway: SmallGateway, capsys, arguments: list[str]) -> None:
    gateway.small.submit(2)
    assert gateway.ctl(*arguments) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("arguments", LOOKING[:-1], ids=" ".join)
def test_looking_prints_json_for_programs(gateway: SmallGateway, capsys, arguments: list[str]) -> None:
    assert gateway.ctl("--json", *arguments) == 0
    before = json.loads(capsys.readouterr().out)
    assert gateway.ctl(*arguments, "--json") == 0
    assert json.loads(capsys.readouterr().out).keys() == before.keys()


def test_every_command_has_help_and_an_example_here() -> None:
    for name, row in ctl.COMMANDS.items():
        assert row.help, name
    seen = (
        {arguments[0] for arguments in LOOKING}
        | set(CHANGING)
        | {"message", "send", "cancel", "report", "clear", "move"}
    )
    assert seen == set(ctl.COMMANDS)


def test_a_message_is_sent_once_under_its_key(gateway: SmallGateway, capsys) -> None:
    gateway.engine.users["acme"] = dataclasses.replace(gateway.engine.users["acme"], route="one")
    command = ["send", "acme", "+46701234567", "x" * 200, "--source", "EMG", "--validity", "600", "--key", "1"]
    assert gateway.ctl(*command) == 0
    first = capsys.readouterr().out
    assert re.fullmatch(r"message \d+, 2 parts\n", first)
    assert gateway.ctl(*command) == 0
    assert capsys.readouterr().out == f"it was sent before: {first}"
    assert gateway.ctl("send", "nobody", "46701234567", "hello") == 1
    assert "there is no account nobody" in capsys.readouterr().err


CHANGING = {
    "hold": (["one"], "queue one is on hold with 0 messages"),
    "release": (["one"], "queue one is released"),
    "start": (["customers"], "connector customers is started"),
    "stop": (["customers"], "connector customers is"),
    "reload": ([], "one"),
    "shutdown": (["--yes"], "the gateway stops"),
    "close": (["customers#9"], "no session"),
}


@pytest.mark.parametrize("command", CHANGING)
def test_changing_says_what_was_done(gateway: SmallGateway, capsys, command: str) -> None:
    arguments, words = CHANGING[command]
    code = gateway.ctl(command, *arguments)
    said = capsys.readouterr()
    assert words in said.out + said.err
    assert code == (1 if command == "close" else 0)


def test_clear_asks_and_names_the_number(gateway: SmallGateway, capsys, monkeypatch) -> None:
    gateway.small.submit(1200, lambda number: short(f"4670{number:07d}"))

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert gateway.ctl("clear", "one") == 1
    said = capsys.readouterr()
    assert "Delete 1,200 messages of queue one?" in said.out
    assert "nothing was done" in said.err
    assert gateway.small.count("one") == 1200
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert gateway.ctl("clear", "one", "--prefix", "+46700000") == 0
    assert "1,000 messages of queue one deleted" in capsys.readouterr().out
    assert gateway.small.count("one") == 200


def test_without_a_terminal_it_needs_yes(gateway: SmallGateway, capsys, monkeypatch) -> None:
    gateway.small.submit(3)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert gateway.ctl("move", "one", "two") == 1
    assert "Move 3 messages of queue one to two? Say --yes" in capsys.readouterr().err
    assert gateway.ctl("move", "one", "two", "--dry-run") == 0
    assert "3 messages of queue one would be moved to two" in capsys.readouterr().out
    assert gateway.ctl("move", "one", "two", "--yes") == 0
    assert gateway.small.count("two") == 3


def test_a_message_its_story_its_end(gateway: SmallGateway, capsys) -> None:
    (number,) = gateway.small.submit(1)
    assert gateway.ctl("message", str(number)) == 0
    assert "accepted" in capsys.readouterr().out
    assert gateway.ctl("report", str(number), "delivered") == 1
    assert "cancel it instead" in capsys.readouterr().err
    assert gateway.ctl("cancel", str(number)) == 0
    assert gateway.ctl("message", "424242") == 1


def test_a_report_by_our_id_and_by_the_providers(gateway: SmallGateway, capsys) -> None:
    first, second = gateway.small.submit(2)
    gateway.small.carrier("one")
    with gevent.Timeout(10):
        while gateway.small.lanes.get("one").size:
            gevent.sleep(0.001)
    assert gateway.ctl("report", str(first), "failed", "--error", "042") == 0
    assert f"message {first} is failed now" in capsys.readouterr().out
    assert gateway.ctl("report", "delivered", "--provider", "one", "--remote-id", f"r{second}") == 0
    assert f"message {second} is delivered now" in capsys.readouterr().out


def test_exit_codes(gateway: SmallGateway, tmp_path: Path, capsys) -> None:
    assert ctl.main(["-s", str(tmp_path / "nothing.sock"), "status"]) == 4
    assert "not running" in capsys.readouterr().err
    assert ctl.main(["-c", str(tmp_path / "nothing.cfg"), "status"]) == 1
    assert ctl.main(["-s", gateway.config.control, "eat"]) == 5
    assert ctl.main(["-s", gateway.config.control, "report", "delivered"]) == 5
    assert gateway.ctl("queues", "nine") == 1
    assert "there is no queue nine" in capsys.readouterr().err
    gateway.lag = 60.0
    assert gateway.ctl("health") == 1
    assert "late" in capsys.readouterr().out


def test_the_socket_is_found_by_the_configuration(gateway: SmallGateway, tmp_path: Path, capsys) -> None:
    from tests.engines import config_text

    (tmp_path / "server.cfg").write_text(config_text(tmp_path))
    code = gevent.get_hub().threadpool.apply(ctl.main, (["-c", str(tmp_path / "server.cfg"), "health"],))
    assert code == 0
    assert "works" in capsys.readouterr().out


def test_a_gateway_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen(1)
        with pytest.raises(Unreachable, match=r"did not answer within 0.05 s"):
            Client(str(tmp_path / "mute.sock"), 0.05).get("/status")


def test_explain_tells_the_price(gateway: SmallGateway, capsys) -> None:
    from emg.rules.prices import PriceTable

    gateway.engine.charging.prices = PriceTable.parse("prefix,price,cost,currency\n46,0.05,0.0375,EUR\n4,0.01,,EUR\n")
    assert gateway.ctl("explain", "4670123", "--account", "acme", "--connector", "customers") == 0
    out = capsys.readouterr().out
    assert "a part of it costs 0.05 EUR, us 0.0375 (row 2)" in out
    assert "prefix '4' is shorter than '46' (row 2)" in out
