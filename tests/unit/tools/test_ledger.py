"""The two ledgers: what is written is read back, and every broken promise is found."""

import os
from pathlib import Path

import pytest

from emg.tools.ledger import FIELDS, Ledger, compare, read


@pytest.fixture
def files(tmp_path):
    return str(tmp_path / "client"), str(tmp_path / "operator")


def write(path, *lines):
    with Path(path).open("a", encoding="latin-1") as file:
        file.writelines("\t".join(line.split(" ")) + "\n" for line in lines)


def good_pair(files, *tags):
    """Two ledgers in which everything went well."""
    for number, tag in enumerate(tags, 1):
        write(files[0], f"submitted {tag} 467 1 1", f"acked {tag} c{number}")
        write(
            files[1], f"received {tag} r{number} 123 467", f"report-sent r{number} DELIVRD", f"report-acked r{number}"
        )
        write(files[0], f"report c{number} DELIVRD")


def test_every_event_reads_back_as_it_was_written(files):
    ledger = Ledger(files[0])
    ledger.submitted("m1-1", "467", 2, 1)
    ledger.acked("m1-1", "77")
    ledger.refused("m1-2", "RTHROTTLED")
    ledger.unknown("m1-3")
    ledger.report("77", "DELIVRD")
    ledger.received("m1-1", "9a", "EMG", "467")
    ledger.report_sent("9a", "DELIVRD")
    ledger.report_acked("9a")
    ledger.close()
    events = list(read(files[0]))
    assert {event[0] for event in events} == set(FIELDS)
    assert events[0] == ("submitted", "m1-1", "467", "2", "1")
    assert events[5] == ("received", "m1-1", "9a", "EMG", "467")


def test_nothing_is_in_the_file_before_a_flush_and_everything_after_it(files):
    ledger = Ledger(files[0])
    ledger.unknown("m1-1")
    assert list(read(files[0])) == []
    ledger.flush()
    assert list(read(files[0])) == [("unknown", "m1-1")]
    ledger.close()
    ledger.close()


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(files, monkeypatch):
    ledger = Ledger(files[0])
    ledger.unknown("m1-1")
    real = os.write
    answers = [4, OSError(28, "No space left on device")]

    def write_some(descriptor, octets):
        answer = answers.pop(0) if answers else len(octets)
        if isinstance(answer, OSError):
            raise answer
        return real(descriptor, octets[:answer])

    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(OSError, match="No space"):
        ledger.flush()
    ledger.unknown("m1-2")
    ledger.close()
    assert list(read(files[0])) == [("unknown", "m1-1"), ("unknown", "m1-2")]


def test_a_second_run_appends(files):
    for tag in ("m1-1", "m2-1"):
        ledger = Ledger(files[0])
        ledger.unknown(tag)
        ledger.close()
    assert [event[1] for event in read(files[0])] == ["m1-1", "m2-1"]


def test_values_from_the_wire_can_not_break_a_line(files):
    ledger = Ledger(files[1])
    ledger.received("m1-1", "9", "E\tM\nG\r", "\N{EURO SIGN}")
    ledger.received("m1-2", "10", "", "467")
    ledger.close()
    assert list(read(files[1])) == [("received", "m1-1", "9", "E?M?G?", "?"), ("received", "m1-2", "10", "-", "467")]


def test_without_a_file_nothing_is_kept():
    ledger = Ledger()
    ledger.unknown("m1-1")
    ledger.flush()
    ledger.close()


def test_a_line_cut_by_the_death_of_its_writer_is_not_an_event(files):
    write(files[0], "unknown m1-1")
    with Path(files[0]).open("a", encoding="latin-1") as file:
        file.write("acked\tm1-")
    assert list(read(files[0])) == [("unknown", "m1-1")]


def test_a_damaged_line_is_named(files):
    write(files[0], "unknown m1-1", "acked m1-2")
    with pytest.raises(ValueError, match="client:2: not a line of a ledger"):
        list(read(files[0]))


def test_when_all_went_well_there_is_no_fault(files):
    good_pair(files, "m1-1", "m1-2")
    result = compare(*files)
    assert result.ok
    assert (result.submitted, result.acked, result.received, result.reports) == (2, 2, 2, 2)


def test_acknowledged_and_lost_is_found(files):
    good_pair(files, "m1-1")
    write(files[0], "submitted m1-2 467 1 1", "acked m1-2 c9")
    result = compare(*files)
    assert result.lost == result.missing_reports == ("m1-2",)
    assert "1 acknowledged and lost: m1-2" in result.faults()


def test_a_message_reported_as_failed_is_not_lost(files):
    write(files[0], "submitted m1-1 467 1 1", "acked m1-1 c1", "report c1 EXPIRED")
    write(files[1])
    result = compare(*files)
    assert result.failed_before_operator == ("m1-1",)
    assert result.ok


def test_a_message_reported_as_delivered_that_never_arrived_is_lost(files):
    write(files[0], "submitted m1-1 467 1 1", "acked m1-1 c1", "report c1 DELIVRD")
    write(files[1])
    assert compare(*files).lost == ("m1-1",)


def test_neither_refused_nor_unknown_messages_are_lost(files):
    write(files[0], "submitted m1-1 467 1 1", "refused m1-1 RMSGQFUL", "submitted m1-2 467 1 1", "unknown m1-2")
    write(files[1], "received m1-2 r1 123 467")
    result = compare(*files)
    assert result.ok
    assert (result.refused, result.unknown) == (1, 1)


def test_a_refused_message_at_the_operator_is_found(files):
    write(files[0], "submitted m1-1 467 1 1", "refused m1-1 RMSGQFUL")
    write(files[1], "received m1-1 r1 123 467")
    assert compare(*files).refused_but_received == ("m1-1",)


@pytest.mark.parametrize("mark", ["m1-1", "c1"])
def test_duplicates_are_a_fault_unless_marked_by_tag_or_by_id(files, mark):
    good_pair(files, "m1-1")
    write(files[1], "received m1-1 r2 123 467")
    assert compare(*files).unmarked_duplicates == ("m1-1",)
    result = compare(*files, marks=[mark])
    assert result.duplicates == ("m1-1",)
    assert result.ok


def test_a_second_report_is_a_fault_unless_marked(files):
    good_pair(files, "m1-1")
    write(files[0], "report c1 DELIVRD")
    assert compare(*files).unmarked_repeated_reports == ("m1-1",)
    assert compare(*files, marks={"c1"}).ok


def test_intermediate_reports_neither_count_as_final_nor_as_second(files):
    write(files[0], "submitted m1-1 467 1 1", "acked m1-1 c1", "report c1 ENROUTE")
    write(files[1], "received m1-1 r1 123 467")
    assert compare(*files).missing_reports == ("m1-1",)
    write(files[0], "report c1 DELIVRD")
    assert compare(*files).ok


def test_no_report_is_missed_that_was_not_asked_for(files):
    write(files[0], "submitted m1-1 467 1 0", "acked m1-1 c1")
    write(files[1], "received m1-1 r1 123 467")
    assert compare(*files).ok


def test_a_report_may_be_read_before_the_answer(files):
    write(files[0], "submitted m1-1 467 1 1", "report c1 DELIVRD", "acked m1-1 c1")
    write(files[1], "received m1-1 r1 123 467")
    assert compare(*files).ok


def test_order_is_held_by_session_and_destination(files):
    write(
        files[0], *(f"submitted m1-{n} 467 1 0" for n in (1, 2, 3)), "submitted m1-4 468 1 0", "submitted m1-5 467 2 0"
    )
    write(files[0], *(f"acked m1-{n} c{n}" for n in (1, 2, 3, 4, 5)))
    write(files[1], *(f"received m1-{n} r{n} 123 467" for n in (5, 4, 1, 3, 2)))
    result = compare(*files)
    assert result.out_of_order == (("m1-2", "m1-3"),)
    assert not result.ok


def test_a_message_sent_twice_is_no_fault_of_order(files):
    write(files[0], "submitted m1-1 467 1 0", "submitted m1-2 467 1 0", "acked m1-1 c1", "acked m1-2 c2")
    write(files[1], "received m1-1 r1 1 467", "received m1-2 r2 1 467", "received m1-1 r3 1 467")
    assert compare(*files, marks={"m1-1"}).ok


def test_an_id_given_twice_is_found_but_missing_ids_are_not_alike(files):
    write(files[0], *(f"submitted m1-{n} 467 {n} 0" for n in (1, 2, 3, 4)))
    write(files[0], "acked m1-1 c1", "acked m1-2 c1", "acked m1-3 -", "acked m1-4 -")
    write(files[1], *(f"received m1-{n} r{n} 1 467" for n in (1, 2, 3, 4)))
    assert compare(*files).reused_ids == ("c1",)


def test_parts_without_a_tag_are_left_aside(files):
    good_pair(files, "m1-1")
    write(files[1], "received - r7 123 467", "received - r8 123 467")
    assert compare(*files).ok


def test_reports_of_unanswered_messages_are_listed_but_no_fault(files):
    write(files[0], "submitted m1-1 467 1 1", "unknown m1-1", "report c1 DELIVRD")
    write(files[1], "received m1-1 r1 123 467")
    result = compare(*files)
    assert result.foreign_reports == ("c1",)
    assert result.ok
