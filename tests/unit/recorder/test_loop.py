"""The recorder at work on a spool file: positions, spools that are not there, replaced, damaged or too old, and a database that is away."""

import contextlib
import gc
import json
import logging
import os
import sqlite3

import psutil
import pytest
from sqlalchemy import text

from emg.config.load import load_text
from emg.errors import EmgError, SpoolError
from emg.recorder import loop, program
from emg.recorder.loop import Recorder
from emg.spool.opening import connect
from tests.unit.recorder.stories import accepted, add_account, add_rows, ended, make_spool, sent


@pytest.fixture
def configured(database_url, tmp_path):
    (tmp_path / "log").mkdir()
    return load_text(
        f"DATABASE={database_url}\nSPOOLDIR={tmp_path}/spool\nLOGDIR={tmp_path}/log\nCONTROL={tmp_path}/control.sock\nNODEID=3\n"
    )


@pytest.fixture
def recorder(configured):
    made = Recorder(configured)
    yield made
    made._source.close()
    made._writer.close()


def ids(database):
    with database.session() as session:
        return [row[0] for row in session.execute(text("SELECT id FROM routelog ORDER BY id"))]


def more(tmp_path, *rows):
    with contextlib.closing(connect(tmp_path / "spool" / "spool.db")) as db:
        add_rows(db, rows)


def standing(tmp_path):
    return json.loads((tmp_path / "spool" / "recorder.json").read_text())


def test_it_goes_on_where_it_was(recorder, configured, database, tmp_path):
    make_spool(tmp_path / "spool", [[accepted(1)], [sent(1), accepted(2)]])
    recorder.step()
    assert ids(database) == [1, 2]
    more(tmp_path, [ended(1), accepted(3)])
    another = Recorder(configured)
    another.step()
    another.step()
    assert ids(database) == [1, 2, 3]
    assert another.standing.position == another.standing.last == 3
    with database.session() as session:
        assert session.execute(text("SELECT node, seq FROM recorder_position")).one() == (3, 3)
        assert session.execute(text("SELECT status, node FROM routelog WHERE id = 1")).one() == ("delivered", 3)
    another._source.close()
    another._writer.close()


def test_two_recorders_lose_nothing_and_double_nothing(recorder, configured, database, tmp_path):
    make_spool(tmp_path / "spool", [[accepted(1)]])
    another = Recorder(configured)
    recorder.step()
    another.step()
    more(tmp_path, [accepted(2)])
    recorder.step()
    assert another._turn() > 0  # finds the position moved, and says so
    assert another._turn() >= 0
    assert ids(database) == [1, 2]
    assert another.standing.position == 2
    another._source.close()
    another._writer.close()


def test_small_batches_come_to_the_same(recorder, database, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MOST_EVENTS", 2)
    make_spool(tmp_path / "spool", [[accepted(number), sent(number), ended(number)] for number in range(1, 8)])
    rounds = 0
    while recorder.step():
        rounds += 1
    assert rounds == 7
    assert len(ids(database)) == 7


def test_a_spool_that_is_not_there_yet_is_waited_for(recorder, database, tmp_path):
    with pytest.raises(SpoolError, match="not there yet: the gateway makes it"):
        recorder.step()
    make_spool(tmp_path / "spool", [[accepted(1)]])
    recorder.step()
    assert ids(database) == [1]


def test_a_spool_without_identity_is_waited_for(recorder, tmp_path):
    file = make_spool(tmp_path / "spool", [[accepted(1)]])
    with contextlib.closing(connect(file)) as db:
        db.execute("DELETE FROM setting")
    with pytest.raises(SpoolError, match="no identity"):
        recorder.step()


def test_another_spool_in_its_place_has_a_position_of_its_own(recorder, database, tmp_path):
    file = make_spool(tmp_path / "spool", [[accepted(1)], [accepted(2)]])
    recorder.step()
    for old in file.parent.glob("spool.db*"):
        old.rename(old.with_name(f"old-{old.name}"))
    make_spool(tmp_path / "spool", [[accepted(11)]])
    assert recorder.step()  # it notices
    recorder.step()
    assert ids(database) == [1, 2, 11]
    (said,) = recorder.standing.gaps
    assert "another spool took the old one's place" in said


def test_a_spool_put_back_from_an_older_copy_is_no_reason_to_record_anything(recorder, database, tmp_path):
    file = make_spool(tmp_path / "spool", [[accepted(1)], [accepted(2)]])
    recorder.step()
    with contextlib.closing(connect(file)) as db:
        db.execute("DELETE FROM outbox WHERE seq > 1")
        db.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'outbox'")
    assert recorder.step()  # it notices
    with pytest.raises(SpoolError, match="older copy"):
        recorder.step()


def test_a_row_that_cannot_be_read_is_set_aside(recorder, database, tmp_path):
    file = make_spool(tmp_path / "spool", [[accepted(1)], [accepted(2)], [accepted(3)]])
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE outbox SET body = x'c1ff00' WHERE seq = 2")
        db.commit()
    recorder.step()
    assert ids(database) == [1, 3]
    assert recorder.standing.refused == 1
    (line,) = (tmp_path / "log" / "recorder-refused.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["events_of"] == 2
    assert told["events"] == "wf8A"


def test_a_row_that_the_database_refuses_is_set_aside(recorder, database, tmp_path, caplog):
    make_spool(tmp_path / "spool", [[accepted(1), accepted(2, price_row=(1 << 64) - 1), accepted(3)]])
    with caplog.at_level(logging.ERROR):
        recorder.step()
    assert ids(database) == [1, 3]
    told = json.loads((tmp_path / "log" / "recorder-refused.jsonl").read_text())
    assert (told["table"], told["values"][0], told["row"]) == ("routelog", 2, 1)
    assert "set aside" in caplog.text
    assert recorder.standing.careful == recorder.standing.refused == 1


def test_when_it_cannot_be_set_aside_it_is_not_passed_over(recorder, database, tmp_path):
    make_spool(tmp_path / "spool", [[accepted(2, price_row=(1 << 64) - 1)], [accepted(3)]])
    (tmp_path / "log" / "recorder-refused.jsonl").mkdir()
    with pytest.raises(EmgError, match="cannot be written"):
        recorder.step()
    assert not ids(database)
    (tmp_path / "log" / "recorder-refused.jsonl").rmdir()
    recorder.step()
    assert ids(database) == [3]


def test_a_database_that_is_away_is_said_once_and_waited_for(tmp_path, caplog):
    config = load_text(
        f"DATABASE=mysql+pymysql://u:topsecret@127.0.0.1:1/emg\nSPOOLDIR={tmp_path}\nLOGDIR={tmp_path}\nCONTROL={tmp_path}/c\n"
    )
    make_spool(tmp_path, [[accepted(1)]])
    recorder = Recorder(config)
    with caplog.at_level(logging.INFO):
        pauses = [recorder._turn() for _ in range(6)]
    assert pauses == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0]
    recorder._shown.show(now=True)
    seen = json.loads((tmp_path / "recorder.json").read_text())
    assert "127.0.0.1" in seen["error"]
    assert seen["last"] == 1
    assert seen["lag_events"] == 1
    assert seen["lag_seconds"] > 0
    assert "topsecret" not in caplog.text + json.dumps(seen)
    assert caplog.text.count("is tried again") == 1


def test_a_database_that_is_away_for_long_takes_no_memory(tmp_path):
    """Each attempt to connect leaves half a megabyte that only the collector of cycles finds, and the program lets that run seldom."""
    config = load_text(
        f"DATABASE=mysql+pymysql://u:p@127.0.0.1:1/emg\nSPOOLDIR={tmp_path}\nLOGDIR={tmp_path}\nCONTROL={tmp_path}/c\n"
    )
    make_spool(tmp_path, [[accepted(1)]])
    recorder = Recorder(config)
    recorder._turn()
    process = psutil.Process()
    gc.disable()
    try:
        before = process.memory_info().rss
        for _ in range(60):
            recorder._turn()
        assert process.memory_info().rss - before < 15e6
    finally:
        gc.enable()
        recorder._source.close()


def test_it_stops_at_once_when_it_has_nothing_to_do(recorder, tmp_path):
    make_spool(tmp_path / "spool")
    recorder.stop()
    recorder.run()
    assert standing(tmp_path)["process"] > 0


def test_lag_is_told(recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MOST_EVENTS", 2)
    make_spool(tmp_path / "spool", [[accepted(number), sent(number)] for number in range(1, 11)])
    recorder.step()
    assert recorder.standing.lag_events == 18
    assert recorder.standing.lag_seconds > 0
    while recorder.step():
        pass
    assert (recorder.standing.lag_events, recorder.standing.lag_seconds) == (0, 0.0)


def test_the_customer_of_an_account_is_in_the_row(recorder, database, tmp_path):
    add_account(database, 5, "acme", customer=8)
    make_spool(tmp_path / "spool", [[accepted(1), accepted(2, account="unknown")]])
    recorder.step()
    with database.session() as session:
        assert session.execute(text("SELECT id, customer_id FROM routelog ORDER BY id")).all() == [(1, 8), (2, None)]


def test_the_customer_of_a_new_account_is_known_at_once(recorder, database, tmp_path):
    make_spool(tmp_path / "spool", [[accepted(1, account="of the file")]])
    recorder.step()
    add_account(database, 5, "new", customer=8)
    more(tmp_path, [accepted(2, account="new"), accepted(3, account="of the file")])
    recorder.step()
    with database.session() as session:
        found = session.execute(text("SELECT id, customer_id FROM routelog ORDER BY id")).all()
    assert found == [(1, None), (2, 8), (3, None)]


def test_without_a_database_it_says_so(tmp_path):
    (tmp_path / "server.cfg").write_text(f"SPOOLDIR={tmp_path}\n")
    with pytest.raises(EmgError, match="DATABASE is not set"):
        program.main(["-c", str(tmp_path / "server.cfg")])


def test_a_second_program_on_the_same_spool_says_so(tmp_path):
    (tmp_path / "server.cfg").write_text(
        f"SPOOLDIR={tmp_path}\nLOGDIR={tmp_path}\nDATABASE=sqlite:///{tmp_path}/emg.db\n"
    )
    lock = program._lock(tmp_path)
    with pytest.raises(EmgError, match="another recorder works on the spool"):
        program.main(["-c", str(tmp_path / "server.cfg")])
    os.close(lock)


def test_events_that_are_gone_from_the_spool_are_told_of(recorder, database, tmp_path, caplog):
    file = make_spool(tmp_path / "spool", [[accepted(1)], [accepted(2)]])
    recorder.step()
    more(tmp_path, [accepted(3)], [accepted(4)])
    with contextlib.closing(connect(file)) as db:
        db.execute("DELETE FROM outbox WHERE seq = 3")
    assert recorder.step()
    recorder.step()
    assert ids(database) == [1, 2, 4]
    assert "rows 3 to 3 of the spool's outbox are gone" in caplog.text
    assert caplog.text.count("events are missing") == 1
    assert recorder.standing.gaps == [
        "events are missing in the log, between 2026-11-23 12:00:00 UTC and 2026-11-23 12:00:00 UTC: rows 3 to 3 of the spool's outbox are gone"
    ]
