"""Making, changing, renaming, switching and deleting connectors of the database.

Those of the configuration file are changed there. Every change is examined by the file's own parser together with all other connectors, and all faults stand at their fields at once. A
change that rebuilds sessions which stand is made only when that was ticked.
"""

from typing import Any, Final

from flask import abort, flash, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import StringField

from emg.config.stored import Stored, StoredFault, shown
from emg.config.syntax import SECTION_NAME_SAYS
from emg.config.values import AVAILABLE, ConnectorType, Protocol
from emg.db import connectors
from emg.db.connectors import ConnectorFaults, StillNamed
from emg.db.models import Connector
from portal import house
from portal import pages as made
from portal.connectors import acts, asking, forms
from portal.connectors.blueprint import pages
from portal.connectors.overview import Lines, Seen
from portal.guard import needs
from portal.permissions import Permission

NAMELESS: Final = "_"
"""What a connector is called while its own name can't be used."""


@pages.get("/connectors/new")
@needs(Permission.CHANGE_CONNECTORS)
def new() -> str:
    """First which way the connection is made, then the form."""
    kind = _kind()
    if kind is None:
        return render_template(
            "connectors/choose.html", protocols=sorted(AVAILABLE, key=lambda protocol: protocol.name)
        )
    like = request.args.get("like", "")
    lines: forms.Lines = ()
    if like:
        row = asking.stored(like)
        if row is None:
            abort(404, f"The database has no connector {like[:100]}.")
        lines = [one for one in connectors.stored(row).lines if shown(*one) == one[1]]
    return _form(forms.form(kind, house.config(), lines, names=_names()), "", like=like)


@pages.post("/connectors/new")
@needs(Permission.CHANGE_CONNECTORS)
def create() -> Response | str:
    """Add it."""
    kind = _kind()
    if kind is None:
        abort(400, "Choose first who opens the connection.")
    form = forms.form(kind, house.config(), names=_names())
    name = (form.name.data or "").strip()
    if not form.validate():
        return _form(form, "")
    lines = forms.read(form, _protocol().name)
    try:
        with house.writing() as session:
            wanted = Stored(name, tuple(lines), bool(form.disabled.data))
            warnings = connectors.add(session, house.actor(), house.around(), wanted, note=_note(form))
    except ConnectorFaults as error:
        forms.blame(form, name, error.faults, lines)
        if form.name.errors:
            forms.blame(form, NAMELESS, _but_for_its_name(lines), lines)
        return _form(form, "")
    return _kept(f"Connector {name} is made.", name, warnings)


@pages.get("/connectors/<name:name>/edit")
@needs(Permission.CHANGE_CONNECTORS)
def edit(name: str) -> str:
    """The form of one that is there."""
    row = own(name)
    return _form(_form_of(row), name, asking.known(name))


@pages.post("/connectors/<name:name>/edit")
@needs(Permission.CHANGE_CONNECTORS)
def change(name: str) -> Response | str:
    """Put what was posted in the place of what it has."""
    row = own(name)
    seen = asking.known(name)
    form = _form_of(row)
    before, lines = connectors.stored(row).lines, forms.read(form, _protocol(row).name)
    rebuilt = forms.rebuilding(before, lines) if seen.sessions and not row.disabled else []
    if form.validate() and rebuilt and not form.rebuild.data:
        form.rebuild.errors = [
            f"{', '.join(rebuilt)}: this change ends {acts.counted(seen.sessions or 0, 'session', 'sessions')}. Tick it if that may be."
        ]
    if form.seen.data and form.seen.data != row.updated.isoformat():
        form.form_errors.append(
            "Somebody has changed this connector since you opened the form. Load the page again, and look at what is new."
        )
    if form.errors or form.form_errors:
        return _form(form, name, seen)
    try:
        with house.writing() as session:
            warnings = connectors.change(session, house.actor(), house.around(), name, lines, note=_note(form))
    except ConnectorFaults as error:
        forms.blame(form, name, error.faults, lines)
        return _form(form, name, seen)
    return _kept(f"Connector {name} is changed.", name, warnings)


def _but_for_its_name(lines: forms.Lines) -> list[StoredFault]:
    """What is wrong with these lines besides: one with a wrong name is not examined any further."""
    with house.reading() as session:
        others = [connectors.stored(row) for row in connectors.listing(session)]
    found = house.around().examine([*others, Stored(NAMELESS, tuple(lines))]).faults
    return [fault for fault in found if fault.connector == NAMELESS]


def _note(form: forms.ConnectorForm) -> str:
    return str(form.note.data or "").replace("\r\n", "\n").strip()


def own(name: str) -> Connector:
    """A connector of the database; those of the file are told where they are changed."""
    row = asking.stored(name)
    if name in house.config().connectors:
        abort(409, f"Connector {name} stands in {house.config().file}: change it there, then reload the configuration.")
    if row is None:
        abort(404, f"The database has no connector {name[:100]}.")
    return row


def _kind(usual: ConnectorType | None = None) -> ConnectorType | None:
    """TYPE, as the address says."""
    word = request.args.get("type", "").upper()
    if not word:
        return usual
    if word not in ConnectorType.__members__:
        abort(400, "A connector is INCOMING or OUTGOING.")
    return ConnectorType[word]


def _protocol(row: Connector | None = None) -> Protocol:
    """PROTOCOL, as the address says."""
    word = request.args.get("protocol", "").upper()
    if not word and row is not None:
        return Protocol(Lines(connectors.stored(row)).value("PROTOCOL", Protocol.SMPP))
    if word and word not in Protocol.__members__:
        abort(400, "This protocol is not known.")
    return Protocol[word] if word else Protocol.SMPP


def _names() -> set[str]:
    """Connectors that a field may name."""
    with house.reading() as session:
        return {row.name for row in connectors.listing(session)} | set(house.config().connectors)


def _form_of(row: Connector) -> forms.ConnectorForm:
    stored = connectors.stored(row)
    kind = _kind(Lines(stored).value("TYPE", None)) or ConnectorType.INCOMING
    return forms.form(
        kind, house.config(), stored.lines, names=_names() - {row.name}, name=row.name, note=row.note, disabled=row.disabled,
        seen=row.updated.isoformat(),
    )  # fmt: skip


def _form(form: forms.ConnectorForm, name: str, seen: Seen | None = None, like: str = "") -> str:
    return render_template(
        "connectors/edit.html", form=form, name=name, seen=seen, like=like, open=forms.OPEN, action=request.full_path.rstrip("?"),
        other=ConnectorType.OUTGOING if form.kind is ConnectorType.INCOMING else ConnectorType.INCOMING,
        inherited=name != "", faults=sum(len(field.errors) for field in form),
    )  # fmt: skip


def _kept(sentence: str, name: str, warnings: list[StoredFault]) -> Response:
    """Done: the gateway is told, and the checker's warnings are shown."""
    flash(sentence, "success")
    for warning in warnings:
        flash(f"{warning.reason[:1].upper()}{warning.reason[1:]}.", "warning")
    house.tell_gateway()
    return made.turn(url_for(".one", name=name))


# -- switched, renamed, deleted


@pages.get("/connectors/<name:name>/disable")
@needs(Permission.CHANGE_CONNECTORS)
def ask_disable(name: str) -> str:
    """What it does to be disabled."""
    own(name)
    return made.confirm(
        f"Disable connector {name}",
        sentences=[*acts.ends(asking.known(name)), "It neither listens nor connects until it is enabled again."],
        action=url_for(".disable", name=name), verb="Disable it", back=url_for(".one", name=name),
    )  # fmt: skip


@pages.post("/connectors/<name:name>/disable")
@needs(Permission.CHANGE_CONNECTORS)
def disable(name: str) -> Response:
    """Neither listen nor connect; the queue is kept."""
    return _switch(name, disabled=True)


@pages.post("/connectors/<name:name>/enable")
@needs(Permission.CHANGE_CONNECTORS)
def enable(name: str) -> Response:
    """Listen or connect again."""
    return _switch(name, disabled=False)


def _switch(name: str, *, disabled: bool) -> Response:
    own(name)
    try:
        with house.writing() as session:
            warnings = connectors.switch(session, house.actor(), house.around(), name, disabled=disabled)
    except ConnectorFaults as error:
        for fault in error.faults:
            flash(f"Not {'disabled' if disabled else 'enabled'}: {fault.reason}.", "danger")
        return made.turn(url_for(".one", name=name))
    return _kept(f"Connector {name} is {'disabled' if disabled else 'enabled'}.", name, warnings)


class RenameForm(FlaskForm):
    """Another name."""

    new = StringField("New name", description=f"{SECTION_NAME_SAYS[:1].upper()}{SECTION_NAME_SAYS[1:]}.", render_kw={"maxlength": 64, "required": True})  # fmt: skip


@pages.route("/connectors/<name:name>/rename", methods=["GET", "POST"])
@needs(Permission.CHANGE_CONNECTORS)
def rename(name: str) -> Response | str:
    """Another name, while nothing names it."""
    own(name)
    form = RenameForm(data={"new": name})
    if form.validate_on_submit() and (turned := _rename(name, form)):
        return turned
    return _with_places("connectors/rename.html", name, form=form)


def _rename(name: str, form: RenameForm) -> Response | None:
    new = (form.new.data or "").strip()
    if new == name:
        form.new.errors = ["is the name that it has"]
        return None
    try:
        with house.writing() as session:
            warnings = connectors.rename(session, house.actor(), house.around(), name, new)
    except ConnectorFaults as error:
        form.new.errors = [fault.reason for fault in error.faults]
    except StillNamed:
        form.form_errors.append("It is still named, by what stands below.")
    else:
        return _kept(f"Connector {name} is now {new}.", new, warnings)
    return None


@pages.get("/connectors/<name:name>/delete")
@needs(Permission.CHANGE_CONNECTORS)
def ask_delete(name: str) -> str:
    """What is lost, or who still names it."""
    own(name)
    return _with_places("connectors/delete.html", name)


@pages.post("/connectors/<name:name>/delete")
@needs(Permission.CHANGE_CONNECTORS)
def delete(name: str) -> Response:
    """Take it out of the database."""
    own(name)
    try:
        with house.writing() as session:
            connectors.delete(session, house.actor(), house.around(), name)
    except StillNamed as error:
        flash(f"Not deleted: {error}.", "danger")
        return made.turn(url_for(".ask_delete", name=name))
    flash(f"Connector {name} is deleted.", "success")
    house.tell_gateway()
    return made.turn(url_for(".index"))


def _with_places(template: str, name: str, **more: Any) -> str:
    """A page that says what names a connector, and what would become of its sessions and messages."""
    with house.reading() as session:
        places = connectors.places(session, house.config(), name)
    seen = asking.known(name)
    return render_template(template, name=name, places=places, seen=seen, sentences=acts.ends(seen), **more)
