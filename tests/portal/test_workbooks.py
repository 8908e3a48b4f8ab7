"""Uploaded workbooks: what cells become, what a hostile or broken file gets, and that it gets it in a process of its own."""

import datetime as dt
import io

import pytest
from openpyxl import Workbook

from emg.errors import EmgError
from portal.rule_tables import sheets, workbook


def octets_of(*rows, **cells) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (46701234567, "46701234567"), (0.1 + 0.2, "0.3"), (0.041, "0.041"), (-1.5, "-1.5"), (1e-7, "0.0000001"), (True, "yes"), (False, "no"), ("", ""),
        (dt.date(2026, 1, 31), "2026-01-31"), (dt.datetime.fromisoformat("2026-01-31T03:04:05"), "2026-01-31T03:04:05"), ("Ångström, 東京", '"Ångström, 東京"'),
        ("two\nlines", "two\vlines"), ("046", "046"),
    ],
)  # fmt: skip
def test_cells_are_written_as_the_tables_have_them(value, text):
    assert sheets.text_of(octets_of(["x", value, "y"])) == f"x,{text},y\n"


def test_lines_are_the_sheets_and_empty_cells_at_the_end_are_none():
    assert sheets.text_of(octets_of(B3="late", D5=7)) == "\n\n,late\n\n,,,7\n"
    assert sheets.text_of(octets_of(["a", None, ""], ["b"])) == "a\nb\n"


def test_a_formula_is_not_evaluated():
    assert sheets.text_of(octets_of(["a", "=1+1", "b"])) == "a,,b\n", "no spreadsheet has worked it out yet"


def test_cells_behind_the_last_that_counts_are_left_out():
    assert sheets.text_of(octets_of(list(range(100)))) == ",".join(map(str, range(sheets.MOST_CELLS))) + "\n"


def test_a_sheet_that_spans_everything_ends_its_own_process_only():
    with pytest.raises(EmgError, match=r"more than 250,000 rows|more memory or time|can be read"):
        sheets.text_of(octets_of(XFD1048576="far"))
    with pytest.raises(EmgError, match=r"more memory or time|can be read"):
        sheets.text_of(octets_of(A1="near", XFD200000="far"))
    assert sheets.text_of(octets_of(["next"])) == "next\n"


def test_too_many_rows_are_said(monkeypatch):
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    assert sheets.text_of(octets_of([1], [2], [3])) == "1\n2\n3\n"
    with pytest.raises(EmgError, match=r"more than 3 rows"):
        sheets.text_of(octets_of([1], [2], [3], [4]))


def test_a_limit_that_is_met_is_a_sentence(monkeypatch):
    monkeypatch.setattr(sheets, "SECONDS", 0.001)
    with pytest.raises(EmgError, match="could not be read within"):
        sheets.text_of(octets_of(["a"]))


@pytest.mark.parametrize("cut", [8, 100, 1000, 3000, -30])
def test_a_broken_file_is_a_sentence(cut):
    whole = octets_of(*[[number, "text"] for number in range(500)])
    with pytest.raises(EmgError, match="no XLSX workbook that can be read"):
        sheets.text_of(whole[:cut])


def test_what_was_exported_comes_back():
    rows = [["46", "acme", "'=x", "1.5"], ["4670", "", "a,b", ""]]
    assert workbook.rows(sheets.xlsx(["prefix", "account", "name", "price"], rows), 10, 10)[1:] == [
        rows[0],
        rows[1][:3],
    ]
