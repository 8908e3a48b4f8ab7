"""Opening a spool: one owner, the right version, damage set aside and never deleted, ids that are given once."""

import os
import shutil
import sqlite3
import time

import pytest

from emg.errors import SpoolError
from emg.spool import opening, schema
from emg.spool.schema import DEFERRED, SPILLED
from tests.unit.spool.spools import Folder, commit, keep, message, ticket

ROWS = 1500


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "spool")
    yield made
    made.close()


def end(folder):
    """Close the newest spool in good order."""
    folder.spools.pop().close()


def execute(folder, sql):
    with sqlite3.connect(folder.path / "spool.db") as db:
        db.execute(sql)
    db.close()


def aside(folder):
    return sorted(each.name for each in folder.path.glob("spool-damaged-*.db"))


def test_only_one_gateway_may_have_it(folder):
    folder.open()
    with pytest.raises(SpoolError, match="in use by another gateway"):
        folder.open()


def test_others_cannot_read_it(folder):
    spool, _ = folder.open()
    keep(spool, message(1))
    assert {each.stat().st_mode & 0o007 for each in folder.path.iterdir()} == {0}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be made"):
        Folder(tmp_path / "file" / "spool").open()


def test_a_newer_version_is_refused_and_left_alone(folder):
    folder.open()
    end(folder)
    execute(folder, "PRAGMA user_version = 99")
    before = (folder.path / "spool.db").read_bytes()
    with pytest.raises(SpoolError, match="version 99, this program knows versions up to"):
        folder.open()
    assert (folder.path / "spool.db").read_bytes() == before
    assert not aside(folder)


def test_an_older_version_is_upgraded_step_by_step(folder, monkeypatch):
    spool, _ = folder.open()
    keep(spool, message(1))
    end(folder)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
    monkeypatch.setattr(
        schema,
        "UPGRADES",
        {
            schema.VERSION - 2: ("CREATE TABLE later (x INTEGER)", "INSERT INTO later VALUES (1)"),
            schema.VERSION - 1: ("UPDATE later SET x = x + 1",),
        },
    )
    spool, recovered = folder.open()
    assert [each.id for each in recovered.resident] == [1]
    assert spool.ask(lambda db: db.execute("SELECT x FROM later").fetchall()) == [(2,)]


def test_an_upgrade_that_fails_changes_nothing(folder, monkeypatch):
    folder.open()
    end(folder)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(schema, "UPGRADES", {schema.VERSION - 1: ("CREATE TABLE later (x)", "NONSENSE")})
    with pytest.raises(SpoolError, match="cannot be upgraded"):
        folder.open()
    with sqlite3.connect(folder.path / "spool.db") as db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION - 1,)
    db.close()


def test_a_version_without_a_way_up_is_refused(folder, monkeypatch):
    folder.open()
    end(folder)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(SpoolError, match="cannot be upgraded"):
        folder.open()


def test_ids_are_given_once_whatever_dies(folder):
    seen = set()
    for _ in range(4):
        spool, _ = folder.open()
        numbers = [spool.next_id() for _ in range(100)]
        assert not seen.intersection(numbers)
        assert all(number // 10**15 == 1 for number in numbers)
        seen.update(numbers)
        folder.crash()


def test_ids_are_given_once_though_an_older_copy_is_put_back(folder, tmp_path, monkeypatch):
    """Or a new spool takes the place of one that was lost."""
    spool, _ = folder.open()
    folder.crash()
    old = folder.path
    numbers = {spool.next_id() for _ in range(1000)}
    later = time.time() + 1
    monkeypatch.setattr(opening.time, "time", lambda: later)
    folder.path = tmp_path / "new"
    assert folder.open()[0].next_id() > max(numbers)
    folder.path = old
    assert folder.open()[0].next_id() > max(numbers)


def test_a_clock_that_is_out_of_its_mind_makes_no_ids_of_another_node(folder, monkeypatch):
    monkeypatch.setattr(opening.time, "time", lambda: 4e11)
    assert folder.open()[0].next_id() == 10**15 + 1


def test_ids_go_on_beyond_a_block(folder):
    spool, _ = folder.open()
    numbers = []
    for _ in range(5):
        numbers += [spool.next_id() for _ in range(40_000)]
        commit(spool)
    assert len(set(numbers)) == len(numbers)
    folder.crash()
    assert folder.open()[0].next_id() > numbers[-1]


def test_ids_are_there_before_the_first_commit(folder):
    """What is recovered may have to be failed, and its report needs an id."""
    folder.open()[0].next_id()


def filled(folder):
    """A spool with a message of each place, reports, marks; closed in good order, so that all of it stands in its tables."""
    spool, _ = folder.open()
    keep(spool, *(message(number) for number in range(1, ROWS)))
    keep(spool, *(message(number, queue="other") for number in range(ROWS, 2 * ROWS)), place=SPILLED)
    keep(spool, *(message(number, due=9e9) for number in range(2 * ROWS, 3 * ROWS)), place=DEFERRED)
    for number in range(100):
        spool.open_report(ticket(10_000 + number))
        spool.event(number, b"\x90" * 50)
    commit(spool)
    end(folder)
    return folder.path / "spool.db"


def rows(recovered):
    return (
        len(recovered.resident)
        + sum(each[2] for each in recovered.spilled)
        + sum(each[1] for each in recovered.deferred)
    )


def test_a_sound_spool_stays_where_it_is(folder):
    filled(folder)
    _, recovered = folder.open()
    assert (rows(recovered), recovered.damaged, recovered.open_reports) == (3 * ROWS - 1, "", 100)


@pytest.mark.parametrize("orderly", [True, False])
def test_bytes_overwritten_in_the_middle(folder, orderly):
    """As many messages as can still be read go on; the rest stays in the file that was set aside."""
    path = filled(folder)
    if not orderly:
        execute(folder, "UPDATE setting SET value = 0 WHERE name = 'clean'")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(os.urandom(3 * 4096))
    spool, recovered = folder.open()
    if not recovered.damaged:
        assert orderly, "the check after a crash saw nothing"
        return  # not one of its pages was read at the start
    assert 0 < rows(recovered) < 3 * ROWS
    assert recovered.salvaged > ROWS
    (kept,) = aside(folder)
    assert (folder.path / kept).stat().st_size == size
    assert recovered.damaged.endswith(kept)
    keep(spool, message(spool.next_id()))


def test_a_truncated_file(folder):
    path = filled(folder)
    execute(folder, "UPDATE setting SET value = 0 WHERE name = 'clean'")
    os.truncate(path, path.stat().st_size // 2)
    spool, recovered = folder.open()
    assert recovered.damaged
    assert aside(folder)
    assert spool.next_id() > 10**15 + 3 * ROWS, "ids must not be given twice"
    keep(spool, message(spool.next_id()))


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 8176])
def test_no_database_at_all(folder, content):
    folder.path.mkdir()
    (folder.path / "spool.db").write_bytes(content)
    spool, recovered = folder.open()
    assert recovered.damaged
    assert [(folder.path / name).read_bytes() for name in aside(folder)] == [content]
    keep(spool, message(spool.next_id()))


@pytest.mark.parametrize("place", [0, SPILLED])
def test_a_message_that_cannot_be_read(folder, place):
    spool, _ = folder.open()
    keep(spool, message(1), message(2), message(3), place=place)
    end(folder)
    execute(folder, "UPDATE message SET body = X'c1c1' WHERE id = 2")
    execute(folder, "UPDATE setting SET value = 0 WHERE name = 'clean'")
    _, recovered = folder.open()
    if place == 0:
        assert recovered.damaged
        assert [each.id for each in recovered.resident] == [1, 3]


def test_a_journal_that_cannot_be_read(folder):
    spool, _ = folder.open()
    keep(spool, message(1))
    keep(spool, message(2))
    folder.crash()
    execute(folder, "UPDATE journal SET body = X'c1' WHERE seq = (SELECT max(seq) FROM journal)")
    _, recovered = folder.open()
    assert recovered.damaged
    assert [each.id for each in recovered.resident] == [1]


def test_queues_whose_names_were_lost_keep_their_messages(folder):
    spool, _ = folder.open()
    keep(spool, message(1), message(2, queue="other"), place=SPILLED)
    end(folder)
    execute(folder, "DELETE FROM queue")
    execute(folder, "UPDATE setting SET value = 0 WHERE name = 'clean'")
    execute(folder, "INSERT INTO mark VALUES (1, X'00')")  # the damage that is noticed
    spool, recovered = folder.open()
    assert recovered.damaged
    assert sorted((row.queue, row.first_id) for row in recovered.spilled) == [("operator", 1), ("other", 2)]
    assert spool.queue_number("third") not in {spool.queue_number("operator"), spool.queue_number("other")}


def test_two_damaged_files_stand_beside_each_other(folder):
    folder.path.mkdir()
    for _ in range(2):
        shutil.rmtree(folder.path / "spool.db-wal", ignore_errors=True)
        (folder.path / "spool.db").write_bytes(b"nonsense" * 1000)
        folder.open()
        end(folder)
    assert len(aside(folder)) == 2
