"""CSV that people open in a spreadsheet."""

import csv
import io

import pytest

from emg.rules.csv_rows import delimiter_of
from portal import csv_out
from portal.csv_out import Amount


@pytest.mark.parametrize("text", ["=1+1", "+46701", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_text_is_a_formula(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(csv_out.lines([[text]]), newline=""))
    assert cell == "'" + text


def test_numbers_and_other_text_stay_as_they_are() -> None:
    assert csv_out.lines([["a=1", "", None, -3, Amount("-0.25"), "å", 'say "x"']]) == 'a=1,,,-3,-0.25,å,"say ""x"""\r\n'


def test_a_file_begins_with_a_mark_and_its_columns() -> None:
    assert csv_out.head(["id", "to"]) == "\ufeffid,to\r\n"
    assert delimiter_of(csv_out.head(["id", "to"])) == ","
