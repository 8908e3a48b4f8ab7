"""The file that a table's rows travel in: read back as written, or not used with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules import snapshot
from emg.rules.snapshot import (
    BLOCK,
    ROWS,
    ConnectorRow,
    Header,
    NetworkRow,
    RouteRow,
    Skipped,
    SnapshotFault,
    decode,
    encode,
    source_of,
)

HEADER = Header("route", 7, 1800000000.5, "sqlite:///x", 2, [Skipped("route", 3, "46", "prefix", "is odd")])
ROUTES = [RouteRow(1, "46", "", "", "a:b", 10, 1, True), RouteRow(2, "", "acme", "c", "d", 0, 0, False)]


def test_it_reads_back_as_it_was_written() -> None:
    found = decode(encode(HEADER, ROUTES), "route")
    assert (found.header, found.rows) == (HEADER, ROUTES)


@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_blocks_come_back_in_their_order(count: int) -> None:
    rows = [NetworkRow(number, str(number), "SE", "", "", "") for number in range(count)]
    assert decode(encode(Header("network", 1, 0.0, "", count), rows), "network").rows == rows


def test_rows_hold_rows() -> None:
    rows = [ConnectorRow(1, "op", (("TYPE", "OUTGOING"), ("STATIC", "")), True)]
    assert decode(encode(Header("connector", 1, 0.0, "", 1), rows), "connector").rows == rows


OCTETS = encode(HEADER, ROUTES)


@given(st.integers(0, len(OCTETS) - 1), st.integers(1, 255))
def test_a_single_wrong_octet_is_found_wherever_it_is(place: int, difference: int) -> None:
    damaged = bytearray(OCTETS)
    damaged[place] ^= difference
    with pytest.raises(SnapshotFault):
        decode(bytes(damaged), "route")


@given(st.integers(0, len(OCTETS) - 1))
def test_a_file_that_ends_early_is_found(length: int) -> None:
    with pytest.raises(SnapshotFault):
        decode(OCTETS[:length], "route")


def test_a_file_that_is_for_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SnapshotFault, match="it holds network"):
        decode(encode(Header("network", 1, 0.0, "", 0), []), "route")
    with pytest.raises(SnapshotFault, match="can't be read"):
        decode(encode(Header("network", 1, 0.0, "", 1), ROUTES), "network")
    monkeypatch.setattr(snapshot, "VERSION", 2)
    with pytest.raises(SnapshotFault, match="it is of version 1, this program knows version 2"):
        decode(OCTETS, "route")


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("sqlite:////var/lib/emg.db", "sqlite:////var/lib/emg.db"),
        ("mysql+pymysql://emg:p@ss:w/rd@db/emg", "mysql+pymysql://emg@db/emg"),
        ("mysql+pymysql://emg@db/emg", "mysql+pymysql://emg@db/emg"),
    ],
)
def test_a_source_has_no_password(url: str, source: str) -> None:
    assert source_of(url) == source


def test_every_row_knows_its_id_first() -> None:
    assert {kind.__struct_fields__[0] for kind in ROWS.values()} == {"id"}
