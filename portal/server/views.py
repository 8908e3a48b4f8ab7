"""Programs and how they are, logs, settings, licences. The configuration file is in `configuration`."""

import platform
from importlib import metadata
from typing import Any, Final

from flask import Blueprint, abort, current_app, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from emg.db import audit, settings, sizes
from emg.errors import ControlError
from emg.rules.rows import Known, RowFaults
from emg.rules.setting_rows import SETTINGS
from portal import assets, fields, house, watchdog
from portal import pages as made
from portal.guard import needs
from portal.permissions import Permission
from portal.server import configuration

pages: Final = Blueprint("server", __name__, template_folder="templates")
configuration.install(pages)
LINES: Final = (50, 100, 500, 2000)
LONGEST_SEARCH: Final = 200
DOES: Final = {
    "gateway": "It takes in nothing more, waits for the answers that are due and commits; nothing acknowledged is lost.",
    "recorder": "What happens to messages waits in the gateway's outbox until it runs again; nothing is lost.",
    "scheduler": "Summaries, mails and invoices wait until it runs again.",
    "portal": "These pages are away for some seconds.",
    "watchdog": "Nobody looks after the others for some seconds.",
}


@pages.get("/server")
@needs(Permission.SEE_SERVER)
def index() -> str:
    """Programs, what is wrong, the database."""
    status = watchdog.look("/status") or {}
    programs = watchdog.look("/programs") or {}
    gateway = house.look("/status")
    database = current_app.extensions[house.NAME].database
    tables = [] if request.args.get("part") else sizes.tables(database)
    octets = sum(row.get("bytes", 0) for row in tables) or (
        database.file.stat().st_size if database.file and database.file.exists() else 0
    )
    return made.render(
        "server/index.html", programs=programs.get("programs", []), findings=status.get("findings", []), deeds=status.get("watchdog", {}).get("deeds", []),
        alerts=watchdog.look("/alerts") or {}, away=watchdog.away(), gateway=gateway, database=database, tables=tables, octets=octets, verbs=watchdog.VERBS,
    )  # fmt: skip


@pages.route("/server/programs/<name>/<verb>", methods=["GET", "POST"])
@needs(Permission.RUN_SERVER)
def act(name: str, verb: str) -> Response | str:
    """Start, stop or restart a program, asked once more."""
    if verb not in watchdog.VERBS:
        abort(404)
    back = url_for("server.index")
    if request.method == "GET":
        sentences = [
            f"{name} will be {'started' if verb == 'start' else 'stopped' if verb == 'stop' else 'stopped and started again'}."
        ]
        if verb != "start":
            sentences += [DOES[name]] if name in DOES else []
            if name == "gateway" and (now := house.look("/status")):
                sentences.append(f"Now it has {now['sessions']} sessions, which end, {now['in_flight']} messages in flight and {now['queued']} that wait: these are kept.")  # fmt: skip
        return made.confirm(f"{verb.capitalize()} {name}", sentences=sentences, action=url_for("server.act", name=name, verb=verb), verb=f"{verb.capitalize()} {name}", back=back, danger=verb != "start")  # fmt: skip
    try:
        answer = watchdog.act(name, verb)
    except ControlError as error:
        flash(f"{name} was not touched: {error}.", "danger")
        return made.turn(back)
    with house.writing() as tables:
        audit.note(
            tables,
            house.actor(),
            verb,
            "program",
            name,
            None,
            {"done": answer.get("done"), "state": answer.get("state")},
        )
    flash(
        f"{name}: {verb} {'is done' if answer.get('done') else 'is under way'}; {answer.get('state', '')}.", "success"
    )
    return made.turn(back)


@pages.get("/server/logs")
@needs(Permission.SEE_SERVER)
def logs() -> str:
    """Which logs there are."""
    found = watchdog.look("/logs") or {}
    return made.render("server/logs.html", logs=found.get("logs", []), away=watchdog.away())


@pages.get("/server/logs/<name>")
@needs(Permission.SEE_SERVER)
def log(name: str) -> str:
    """The last lines of one, renewed as they come."""
    search, asked = request.args.get("search", "")[:LONGEST_SEARCH], request.args.get("lines", "100")
    if asked not in [str(count) for count in LINES]:
        abort(400, f"Lines are {', '.join(map(str, LINES))}.")
    found = watchdog.look(watchdog.log_path(name), lines=asked, search=search) or {}
    return made.render(
        "server/log.html", name=name, search=search, lines=asked, counts=LINES, found=found, away=watchdog.away()
    )


@pages.route("/server/settings", methods=["GET", "POST"])
@needs(Permission.CHANGE_SERVER)
def setting() -> Response | str:
    """What no file says: mail, invoices, how long things are kept."""
    with house.reading() as tables:
        values = settings.read(tables)
    form = fields.form(SETTINGS, Known(), values=values)
    if form.validate_on_submit() and fields.read(form, SETTINGS, Known()) is not None:
        texts = {
            one.short_name: ("yes" if one.data else "no") if isinstance(one.data, bool) else str(one.data or "")
            for one in form
            if one.short_name in SETTINGS
        }
        if given := request.form.get("smtp_password", ""):
            texts["smtp_password"] = given
        try:
            with house.writing() as tables:
                changed = settings.write(tables, house.actor(), texts)
        except RowFaults as error:
            fields.blame(form, error)
        else:
            house.tell_gateway()
            flash("The settings are kept." if changed else "The settings are so already.", "success")
            return made.turn(url_for("server.setting"))
    return render_template("server/settings.html", form=form, has_password=bool(values["smtp_password"]))


@pages.get("/server/licences")
@needs(Permission.SEE_SERVER)
def licences() -> str:
    """Of the parts that this is made of."""
    found: dict[str, dict[str, Any]] = {}
    for part in metadata.distributions():
        facts: Any = part.metadata
        licence = (
            facts.get("License-Expression")
            or next(
                (row.rpartition(":: ")[2] for row in facts.get_all("Classifier") or () if row.startswith("License ::")),
                "",
            )
            or (facts.get("License") or "").partition("\n")[0]
        )
        found.setdefault(
            facts["Name"],
            {
                "name": facts["Name"],
                "version": part.version,
                "licence": licence[:100] or "not said",
                "about": facts.get("Summary") or "",
            },
        )
    texts = {
        file.name.removeprefix("LICENSE."): file.read_text(encoding="utf-8", errors="replace")[:20_000]
        for file in sorted((assets.FOLDER / "vendor").glob("LICENSE.*"))
    }
    return made.render(
        "server/licences.html", parts=sorted(found.values(), key=lambda row: row["name"].lower()), texts=texts
    )


@pages.get("/server/about")
@needs(Permission.SEE_SERVER)
def about() -> str:
    """Versions."""
    database = current_app.extensions[house.NAME].database
    facts = {
        "Python": platform.python_version(), "System": platform.platform(), "Configuration": house.config().file, "Node": house.config().nodeid,
        "Database": f"{database.url.get_backend_name()}, {database.place}",
    }  # fmt: skip
    try:
        facts = {"EMG": metadata.version("emg"), **facts}
    except metadata.PackageNotFoundError:
        facts = {"EMG": "from its source", **facts}
    return made.render("server/about.html", facts=facts)
