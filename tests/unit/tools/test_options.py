"""The formats of the command line, and how the tools end."""

import argparse
import itertools

import pytest

from emg.errors import EmgError
from emg.tools import load, options, pdu, send, sink


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (options.address, "127.0.0.1:2775", ("127.0.0.1", 2775)),
        (options.address, "[::1]:0", ("::1", 0)),
        (options.span, "5", (5.0, 5.0)),
        (options.span, "5-20", (5.0, 20.0)),
        (options.chance, "0.05", 0.05),
        (options.chance, "5%", 0.05),
        (options.seconds, "90", 90.0),
        (options.seconds, "5m", 300.0),
        (options.seconds, "2h", 7200.0),
        (options.version, "50", 0x50),
        (options.version, "3.4", 0x34),
        (options.rate, "8000", 8000.0),
        (options.whole(1, 10), "0x0A", 10),
        (options.numbers, "4670:7", options.Numbers("4670", 7)),
        (options.numbers, "4670:7:seq", options.Numbers("4670", 7, sequential=True)),
        (options.numbers, "EMG", options.Numbers("EMG")),
        (options.weights(("A", "B")), "a=95,B=5", {"A": 95.0, "B": 5.0}),
        (options.weights(("A", "B")), "B", {"B": 1.0}),
    ],
)
def test_values_are_read(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (options.address, "127.0.0.1"),
        (options.address, ":2775"),
        (options.address, "host:70000"),
        (options.address, "host:smpp"),
        (options.span, "20-5"),
        (options.span, "-5"),
        (options.span, "nan"),
        (options.chance, "1.1"),
        (options.chance, "nan"),
        (options.chance, "often"),
        (options.seconds, "-1"),
        (options.seconds, "5d"),
        (options.seconds, "inf"),
        (options.version, "35"),
        (options.rate, "-1"),
        (options.rate, "nan"),
        (options.whole(1, 10), "11"),
        (options.whole(1, 10), "x"),
        (options.numbers, "4670:x"),
        (options.numbers, "4670:7:down"),
        (options.numbers, "4670:17"),
        (options.weights(("A", "B")), "C=1"),
        (options.weights(("A", "B")), "A=0"),
        (options.weights(("A", "B")), "A=-1,B=3"),
        (options.weights(("A", "B")), "A=nan"),
    ],
)
def test_wrong_values_are_refused(read, text):
    with pytest.raises(argparse.ArgumentTypeError):
        read(text)


def test_an_address_is_shown_as_it_is_read():
    for text in ("127.0.0.1:2775", "[::1]:2775"):
        assert options.show_address(*options.address(text)) == text


def test_numbers_count_or_are_drawn():
    assert list(itertools.islice(options.Numbers("46", 1, sequential=True).each(), 12)) == [
        *(f"46{digit}" for digit in range(10)), "460", "461",
    ]  # fmt: skip
    drawn = list(itertools.islice(options.Numbers("46", 6).each(), 50))
    assert all(len(number) == 8 and number.startswith("46") and number.isdigit() for number in drawn)
    assert len(set(drawn)) > 40
    assert next(options.Numbers("EMG").each()) == "EMG"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (options.BadArgument("x"), 5),
        (options.LoginRefused("x"), 3),
        (EmgError("x"), 1),
        (OSError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code_and_one_line(error, code, capsys):
    def body():
        raise error

    assert options.end("emg test", body) == code
    assert capsys.readouterr().err == "emg test: x\n"


@pytest.mark.parametrize("main", [load.main, send.main, sink.main, pdu.main])
def test_an_unknown_option_is_a_bad_argument_of_every_tool(main, capsys):
    assert main(["--no-such-option", "1", "2"]) == 5
    assert "--no-such-option" in capsys.readouterr().err


@pytest.mark.parametrize("main", [load.main, send.main, sink.main, pdu.main])
def test_every_tool_explains_itself(main, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "usage: emg " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (sink.main, ["--error-rate", "0.1:RNOSUCH"], "RNOSUCH"),
        (sink.main, ["--report-format", "dec:oct"], "'dec:oct' is none of"),
        (sink.main, ["--report-states", "LOST=1"], "LOST"),
        (sink.main, ["--tls-key", "x"], "need --tls-cert"),
        (sink.main, ["--tls-cert", "/does/not/exist"], "TLS"),
        (load.main, ["--size", "10", "--long", "3"], "exclude each other"),
        (load.main, ["--text", "\U0001f600", "--size", "60000"], "does not fit"),
        (load.main, ["--sessions", "0"], "between 1 and"),
        (load.main, ["--tls", "--tls-ca", "/does/not/exist"], "TLS"),
        (send.main, ["-c", "/does/not/exist", "467", "x"], "/does/not/exist"),
    ],
)
def test_a_bad_argument_is_named(main, arguments, said, capsys):
    assert main(arguments) in (1, 5)
    assert said in capsys.readouterr().err


def test_the_password_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv(options.PASSWORD_VARIABLE, "secret")
    assert options.password(None) == "secret"
    assert options.password("given") == "given"
    assert options.password("") == ""
