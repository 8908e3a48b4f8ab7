"""The form of a connector, made of the keyword table: a field for each keyword that concerns its type, by groups, with help, default and example.

What stands in a field is what stood in a section of the file after `=`, without quotes. An empty field is a line that is not there: the
default, which the field shows, holds. A secret never comes back: an empty field keeps the one that is there.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from flask_wtf import FlaskForm
from markupsafe import escape
from wtforms import BooleanField, HiddenField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields import Field as FormField
from wtforms.fields.choices import SelectChoice

from emg.config import kinds, notyet
from emg.config.effective import quoted
from emg.config.keywords import Apply, Keyword
from emg.config.kinds import FLAG
from emg.config.model import ServerConfig
from emg.config.stored import REFERENCE, ROWS, StoredFault, as_value, line, plain, shown
from emg.config.syntax import SECTION_NAME_SAYS
from emg.config.values import ConnectorType
from portal.formats import NONE

SAID: Final = frozenset({"TYPE", "PROTOCOL", "DISABLED", "USERS"})
"""Keywords without a field: chosen before, a switch of its own, or of the configuration file alone."""
DROP: Final = "drop-"
"""Before the keyword of a line that the form has no field for: a tick takes it away."""
LONGEST: Final = 4096
MOST_OFFERED: Final = 500
OPEN: Final = frozenset({"Connection and sessions", "Login"})
"""Groups that stand open in the form of a new connector."""

Lines = Sequence[tuple[str, str]]


def concerned(kind: ConnectorType) -> list[Keyword]:
    """Keywords that have an effect in connectors of this type and can be set here."""
    inert = notyet.INERT["CONNECTOR"]
    return [
        row
        for row in ROWS.values()
        if row.name not in SAID and row.name not in inert and (row.only is None or row.only is kind)
    ]


def usual_value(row: Keyword, kind: ConnectorType, config: ServerConfig) -> Any:
    """What holds where nothing is set."""
    if row.inherits:
        return getattr(config, row.inherits.lower())
    return row.incoming if row.incoming is not None and kind is ConnectorType.INCOMING else row.default


def usual(row: Keyword, kind: ConnectorType, config: ServerConfig) -> str:
    """The same in words; empty where something has to be set, or nothing holds."""
    value = usual_value(row, kind, config)
    if row.needed is True or row.needed is kind:
        return ""
    if row.otherwise:
        return row.otherwise
    text = "" if value is None else str(row.kind.show(value))
    unit = row.unit.removesuffix("s") if text == "1" else row.unit
    return f"{text} {unit}" if text.replace(".", "").isdigit() and row.unit else text


class ConnectorForm(FlaskForm):
    """What each connector's form has; the keywords' fields are added by `form`."""

    name = StringField("Name", description=f"How routes, prices and logs call it: {SECTION_NAME_SAYS}.", render_kw={"maxlength": 64, "required": True})  # fmt: skip
    note = TextAreaField("Note", description="For people's eyes.", render_kw={"maxlength": 2000, "rows": 2})
    disabled = BooleanField("Disabled", description="It neither listens nor connects yet.")
    rebuild = BooleanField("Rebuild sessions")
    seen = HiddenField()

    kind: ConnectorType
    config: ServerConfig
    lines: dict[str, str]
    """As they were."""

    @property
    def groups(self) -> dict[str, list[FormField]]:
        """The keywords' fields by their groups, in the table's order."""
        found: dict[str, list[FormField]] = {}
        for row in concerned(self.kind):
            found.setdefault(row.group, []).append(self[row.name])
        return found

    def set_in(self, group: list[FormField]) -> int:
        """How many of these are set."""
        return sum(bool(field.data) or (field.name in self.lines and ROWS[field.name].secret) for field in group)

    @property
    def secrets(self) -> list[FormField]:
        """Fields whose content does not come back."""
        return [field for field in self if field.type == "PasswordField"]

    @property
    def others(self) -> list[FormField]:
        """Ticks that take away lines which the form has no fields for."""
        return [field for field in self if field.name.startswith(DROP)]


def form(
    kind: ConnectorType,
    config: ServerConfig,
    lines: Lines = (),
    *,
    names: Collection[str] = (),
    **given: Any,
) -> ConnectorForm:
    """A form filled with what was posted, else with these lines. `names`: connectors that fields offer; `given`: of the other fields."""
    old = dict(lines)
    rows = {row.name: row for row in concerned(kind)}
    members = {row.name: _field(row, kind, config, old, names) for row in rows.values()}
    others = [keyword for keyword in old if keyword not in rows and keyword not in ("TYPE", "PROTOCOL")]
    members |= {DROP + keyword: _drop(keyword, old[keyword]) for keyword in others}
    made: type[ConnectorForm] = type("ConnectorForm", (ConnectorForm,), members)
    data: dict[str, Any] = {
        name: text_of(row, old[name]) for name, row in rows.items() if name in old and not row.secret
    }
    data |= {DROP + keyword: keyword in ROWS for keyword in others}
    done = made(data=data | given)
    done.kind, done.config, done.lines = kind, config, old
    return done


def text_of(row: Keyword, value: str) -> str:
    """A line's value as its field shows it."""
    if not value and row.kind.bare:
        return "yes"
    text = plain(value)
    if text is None:
        return value
    if row.kind is FLAG or row.kind.choices:
        try:
            return row.kind.show(row.kind.parse(text))
        except ValueError:
            return text
    return text


def _drop(keyword: str, value: str) -> Any:
    told = line(keyword, shown(keyword, value))
    return BooleanField(
        f"Take away {told}", description="This form has no field for it: it has no effect in such a connector."
    )


def _field(
    row: Keyword, kind: ConnectorType, config: ServerConfig, old: Mapping[str, str], names: Collection[str]
) -> Any:
    told, as_usual = help_of(row), usual(row, kind, config)
    needed = row.needed is True or row.needed is kind
    if row.secret:
        kept = "kept as it is" if row.name in old else ""
        options = {
            "autocomplete": "new-password",
            "maxlength": 1024,
            "placeholder": kept,
            "required": needed and not kept,
        }
        return PasswordField(row.name, description=told, render_kw=options)
    if row.kind is FLAG or row.kind.choices:
        words = ("yes", "no") if row.kind is FLAG else row.kind.choices
        now = text_of(row, old[row.name]) if row.name in old else ""
        strange = [now] if now and now not in words else []
        first = SelectChoice("", f"as usual: {as_usual}" if as_usual else NONE)
        return SelectField(row.name, description=told, choices=[first, *map(SelectChoice, (*words, *strange))])
    offered = sorted(names)[:MOST_OFFERED] if row.kind is kinds.CONNECTOR_NAME else []
    if row.kind is kinds.ID_FORMAT:
        offered = list(kinds.ID_FORMATS)
    options = {
        "maxlength": LONGEST,
        "placeholder": as_usual,
        "required": needed,
        "autocomplete": "off",
        "spellcheck": "false",
    }
    return StringField(row.name, description=told, render_kw=options | ({"data_offered": offered} if offered else {}))


def help_of(row: Keyword) -> str:
    """The help of a field, as HTML."""
    parts = [row.about]
    if row.kind is not FLAG and not row.kind.choices:
        says = row.kind.says
        parts.append(f"{says[:1].upper()}{says[1:]}{'' if says.endswith('.') else '.'}")
        if row.example and not row.secret:
            parts.append(f"Example: {row.example}.")
    if row.secret:
        parts.append("${NAME} takes it from the gateway's environment instead.")
    if row.apply is Apply.SESSIONS:
        parts.append("A change rebuilds the sessions.")
    return str(escape(" ".join(parts)))


def read(given: ConnectorForm, protocol: str) -> list[tuple[str, str]]:
    """The lines that were posted, in the order that they had; new ones behind."""
    old = given.lines
    wanted: dict[str, str] = {"TYPE": given.kind.name, "PROTOCOL": protocol}
    wanted |= {
        keyword: value for keyword, value in old.items() if DROP + keyword in given and not given[DROP + keyword].data
    }
    for row in concerned(given.kind):
        value = _value(row, str(given[row.name].data or ""), old.get(row.name))
        if value is not None:
            wanted[row.name] = value
    ordered = [keyword for keyword in ("TYPE", "PROTOCOL", *old, *wanted) if keyword in wanted]
    return [(keyword, wanted[keyword]) for keyword in dict.fromkeys(ordered)]


def _value(row: Keyword, given: str, old: str | None) -> str | None:
    """The line's value; None: no line."""
    if row.secret:
        if not given:
            return old
        return given if REFERENCE.fullmatch(given) else quoted(given)
    text = given.strip()
    if old is not None and text == text_of(row, old):
        return old  # as it was written, so that nothing changes that nobody changed
    if not text:
        return None
    if row.kind is FLAG:
        return "" if text == "yes" else text
    return as_value(text)


def rebuilding(before: Lines, after: Lines) -> list[str]:
    """Keywords whose lines differ and whose change rebuilds the sessions."""
    old, new = dict(before), dict(after)
    differing = [keyword for keyword in dict.fromkeys([*old, *new]) if old.get(keyword) != new.get(keyword)]
    return [keyword for keyword in differing if keyword in ROWS and ROWS[keyword].apply is Apply.SESSIONS]


def blame(given: ConnectorForm, name: str, faults: Sequence[StoredFault], lines: Lines) -> None:
    """Put each fault at its field; what has none stands above the form."""
    values = dict(lines)
    for fault in faults:
        reason, keyword = fault.reason, fault.keyword
        if not keyword and reason.startswith("has no "):
            keyword = reason.split()[2].strip(";,.")
        prefix = f"{keyword}={values.get(keyword, '')} "
        reason = reason.removeprefix(prefix).removeprefix(f"{keyword} ")
        if fault.connector != name and fault.connector:
            given.form_errors.append(f"Connector {fault.connector}: {fault.reason}")
        elif keyword in given and keyword in ROWS:
            given[keyword].errors = [*given[keyword].errors, reason]
        elif not keyword and ("name" in reason):
            given.name.errors = [*given.name.errors, reason]
        else:
            given.form_errors.append(fault.reason[:1].upper() + fault.reason[1:] + ".")
