"""The ends of log files."""

from pathlib import Path

from portal import tail


def test_the_newest_first_from_two_files_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "log"
    assert tail.read(file, most=5).fault == "Nothing has been written to it yet."
    (tmp_path / "log.1").write_text("one\ntwo\n    more of two\n")
    file.write_text("Three\nfour\n")
    found = tail.read(file, most=9)
    assert found.entries == ["four", "Three", "two\n    more of two", "one"]
    assert not found.more
    assert tail.read(file, most=2).entries == ["four", "Three"]
    assert tail.read(file, most=2).more
    assert tail.read(file, most=9, text="THREE").entries == ["Three"]


def test_a_large_file_costs_a_bounded_read(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"".join(b"line %d \xff\n" % number for number in range(50_000)))
    found = tail.read(file, most=10_000, octets=1000)
    assert found.read == 1000
    assert found.more
    assert found.entries[0] == "line 49999 \ufffd"
    assert all(entry.startswith("line ") for entry in found.entries)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    assert "can't be read" in tail.read(tmp_path / "log", most=5).fault
