"""What `emg ctl status` says of the tables is what the gateway decides by, not what it has just read."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emg import table_feed
from emg.config.load import load_text
from emg.engine.table_files import TableFiles
from emg.engine.tables import Assembled
from emg.rules.snapshot import ROWS, Header, Told, encode
from emg.table_feed import TableFeed

URL = "sqlite:////nowhere/emg.db"


class Reader:
    """Stands for the child process: here the test itself writes the copies and tells of them."""

    failed = ""
    pid = 1
    restarts = 0

    def __init__(self, _database: str, folder: Path, told: Callable[[Told], None]) -> None:
        self.folder, self.told = folder, told
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None: ...

    def look(self, *, anew: bool = False) -> int:
        return 1

    def wait(self, _number: int, _seconds: float, *, failed: bool = False) -> bool:
        self.write(1, *ROWS)
        return True

    def write(self, revision: int, *subjects: str) -> None:
        for subject in subjects:
            header = Header(subject, revision, time.time(), URL, revision)
            (self.folder / f"{subject}.bin").write_bytes(encode(header, []))
        self.told(Told(1, list(subjects)))


class Site:
    """A feed, and the gateway's part: to put together what was read and to swap it."""

    def __init__(self, folder: Path) -> None:
        self.file = load_text(f"DATABASE={URL}\nSPOOLDIR={folder}\n")
        self.seen_at_change: list[dict[str, int]] = []
        self.usable = True
        self.feed = TableFeed(self.file, self.changed)
        self.feed.begin()
        self.feed.note(self.assemble())
        self.feed.ready()

    @property
    def reader(self) -> Any:
        return self.feed._watch

    def assemble(self) -> Assembled:
        return self.feed.tables.assemble(self.file, TableFiles(), self.file)

    def changed(self) -> None:
        self.seen_at_change.append(self.shown("revision"))
        if self.usable:
            self.feed.note(self.assemble())

    def shown(self, field: str) -> dict[str, Any]:
        return {row["subject"]: row[field] for row in self.feed.status()["tables"]}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(table_feed, "ReaderWatch", Reader)
    return Site(tmp_path)


def test_a_change_is_shown_once_it_holds(site: Site) -> None:
    assert site.shown("revision")["route"] == 1
    site.reader.write(2, "route")
    assert [row["route"] for row in site.seen_at_change] == [1]
    assert site.shown("revision") == dict.fromkeys(ROWS, 1) | {"route": 2}


def test_a_change_that_can_not_be_used_is_not_shown(site: Site) -> None:
    site.usable = False
    site.reader.write(2, "route")
    assert (site.shown("revision")["route"], site.shown("rows")["route"]) == (1, 1)


def test_a_copy_that_the_database_confirms_is_as_good_as_read_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(Reader):
        failed = "the database can't be reached"

    monkeypatch.setattr(table_feed, "ReaderWatch", Reader)
    Site(tmp_path)
    monkeypatch.setattr(table_feed, "ReaderWatch", Away)
    monkeypatch.setattr(Away, "wait", lambda *_args, **_how: False)
    site = Site(tmp_path)
    assert set(site.shown("source").values()) == {"last good copy"}
    site.usable = False
    site.reader.write(2, "route")  # can't be used: what is in force is an older copy still
    site.reader.told(Told(1))
    assert site.shown("source") == dict.fromkeys(ROWS, "database") | {"route": "last good copy"}
