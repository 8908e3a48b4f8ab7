"""A table of rules as a file: CSV and XLSX, both ways. What a file is made of is work for a thread of its own; `text_of` finds that thread or process itself.

Names are the only cells that could be taken for a formula (a prefix, an amount and a date begin with a digit): one that begins with `=`, `+`, `-`, `@`, a tab or a line's end
is written to CSV with an apostrophe before it, as spreadsheets do, and one that has apostrophes and then such a sign gets one more; `text_of` takes one off, so that what was
exported is imported as it was. In XLSX all cells are text, and need none. An XLSX file is read as values: a formula counts as what its spreadsheet last made of it, and nothing is ever evaluated. What is larger than the bounds here is refused
before it is unpacked. Raises EmgError.
"""

import csv
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from emg.engine.native import run
from emg.errors import EmgError
from emg.rules.csv_rows import delimiter_of
from portal.rule_tables import workbook

MOST_ROWS: Final = 250_000
MOST_CELLS: Final = 40
"""Of a row; what is behind them is not looked at."""
UNPACKED: Final = 256 << 20
"""Octets of an XLSX file's contents; 100,000 prices have 70 MB."""
SECONDS: Final = 60
UNREADABLE: Final = "the file is no XLSX workbook that can be read"
_DANGEROUS: Final = re.compile(r"'*[=+\-@\t\r\n]")
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def safe(cell: Any) -> str:
    """A cell that is no formula."""
    text = str(cell)
    return f"'{text}" if _DANGEROUS.match(text) else text


def text_of(octets: bytes) -> str:
    """An uploaded file as CSV text whose lines are the file's; only the calling greenlet waits. Raises EmgError."""
    if octets[:4] == b"PK\x03\x04":
        return _sheet(octets)
    return run(lambda: _decoded(octets))


def _decoded(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise EmgError(f"the file is not text in UTF-8 (see line {line}); save it as CSV UTF-8, or as XLSX") from None
    return _unescaped(text)


def _unescaped(text: str) -> str:
    if "'" not in text:
        return text
    sign = delimiter_of(text)
    pattern = re.compile(rf"(^|{sign})([ ]*\"?)'(?='*[=+\-@\t])", re.MULTILINE)
    return pattern.sub(r"\1\2", text)


def _csv(rows: Iterable[Sequence[str]], sign: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=sign, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _sheet(octets: bytes) -> str:
    """By `workbook`, a process of its own: compiled code reads a file of anybody's making there."""
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise EmgError(UNREADABLE) from error
    if size > UNPACKED:
        raise EmgError(f"the workbook is too large: {size >> 20} MiB unpacked, at most {UNPACKED >> 20} are taken")
    command = [sys.executable, "-I", workbook.__file__, str(MOST_ROWS), str(MOST_CELLS)]
    try:
        # waited for in a thread: with gevent's own, the event loop would take the end of every child of this process
        child = run(
            lambda: subprocess.run(  # noqa: S603 -- the words are our own, and the file comes by its stdin
                command, input=octets, capture_output=True, timeout=SECONDS, env={}, check=False
            )
        )
    except subprocess.TimeoutExpired as error:
        raise EmgError(f"the workbook could not be read within {SECONDS} seconds") from error
    if child.returncode < 0:  # killed by a limit of its own, or by the kernel
        raise EmgError("the workbook asks for more memory or time than a file may: save the sheet as CSV UTF-8")
    if child.returncode:
        raise EmgError((child.stderr.decode("utf-8", "replace").strip().splitlines() or [UNREADABLE])[-1])
    return child.stdout.decode("utf-8")


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The file, piece by piece."""
    yield ("\ufeff" + _csv([head], ",")).encode()
    for block in _blocks(rows):
        yield _csv(([safe(cell) for cell in row] for row in block), ",").encode()


def _blocks(rows: Iterable[Sequence[Any]], size: int = 2000) -> Iterator[list[Sequence[Any]]]:
    block: list[Sequence[Any]] = []
    for row in rows:
        block.append(row)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


_PARTS: Final = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="EMG" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1"'
    ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}  # fmt: skip
_FRONT: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def xlsx(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """The workbook; each cell is text, which no spreadsheet evaluates. Written by hand: openpyxl takes ten times as long for 100,000 rows."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, _FRONT + text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(
                (_FRONT + '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>').encode()
            )  # fmt: skip
            for block in _blocks([head, *rows]):
                sheet.write("".join(map(_xml_row, block)).encode())
            sheet.write(b"</sheetData></worksheet>")
    return out.getvalue()


def _xml_row(row: Sequence[Any]) -> str:
    cells = "".join([f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(cell))}</t></is></c>' for cell in row])
    return f"<row>{cells}</row>"
