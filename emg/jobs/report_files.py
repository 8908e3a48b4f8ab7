"""A report as rows of cells, for CSV and XLSX: exact amounts, shares in percent, nothing that a spreadsheet takes for a formula. Currencies stand apart."""

import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from emg.db.reports import Figures
from emg.db.saved_reports import value_of
from emg.rules import money
from emg.rules.report_query import BY, MONEY, Query, Sees, measures

SHARES = frozenset({"delivered_share", "within_10s", "within_60s", "within_600s"})
MOST_SHEET_ROWS = 100_000


def head(query: Query, sees: Sees) -> list[str]:
    """The columns' titles."""
    names = [f"{BY[key]} (UTC)" if key in ("hour", "day", "month") else BY[key] for key in query.keys]
    return [*names, *measures(sees).values(), *(["Currency"] if sees.prices else [])]


def cells(line: Figures, query: Query, sees: Sees) -> list[Any]:
    """A line: text, whole numbers, percents and seconds to a tenth, exact amounts."""
    figures = [cell(line, name) for name in measures(sees)]
    return [*(line.keys[key] for key in query.keys), *figures, *([line.currency] if sees.prices else [])]


def cell(line: Figures, measure: str) -> Any:
    """One figure."""
    value = value_of(line, measure)
    if value is None:
        return ""
    if measure in MONEY:
        return Amount(money.show(int(value)))
    if measure in SHARES:
        return round(value * 100, 1)
    return round(value, 1) if measure == "mean" else value


class Amount(str):
    """Text that is a number."""

    __slots__ = ()


def csv_text(lines: Sequence[Figures], query: Query, sees: Sees, most: int | None = None) -> str:
    """Lines of CSV, the head first; at most so many characters, cut off between lines."""
    text = [",".join(_quoted(each) for each in head(query, sees))]
    length = len(text[0])
    for number, line in enumerate(lines):
        made = ",".join(_quoted(each) for each in cells(line, query, sees))
        length += len(made) + 2
        if most is not None and length > most:
            text.append(f"({len(lines) - number} more rows: see the portal)")
            break
        text.append(made)
    return "\r\n".join(text) + "\r\n"


def _quoted(value: Any) -> str:
    text = str(value)
    if (
        isinstance(value, str)
        and not isinstance(value, Amount)
        and text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    ):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\r\n') else text


def xlsx(lines: Sequence[Figures], query: Query, sees: Sees) -> bytes:
    """A workbook of one sheet: numbers are numbers, and no text is a formula."""
    book: Any = Workbook()
    sheet = book.active
    sheet.title = "Report"
    sheet.freeze_panes = "A2"
    for column, title in enumerate(head(query, sees), 1):
        sheet.cell(1, column, title).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = max(12, len(title) + 2)
    for number, line in enumerate(lines[:MOST_SHEET_ROWS], 2):
        for column, value in enumerate(cells(line, query, sees), 1):
            one = sheet.cell(number, column)
            if isinstance(value, Amount):
                one.value, one.number_format = float(value), "#,##0.00####"
            else:
                one.value = value
                if isinstance(value, str):
                    one.data_type = "s"
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()
