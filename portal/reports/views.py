"""Pages of reports. What a report is stands in its address (`emg.rules.report_query`), so that it can be linked, saved and mailed; `emg.db.saved_reports` runs it.

People of a customer get his traffic alone, without connectors and costs, whatever they ask for.
"""

import datetime as dt
import io
from typing import Any, Final
from urllib.parse import urlencode

import gevent
from flask import Blueprint, abort, flash, request, send_file, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from emg.db import accounts, customers, saved_reports
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import SavedReport
from emg.db.reports import Figures
from emg.db.saved_reports import Reader
from emg.jobs import report_files
from emg.rules import report_query
from emg.rules.faults import TableFaults
from emg.rules.report_query import MONEY, NAMES, TIMES, Query, QueryFault, Sees
from portal import csv_out, house, scope
from portal import pages as made
from portal.guard import allowed, needs
from portal.permissions import Permission

pages: Final = Blueprint("reports", __name__, template_folder="templates")
MOST_ROWS: Final = 1000
"""Rows of the page; the files have all."""
MOST_BARS: Final = 20
MOST_OFFERED: Final = 500
COLOURS: Final = ("#4c8dd6", "#d9822b", "#3a9d6e", "#8a63c9", "#c4508a")
"""Of the charts, on light and dark."""
SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _sees() -> Sees:
    return Sees(scope.is_house(), allowed(Permission.SEE_PRICES), allowed(Permission.SEE_COSTS))


def _reader(session: Session) -> Reader:
    """The person who asks."""
    own = None if scope.is_house() else customers.find(session, scope.customer()).id
    return Reader(own, _sees())


def _asked() -> Query:
    """What the request asks for; nonsense is answered with 400."""
    try:
        return report_query.read(request.args, _sees(), dt.datetime.now(dt.UTC).date())
    except QueryFault as error:
        abort(400, f"There is no such report: {error}.")


def _state(**other: str) -> str:
    """The report's address with something else."""
    state = {name: request.args.get(name, "") for name in NAMES} | other
    return urlencode({name: value for name, value in state.items() if value})


@pages.get("/reports")
@needs(Permission.SEE_REPORTS)
def index() -> str:
    """The report that the address asks for."""
    query, sees = _asked(), _sees()
    with house.reading() as session:
        try:
            found = saved_reports.run(session, query, _reader(session))
        except QueryFault as error:
            abort(400, f"There is no such report: {error}.")
        saved = saved_reports.listing(session, current_user.id)
        offered = _offered(session)
    measures = titles(sees)
    return made.render(
        "reports/index.html", query=query, sees=sees, lines=found.lines[:MOST_ROWS], all_lines=len(found.lines), totals=found.totals,
        waiting=found.waiting, measures=measures, groups=report_query.groups(sees), periods=report_query.PERIODS,
        statuses=report_query.STATUSES, offered=offered, saved=saved, state=_state(), sorted_by=_sorted_by, value=saved_reports.value_of,
        chart=chart(found.lines, query, measures[query.measure]), money=MONEY, shares=report_files.SHARES, by=report_query.BY,
    )  # fmt: skip


def titles(sees: Sees) -> dict[str, str]:
    """What a customer pays is no revenue to him."""
    words = report_query.measures(sees)
    return words if sees.house or "price" not in words else {**words, "price": "Price"}


def _offered(session: Session) -> dict[str, list[str]]:
    if not scope.is_house():
        return {"account": (scope.account_names(session) or [])[:MOST_OFFERED]}
    return {
        "account": list(accounts.names(session))[:MOST_OFFERED],
        "customer": customers.names(session)[:MOST_OFFERED],
    }


def _sorted_by(column: str) -> str:
    """The address of this report sorted by a column; figures fall first."""
    now = request.args.get("sort", "")
    first = f"-{column}" if column in report_query.MEASURES else column
    other = column if first.startswith("-") else f"-{column}"
    return f"{url_for('reports.index')}?{_state(sort=other if now == first else first)}"


def chart(lines: list[Figures], query: Query, title: str) -> dict[str, Any] | None:
    """What Chart.js draws: the measure by the first key, each currency for itself; None where there is nothing."""
    apart = query.measure in MONEY
    summed = saved_reports.added(lines, (query.by,), by_currency=apart)
    if query.by in TIMES:
        summed.sort(key=lambda line: line.keys[query.by])
        names = sorted({line.keys[query.by] for line in summed})
    else:
        summed.sort(key=lambda line: saved_reports.value_of(line, query.measure) or 0, reverse=True)
        names = list(dict.fromkeys(line.keys[query.by] for line in summed))[:MOST_BARS]
    if not names:
        return None
    sets = []
    for number, currency in enumerate(sorted({line.currency for line in summed})):
        colour = COLOURS[number % len(COLOURS)]
        by_name = {line.keys[query.by]: _plotted(line, query.measure) for line in summed if line.currency == currency}
        sets.append(
            {
                "label": f"{title} {currency}".strip(),
                "data": [by_name.get(name) for name in names],
                "backgroundColor": colour,
                "borderColor": colour,
            }
        )
    kind = "line" if query.by in TIMES and len(names) > 40 else "bar"
    options = {
        "scales": {"y": {"beginAtZero": True}}, "plugins": {"legend": {"display": len(sets) > 1}}, "elements": {"point": {"radius": 0}},
    }  # fmt: skip
    return {"type": kind, "data": {"labels": [name or "–" for name in names], "datasets": sets}, "options": options}


def _plotted(line: Figures, measure: str) -> float | None:
    value = saved_reports.value_of(line, measure)
    if value is None:
        return None
    if measure in MONEY:
        return value / 1_000_000
    return round(value * 100, 1) if measure in report_files.SHARES else round(value, 1)


@pages.get("/reports/report.<kind>")
@needs(Permission.SEE_REPORTS)
def file(kind: str) -> Response:
    """All rows, as CSV or XLSX."""
    if kind not in ("csv", "xlsx"):
        abort(404, "A report is there as CSV and XLSX.")
    query, sees = _asked(), _sees()
    with house.reading() as session:
        try:
            found = saved_reports.run(session, query, _reader(session))
        except QueryFault as error:
            abort(400, f"There is no such report: {error}.")
    if kind == "csv":
        octets, what = (
            (csv_out.MARK + report_files.csv_text(found.lines, query, sees)).encode(),
            "text/csv; charset=utf-8",
        )
    else:
        octets, what = gevent.get_hub().threadpool.apply(report_files.xlsx, (found.lines, query, sees)), SHEET
    name = f"report-{query.start}-{query.end}.{kind}"
    return send_file(io.BytesIO(octets), what, as_attachment=True, download_name=name, max_age=0)


# -- saved


@pages.post("/reports/saved")
@needs(Permission.SEE_REPORTS)
def save() -> Response:
    """Keep the report that stands on the page under a name."""
    form = request.form
    state = form.get("query", "")[:4000]
    given = report_query.parse(state)
    query = urlencode({name: given[name] for name in NAMES if given.get(name)})
    try:
        report_query.read(given, _sees(), dt.datetime.now(dt.UTC).date())
        with house.writing() as session:
            found = saved_reports.save(
                session, house.actor(), current_user.id, form.get("name", ""), query,
                schedule=form.get("schedule", ""), recipients=form.get("recipients", ""),
            )  # fmt: skip
            told = f"“{found.name}” is saved" + (
                f", and mailed {found.schedule} to {found.recipients}." if found.schedule else "."
            )
        flash(told, "success")
    except QueryFault as error:
        flash(f"Not saved: {error}.", "danger")
    except TableFaults as error:
        flash("Not saved: " + "; ".join(f"{fault.field} {fault.reason}" for fault in error.faults) + ".", "danger")
    return made.turn(f"{url_for('reports.index')}?{query}")


@pages.get("/reports/saved/<int:number>/delete")
@needs(Permission.SEE_REPORTS)
def ask_delete(number: int) -> str:
    """Asked once more."""
    with house.reading() as session:
        found = _own(session, number)
    mailed = f" It is mailed no more to {found.recipients}." if found.schedule else ""
    return made.confirm(
        f"Delete the report “{found.name}”",
        sentences=[f"This deletes the saved report; the figures stay.{mailed}"],
        action=url_for("reports.delete", number=number),
        verb="Delete the saved report",
        back=url_for("reports.index"),
    )


def _own(session: Session, number: int) -> SavedReport:
    if number >= 1 << 63:
        abort(404)
    try:
        return saved_reports.find(session, current_user.id, number)
    except NotFound:
        abort(404, "You have no such saved report.")


@pages.post("/reports/saved/<int:number>/delete")
@needs(Permission.SEE_REPORTS)
def delete(number: int) -> Response:
    """Delete it."""
    with house.writing() as session:
        _own(session, number)
        name = saved_reports.delete(session, house.actor(), current_user.id, number)
    flash(f"“{name}” is deleted.", "success")
    return made.turn(url_for("reports.index"))
