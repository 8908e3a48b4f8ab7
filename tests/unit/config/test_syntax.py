"""The syntax: what each kind of line means, and that all faults are found with their lines."""

import posixpath
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emg.config.effective import quoted
from emg.config.faults import Findings, Unreadable
from emg.config.syntax import Document, parse


class Texts:
    """Included files from a dictionary."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def path(self, name: str, including: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(including), name))

    def read(self, path: str) -> str:
        if path not in self.texts:
            raise Unreadable("no such file")
        return self.texts[path]


def read(text: str, environ: Mapping[str, str] | None = None, **files: str) -> tuple[Document, list[str]]:
    findings = Findings()
    texts = {name.replace("_", "/") + ".cfg": content for name, content in files.items()}
    document = parse(text, "main.cfg", environ or {}, Texts(texts), findings)
    return document, [str(fault) for fault in findings.faults]


def value(written: str, environ: Mapping[str, str] | None = None) -> str | None:
    document, faults = read(f"KEY={written}", environ)
    assert faults == []
    return document.settings[0].value


def fault(text: str, environ: Mapping[str, str] | None = None) -> str:
    _, faults = read(text, environ)
    assert len(faults) == 1
    return faults[0]


def test_settings_flags_and_sections_carry_file_and_line() -> None:
    document, faults = read(
        "\ufeff# comment\r\nNODEID = 1\r\n\n  logyear\nCONNECTOR a <\n  TYPE=INCOMING\nSTATIC\n>\nUSER b<\n>\n"
    )
    assert faults == []
    assert [(s.name, s.value, s.line) for s in document.settings] == [("NODEID", "1", 2), ("LOGYEAR", None, 4)]
    first, second = document.sections
    assert (first.type, first.name, first.file, first.line) == ("CONNECTOR", "a", "main.cfg", 5)
    assert [(s.name, s.value, s.line) for s in first.settings] == [("TYPE", "INCOMING", 6), ("STATIC", None, 7)]
    assert (second.type, second.name, second.settings) == ("USER", "b", [])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a b", "a b"),
        ("", ""),
        ("a#b", "a#b"),
        ("#b", "#b"),
        ("a=b <", "a=b <"),
        ('"a #b "', "a #b "),
        ('"a" # comment', "a"),
        (r'"a\"b\\c\d"', r'a"b\c\d'),
        ("'${X} \\ \"'", '${X} \\ "'),
        ("a'b\"c", "a'b\"c"),
        ("C:\\dir", "C:\\dir"),
    ],
)
def test_values(written: str, expected: str) -> None:
    assert value(written) == expected


def test_variables_are_replaced_and_what_they_hold_is_not_read_again() -> None:
    environ = {"NAME": 'x # "${OTHER}\\', "B": "2"}
    assert value("a${NAME}b${B}", environ) == 'ax # "${OTHER}\\b2'
    assert value('"a${NAME}\\\\"', environ) == 'ax # "${OTHER}\\\\'
    assert value("$${NAME}$", environ) == "${NAME}$"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("KEY=a # b", "comment"),
        ("KEY= # b", "comment"),
        ('KEY="a', "must end with it"),
        ("KEY='a' b", "must end with it"),
        ("KEY=${A", "not followed by"),
        ("KEY=${}", "not followed by"),
        ("KEY=${MISSING}", "MISSING is not set"),
        ("KEY=${LINES}", "LINES holds control characters"),
        ("two words", "neither"),
        ("9=1", "not a keyword"),
        ("=1", "not a keyword"),
        ("KEY=a\x00b", "control characters"),
        (">", "none is open"),
        ("CONNECTOR <\n>", "TYPE name <"),
        ("CONNECTOR a b <\n>", "TYPE name <"),
        ("CONNECTOR -a <\n>", "TYPE name <"),
        ("CONNECTOR a <", "not closed"),
        ("INCLUDE", "needs the name"),
        ("INCLUDE=nowhere.cfg", "no such file"),
        ("CONNECTOR a <\nINCLUDE=x.cfg\n>", "top level"),
    ],
)
def test_faults_say_what_is_wrong(text: str, reason: str) -> None:
    assert reason in fault(text, {"LINES": "a\nb"})


def test_all_faults_are_found_each_at_its_line() -> None:
    _, faults = read("one two\nCONNECTOR a <\nKEY=${NO}\nUSER b <\n>\n>\n")
    assert [text.split(":")[1] for text in faults] == ["1", "3", "2", "6"]


def test_a_section_that_is_not_closed_ends_where_the_next_begins() -> None:
    document, faults = read("CONNECTOR a <\nX=1\nUSER b <\nY=2\n>")
    assert len(faults) == 1
    assert [(section.name, len(section.settings)) for section in document.sections] == [("a", 1), ("b", 1)]


def test_includes_are_relative_to_the_including_file() -> None:
    document, faults = read("INCLUDE=sub/a.cfg\nLAST=1", sub_a="INCLUDE=b.cfg\nIN_A=1", sub_b="IN_B=1")
    assert faults == []
    assert [(s.name, s.file) for s in document.settings] == [
        ("IN_B", "sub/b.cfg"), ("IN_A", "sub/a.cfg"), ("LAST", "main.cfg"),
    ]  # fmt: skip
    assert document.files == ["main.cfg", "sub/a.cfg", "sub/b.cfg"]


def test_a_file_that_includes_itself_is_a_fault() -> None:
    _, faults = read("INCLUDE=a.cfg", a="INCLUDE=b.cfg", b="INCLUDE=./a.cfg\nINCLUDE=main.cfg")
    assert faults == [
        "b.cfg:1: INCLUDE=./a.cfg: this file includes itself",
        "b.cfg:2: INCLUDE=main.cfg: this file includes itself",
    ]


def test_a_file_that_is_included_twice_is_a_fault() -> None:
    _, faults = read("INCLUDE=a.cfg\nINCLUDE=a.cfg", a="X=1")
    assert faults == ["main.cfg:2: INCLUDE=a.cfg: this file was included before"]


def test_includes_are_bounded_in_depth() -> None:
    files = {f"f{number}.cfg": f"INCLUDE=f{number + 1}.cfg" for number in range(2000)}
    findings = Findings()
    document = parse("INCLUDE=f0.cfg", "main.cfg", {}, Texts(files), findings)
    assert len(document.files) < 30
    assert "within each other" in str(findings.faults[0])


def test_faults_hold_neither_values_nor_what_variables_hold() -> None:
    secret = "hunter2"
    text = f'PASSWORD="{secret}\nPASSWORD={secret} # x\nPASSWORD {secret} x\nA=${{V}}${{W}}\nINCLUDE=${{V}}'
    _, faults = read(text, {"V": secret})
    assert len(faults) == 5
    assert not any(secret in line for line in faults)


def test_settings_do_not_show_their_values_in_tracebacks() -> None:
    document, _ = read("PASSWORD=hunter2")
    assert "hunter2" not in repr(document)


@given(st.text())
@example("CONNECTOR a <\n" * 3)
@example("a" + " " * 5000 + "<")
@example('K="' + "\\" * 999)
def test_no_text_breaks_the_parser(text: str) -> None:
    read(text, {"A": "1"})


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
@example("a # b")
@example('"')
@example("${A}")
@example(" \\ ")
def test_every_value_can_be_written_so_that_it_is_read_again(text: str) -> None:
    assert value(quoted(text)) == text


def test_long_lines_do_not_make_the_parser_search_for_ever() -> None:
    """Anything worse than linear would not come back before the time limit of a test."""
    for line in ("a" + " " * 100_000 + "<", "K=" + "${" * 50_000, 'K="' + "\\a" * 50_000, "K=" + " #" * 50_000):
        read(line)
