"""Logs are read by name, from their end, whatever is in them; and followed over rotations."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emg.config.load import load_text
from emg.errors import ControlError
from watchdog import log_following, log_reading
from watchdog.log_following import Followers, Tail
from watchdog.log_names import Names
from watchdog.log_reading import Threads, last_lines, shown

CONNECTORS = "CONNECTOR one <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nUSERNAME=u\nPASSWORD=p\n>\n"


def names(folder: Path) -> Names:
    return Names(load_text(f"LOGDIR={folder}\n{CONNECTORS}"))


# -- names


def test_the_names_are_those_of_the_table_and_of_connectors_that_have_files(tmp_path: Path) -> None:
    for file in (
        "general", "general.1", "general.2", "recorder", "gateway.out", "gateway.out.1", "supervisord.log", "connector.one", "pdu.one",
        "connector.of-the-database", "connector.of-the-database.1", "connector.v1.5", "secrets", "general.1.gz", ".hidden", "connector..",
    ):  # fmt: skip
        (tmp_path / file).write_text("x\n")
    (tmp_path / "dump").mkdir()
    (tmp_path / "pdu.linked").symlink_to("/etc/passwd")
    listed = {row["name"]: row["older_files"] for row in names(tmp_path).listed()}
    assert listed == {
        "general": 2, "recorder": 0, "gateway.out": 1, "supervisord": 0, "connector.of-the-database": 1, "connector.one": 0,
        "connector.v1.5": 0, "pdu.one": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["secrets", "..", ".", "", "/etc/passwd", "../x", "general.1", "general/", "general\0", "GENERAL", "connector.", "connector.../x", "pdu.a/b",
     "pdu.linked", "dump", "connector.nobody", "connector.one.1", "connector.one\n", "supervisord.log", "pdu.ö"],
)  # fmt: skip
def test_nothing_else_is_a_log(tmp_path: Path, name: str) -> None:
    for file in ("secrets", "general", "general.1", "connector.one", "connector.one.1", "supervisord.log"):
        (tmp_path / file).write_text("x\n")
    (tmp_path / "pdu.linked").symlink_to("/etc/passwd")
    assert names(tmp_path).path(name) is None


def test_a_log_need_not_have_a_file_yet(tmp_path: Path) -> None:
    known = names(tmp_path / "none")
    assert known.listed() == []
    for name in ("general", "watchdog", "watchdog.out", "connector.one", "pdu.one"):
        path = known.path(name)
        assert path is not None
        assert last_lines(path, 10).lines == []


# -- lines


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=60),
    ends=st.booleans(),
    split=st.lists(st.integers(0, 60), max_size=2),
    count=st.integers(1, 70),
    block=st.integers(1, 200),
)
@settings(max_examples=150, deadline=None)
def test_the_last_lines_are_those_of_the_whole_log_however_it_is_split(
    tmp_path_factory, lines: list[bytes], ends: bool, split: list[int], count: int, block: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    cuts = sorted({0, *(cut for cut in split if 0 < cut < len(lines)), len(lines)})
    files = [lines[start:end] for start, end in itertools.pairwise(cuts)] or [[]]
    for number, part in enumerate(reversed(files)):
        whole = number > 0 or ends
        octets = b"\n".join(part) + (b"\n" if part and whole else b"")
        (folder / (f"log.{number}" if number else "log")).write_bytes(octets)
    if lines and not ends and not lines[-1]:
        lines = lines[:-1]  # an empty line that has no end yet is none
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_reading, "BLOCK", block)
        found = last_lines(folder / "log", count)
        searched = last_lines(folder / "log", count, "A")
    assert found.lines == [shown(line) for line in lines][-count:]
    assert found.whole == (len(lines) <= count)
    hits = [shown(line) for line in lines if b"a" in line.lower()]
    assert searched.lines == hits[-count:]


def test_a_search_is_plain_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a.c\nabc\nA.C (x)*\nGrüße\n")
    assert last_lines(log, 10, "A.c").lines == ["a.c", "A.C (x)*"]
    assert last_lines(log, 10, "(x)*").lines == ["A.C (x)*"]
    assert last_lines(log, 10, "Grüße").lines == ["Grüße"]
    assert last_lines(log, 10, "\udcff").lines == []
    assert last_lines(log, 0).lines == []


def test_octets_that_are_no_text_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe \x1b[31mred\x00\r\nplain \xc3\xa4\n")
    assert last_lines(log, 10).lines == ["\\xff\\xfe \\x1b[31mred\\x00", "plain ä"]


def test_a_line_without_an_end_costs_no_more_than_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.write(b"before\n")
        file.seek(300 << 20, os.SEEK_CUR)
        file.write(b"\nafter\n")
    found = last_lines(log, 10)
    assert [line[:6] for line in found.lines] == ["before", "\\x00\\x", "after"]
    assert found.lines[1].endswith("(cut)")
    assert found.scanned > 300 << 20


def test_a_search_ends_at_its_bounds(tmp_path: Path, monkeypatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"needle\n" + b"hay\n" * 200_000)
    monkeypatch.setattr(log_reading, "SCAN_OCTETS", 500_000)
    found = last_lines(log, 10, "needle")
    assert (found.lines, found.whole) == ([], False)
    assert found.scanned <= 500_000
    monkeypatch.setattr(log_reading, "SCAN_OCTETS", 1 << 30)
    assert last_lines(log, 10, "needle").lines == ["needle"]
    monkeypatch.setattr(log_reading, "SCAN_SECONDS", -1.0)
    assert last_lines(log, 10, "needle").whole is False


def test_an_answer_has_a_bound(tmp_path: Path, monkeypatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"0123456789\n" * 100)
    monkeypatch.setattr(log_reading, "LONGEST_ANSWER", 55)
    found = last_lines(log, 100)
    assert (len(found.lines), found.whole) == (5, False)


def test_a_file_that_is_put_aside_meanwhile_is_not_read_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\n")
    os.link(log, tmp_path / "log.1")
    (tmp_path / "log.2").write_text("zero\n")
    assert last_lines(log, 10).lines == ["zero", "one"]


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    threads = Threads()
    for name in ("linked", "pipe"):
        path = tmp_path / name
        with pytest.raises(ControlError, match="can't be read") as caught:
            threads.run(lambda path=path: last_lines(path, 10))
        assert caught.value.status == 503


# -- following


def rows(tail: Tail) -> list[str]:
    """All that is there now."""
    told = []
    while True:
        new, more = tail.step()
        told += [next(iter(row.values())) for row in new]
        if not new and not more:
            return told


def test_what_comes_is_told_line_by_line_over_rotations(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("one\ntwo\nthr")
    tail = Tail(log, 1, "")
    assert rows(tail) == ["two", "thr"][:1]
    with log.open("a") as file:
        file.write("ee\nfour\n")
        file.flush()
        assert rows(tail) == ["three", "four"]
        log.rename(tmp_path / "log.1")
        assert rows(tail) == []
        file.write("the last\nhalf")
    log.write_text("a new one\n")
    assert rows(tail) == ["the last", "half", "a new file was begun", "a new one"]
    log.write_text("")
    assert rows(tail) == ["the file was emptied"]
    tail.close()
    assert rows(tail) == []


def test_a_log_that_does_not_exist_is_waited_for(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "log", 10, "b")
    assert rows(tail) == []
    (tmp_path / "log").write_text("abc\nacd\nB\n")
    assert rows(tail) == ["abc", "B"]
    tail.close()


def test_who_is_far_behind_is_told_what_he_misses(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(log_following, "FAR_BEHIND", 1000)
    monkeypatch.setattr(log_following, "CATCH_UP", 100)
    log = tmp_path / "log"
    log.write_text("")
    tail = Tail(log, 10, "")
    assert rows(tail) == []
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    told = rows(tail)
    assert "octets were left out" in told[0]
    assert told[-1] == "line 999"
    assert 5 < len(told) < 20
    tail.close()


def test_there_are_so_many_followers_and_no_more(tmp_path: Path) -> None:
    followers = Followers(Threads())
    held = [followers.follow(tmp_path / "log", 0, "", 1.0) for _ in range(log_following.FOLLOWERS)]
    with pytest.raises(ControlError) as caught:
        followers.follow(tmp_path / "log", 0, "", 1.0)
    assert caught.value.status == 429
    held[0].close()
    held[0].close()
    assert followers.count == log_following.FOLLOWERS - 1
    held[0] = followers.follow(tmp_path / "log", 0, "", 1.0)
    for follower in held:
        follower.close()
    assert followers.count == 0
