"""What was typed or uploaded as messages: numbers and texts by line, and what is wrong with which line. Pure.

Numbers that are pasted stand one a line, or with commas or semicolons between them, and all get the same text. A file has a line of headings; the column `number` (or `phone`, `mobile`,
`msisdn`, `to`; else the first one) is the number, and `{heading}` in the text is what stands in that column. `{{` and `}}` are braces. The same text to the same number is
sent once. Raises EmgError for what is wrong with the whole.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from emg.db import way
from emg.db.batches import MOST, Row
from emg.errors import EmgError
from emg.rules.csv_rows import delimiter_of
from emg.text.coding import from_text
from emg.text.errors import TextError
from emg.text.split import MOST_PARTS, count_parts

LONGEST_TEXT: Final = 5_000
"""Characters, with placeholders filled in or not."""
LONGEST_PASTED: Final = 200_000
NUMBERS: Final = ("number", "phone", "mobile", "msisdn", "to")
_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}\n]*)\}")
_NUMBER: Final = re.compile(r"\+?[0-9]{3,20}", re.ASCII)
_BETWEEN: Final = re.compile(r"[\s().\-/\u202f]")


class Read(NamedTuple):
    """Messages, and the sentences of the lines that make none."""

    rows: list[Row]
    faults: list[str]


class Coded(NamedTuple):
    """A text as it travels."""

    parts: int
    encoding: str


def coded(text: str) -> Coded:
    """Parts and encoding, by the code that bills. Raises TextError."""
    encoding, body = from_text(text)
    return Coded(count_parts(body, encoding), "GSM 7-bit" if encoding.name == "GSM7" else "UCS-2")


def number(text: str) -> str:
    """A number as messages have it. Raises EmgError."""
    bare = _BETWEEN.sub("", text)
    if not _NUMBER.fullmatch(bare):
        raise EmgError(f"{text.strip()[:40]!r} is no number: write it with its country, such as +46701234567")
    return way.digits(bare)


def places(text: str) -> list[str]:
    """Names of the placeholders, as they are written."""
    return [found[1] for found in _PLACE.finditer(text) if found[1] is not None]


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled in."""

    def value(found: re.Match[str]) -> str:
        return found[0][0] if found[1] is None else values[found[1].strip().lower()]

    return _PLACE.sub(value, text)


def pasted(numbers: str, text: str) -> Read:
    """One text to all of these numbers."""
    if len(numbers) > LONGEST_PASTED:
        raise EmgError(f"the numbers have more than {LONGEST_PASTED:,} characters: upload them as a file")
    if unknown := places(text):
        raise EmgError(f"the placeholder {{{unknown[0]}}} is unknown: only a file has columns; write {{{{ for a brace")
    nothing: dict[str, str] = {}
    lines = (
        (line, part, nothing)
        for line, whole in enumerate(numbers.splitlines(), 1)
        for part in re.split(r"[,;\t]", whole)
        if part.strip()
    )
    return _read(lines, text)


def uploaded(file: str, text: str) -> Read:
    """A message for each line of a CSV text."""
    reader = csv.reader(file.splitlines(), delimiter=delimiter_of(file))
    try:
        heads = [cell.strip().lower() for cell in next(reader, [])]
        if not any(heads):
            raise EmgError("the file is empty: its first line has the headings, such as number;name")
        if unknown := [name for name in places(text) if name.strip().lower() not in heads]:
            known = ", ".join(f"{{{name}}}" for name in heads if name)[:300]
            raise EmgError(f"the placeholder {{{unknown[0]}}} is unknown: the file has {known}")
        column = next((heads.index(name) for name in NUMBERS if name in heads), 0)
        return _read(_lines(reader, heads, column), text)
    except csv.Error as error:
        raise EmgError(f"line {reader.line_num} of the file can't be read: {error}") from error


def _lines(reader: Iterator[list[str]], heads: list[str], column: int) -> Iterator[tuple[int, str, Mapping[str, str]]]:
    for line, cells in enumerate(reader, 2):
        if any(cell.strip() for cell in cells):
            whole = cells + [""] * (len(heads) - len(cells))
            values = dict(zip(heads, (cell.replace("\v", "\n").strip() for cell in whole), strict=False))
            yield line, whole[column], values


def _read(lines: Iterator[tuple[int, str, Mapping[str, str]]], text: str) -> Read:
    rows: list[Row] = []
    faults: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for line, given, values in lines:
        try:
            row = _row(line, given, filled(text, values))
            before = seen.setdefault((row.dest, row.text), line)
            if before != line or (rows and rows[-1] == row):
                raise EmgError(f"{row.dest} gets the same text already, by line {before}")
        except EmgError as error:
            faults.append(f"Line {line}: {error}.")
            continue
        rows.append(row)
        if len(rows) > MOST:
            raise EmgError(f"a batch has at most {MOST:,} messages: send the rest as another one")
    return Read(rows, faults)


def _row(line: int, given: str, text: str) -> Row:
    if not text.strip():
        raise EmgError("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise EmgError(f"the text has more than {LONGEST_TEXT:,} characters")
    dest = number(given)
    try:
        parts = coded(text).parts
    except TextError as error:
        raise EmgError(f"the text can't be sent: {error}") from error
    if parts > MOST_PARTS:
        raise EmgError(f"the text has {parts} parts, at most {MOST_PARTS} can be sent")
    return Row(line, dest, text, parts)
