"""A workbook's first sheet as CSV: a program of its own, which a hostile file may end without ending the portal.

Run as a file, it reads a workbook (XLSX) from standard input and writes the first sheet to standard output: CSV in UTF-8, a line for each row from the sheet's first one on, cells
as the tables' CSV form has them: a whole number without a point, an amount without the noise of binary fractions, a day as 2026-01-31. Formulas count as what the spreadsheet last
made of them; nothing is evaluated. Arguments: the most rows and cells of a row. Exit codes: 0; 1 with a sentence on standard error when it can't be read. The reader, compiled
code, makes a rectangle of all cells that a sheet spans, used or not: `MEMORY` and `SECONDS` bound what a file can ask for, and a limit that is met is a killed process.
Nothing of the project is imported: it starts in some 30 ms.
"""

import csv
import datetime as dt
import io
import resource
import sys
from decimal import Decimal
from typing import Any, Final

MEMORY: Final = 2 << 30
"""Octets of addresses; 250,000 rows of 40 cells take a fourth."""
SECONDS: Final = 30
"""Of CPU; 100,000 prices take less than one."""


def cell(value: Any) -> str:
    """One cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = format(Decimal(format(value, ".15g")), "f") if value - value == 0 else str(value)
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.replace(microsecond=0).isoformat()
    text = str(value)
    return text.replace("\r\n", "\v").replace("\n", "\v").replace("\r", "\v")  # lines stay the sheet's


def rows(octets: bytes, most_rows: int, most_cells: int) -> list[list[str]]:
    """Of the first sheet, without empty cells at their ends. Raises ValueError with a sentence, and whatever the reader makes of a broken file."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(octets))
    if not book.sheet_names:
        raise ValueError("the workbook has no sheet")
    sheet = book.get_sheet_by_index(0)
    lines = sheet.to_python(skip_empty_area=False, nrows=most_rows + 1)
    if len(lines) > most_rows:
        raise ValueError(f"the sheet has more than {most_rows:,} rows")
    found = []
    for row in lines:
        cells = [cell(value) for value in row[:most_cells]]
        while cells and not cells[-1]:
            cells.pop()
        found.append(cells)
    return found


def main() -> int:
    """See the module's text."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most_rows, most_cells = map(int, sys.argv[1:])
    try:
        found = rows(sys.stdin.buffer.read(), most_rows, most_cells)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 -- the reader raises whatever a broken file makes of its steps, panics too
        print("the file is no XLSX workbook that can be read", file=sys.stderr)
        return 1
    out = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "replace", newline="")
    csv.writer(out, lineterminator="\n").writerows(found)
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
