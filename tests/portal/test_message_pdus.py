"""The lines of one message in the PDU logs: each with its other half, over rotated files, within bounds, and no text that is not kept."""

import datetime as dt
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emg.db.messages import Whole
from portal.messages import pdus

NOW = dt.datetime.now(dt.UTC)
HEAD = "Nov 23 23:10:00.123456 emgtest emg[1]:"


def whole(*, body: Any = None, **values: Any) -> Whole:
    row = {"id": 1001, "received": NOW, "connector_in": "in", "connector_out": "op", "remote_id": "7", **values}
    return Whole(SimpleNamespace(**row), [], body)  # type: ignore[arg-type]


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(f"{HEAD} {line}\n" for line in lines))
    return path


SUBMITTED = "in#1 < submit_sm seq 5 destination_addr='46701' text='it\\'s a secret' | 0001"
ANSWERED = "in#1 > submit_sm_resp seq 5 ok message_id='1001' | 0002"
OTHERS = [
    "in#1 < submit_sm seq 6 text='another' | 03",
    "in#1 > submit_sm_resp seq 6 ok message_id='10011' | 04",
    "in#2 < submit_sm seq 5 text='x' | 05",
]


def test_a_line_comes_with_its_other_half(tmp_path: Path) -> None:
    write(tmp_path, "pdu.in", SUBMITTED, *OTHERS, ANSWERED, *OTHERS)
    write(
        tmp_path,
        "pdu.op",
        "op#1 > submit_sm seq 9 text='it' | 06",
        "op#1 < submit_sm_resp seq 9 ok message_id='7' | 07",
        "op#1 < submit_sm_resp seq 10 ok message_id='77' | 08",
    )
    found = pdus.find(tmp_path, whole(body=SimpleNamespace(masked=False)))
    assert [(line.session, line.inward, line.octets) for line in found.lines] == [
        ("in#1", True, "0001"), ("in#1", False, "0002"), ("op#1", False, "06"), ("op#1", True, "07"),
    ]  # fmt: skip
    assert found.lines[0].text == "submit_sm seq 5 destination_addr='46701' text='it\\'s a secret'"
    assert found.lines[0].when == "Nov 23 23:10:00.123456"
    assert (found.files, found.bounded) == (2, False)


@pytest.mark.parametrize("body", [None, SimpleNamespace(masked=True)])
def test_a_text_that_is_not_kept_is_not_shown(tmp_path: Path, body: Any) -> None:
    write(tmp_path, "pdu.in", SUBMITTED, ANSWERED, "in#1 < submit_sm seq 8 text=0x00ff reference='1001' | 09")
    lines = pdus.find(tmp_path, whole(body=body)).lines
    assert [line.octets for line in lines] == ["", "", ""]
    assert lines[0].text == "submit_sm seq 5 destination_addr='46701' text=(not kept)"
    assert "00ff" not in lines[2].text


def test_files_that_were_put_aside_before_the_message_came_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, "pdu.in", *OTHERS)
    write(tmp_path, "pdu.in.1", SUBMITTED, ANSWERED)
    old = write(tmp_path, "pdu.in.2", SUBMITTED, ANSWERED)
    os.utime(old, (NOW.timestamp() - 3600,) * 2)
    found = pdus.find(tmp_path, whole(connector_out=""))
    assert (len(found.lines), found.files) == (2, 2)


def test_what_is_looked_through_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        "pdu.in",
        *[SUBMITTED.replace("seq 5", f"seq {number}") + " 1001" for number in range(500)],
        *[ANSWERED] * 500,
    )
    found = pdus.find(tmp_path, whole(connector_out=""))
    assert found.bounded
    assert len(found.lines) == pdus.MOST_LINES
    monkeypatch.setattr(pdus, "MOST_OCTETS", 1000)
    assert pdus.find(tmp_path, whole(connector_out="")).bounded


def test_without_logs_there_is_nothing(tmp_path: Path) -> None:
    assert pdus.find(tmp_path / "none", whole()) == pdus.Pdus()
    assert pdus.find(tmp_path, whole(connector_in="", connector_out="op/acme")) == pdus.Pdus()
    write(tmp_path, "pdu.in", "1001 nonsense", "1001")
    assert pdus.find(tmp_path, whole()).lines == []
