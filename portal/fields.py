"""Forms that are made from a table of fields (`emg.rules.rows`): labels, help, choices and checks stand there once, for the shell, CSV files and here.

    form = fields.form(CUSTOMER, known, values=customers.values(row))      # values: of the row that is changed; none for a new one
    if form.validate_on_submit() and (given := fields.read(form, CUSTOMER, known)) is not None:
        with house.writing() as session: customers.add(session, house.actor(), given)

`read` gives the values, or None when there are faults; each stands at its field then. A fault that only the database can find comes as `RowFaults` from
the query: `fields.blame(form, error)` puts it where it belongs.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields import Field as FormField
from wtforms.fields.choices import SelectChoice

from emg.config.kinds import FLAG
from emg.rules import rows
from emg.rules.faults import TableFaults
from emg.rules.rows import Field, Fields, Known

MOST_OFFERED: Final = 500
"""Names that a field offers."""
LONGEST: Final = 20_000
"""Characters of one field."""
TAKEN: Final = frozenset({"content", "menu", "problems", "theme"})
"""Ids that `base.html` has: a field of such a name gets another."""
_LABELS: Final = {"vat": "VAT", "vat_number": "VAT number", "email": "E-mail", "sourceaddr": "Sender addresses", "force_sourceaddr": "Forced sender address",
    "routedlr": "Route of reports", "maxparts": "Most parts", "maxqueuesize": "Queue limit", "windowsize": "Window", "perpartdlr": "A report for each part",
    "throughput": "Messages a second"}  # fmt: skip
"""Labels of fields whose name says too little."""


class RowForm(FlaskForm):
    """A form over a table of fields; `form` makes one."""

    def __iter__(self) -> Any:
        """Its fields, in the table's order, without the token."""
        return (field for field in super().__iter__() if field.name != "csrf_token")


def label(name: str) -> str:
    """A field's name for people."""
    text = _LABELS.get(name) or name.replace("_", " ")
    return text[:1].upper() + text[1:]


def form(
    fields: Fields,
    known: Known,
    *,
    values: Mapping[str, Any] | None = None,
    omit: Collection[str] = (),
    only: Collection[str] | None = None,
    prefix: str = "",
) -> RowForm:
    """A form with these fields, filled with what was posted, else with `values`, else with the defaults."""
    chosen = {
        name: field
        for name, field in fields.items()
        if name not in omit and (only is None or name in only) and not field.secret
    }
    members = {name: _form_field(field, known) for name, field in chosen.items()}
    for name in members.keys() & TAKEN:
        members[name].kwargs["id"] = f"field-{name}"
    made: type[RowForm] = type("RowForm", (RowForm,), members)
    return made(prefix=prefix, data={name: _shown(field, values) for name, field in chosen.items()})


def _shown(field: Field, values: Mapping[str, Any] | None) -> Any:
    value = field.default if values is None else values.get(field.name, field.default)
    return bool(value) if _is_flag(field) else rows.text(field, value)


def _is_flag(field: Field) -> bool:
    return field.kind is FLAG and field.default is not None


def _form_field(field: Field, known: Known) -> Any:
    """A field that may be left open (None) is offered with that as a choice of its own."""
    title, told = label(field.name), field.about
    if _is_flag(field):
        return BooleanField(title, description=told)
    if field.kind is FLAG:
        words = [SelectChoice("", "as the connector says"), SelectChoice("yes"), SelectChoice("no")]
        return SelectField(title, description=told, choices=words)
    if field.kind.choices:
        none = [] if field.needed or rows.text(field, field.default) else [SelectChoice("", "–")]
        words = [SelectChoice(word, word.replace("_", " ")) for word in field.kind.choices]
        return SelectField(title, description=told, choices=[*none, *words])
    says = f"{told} {field.kind.says[:1].upper()}{field.kind.says[1:]}." if field.kind.says not in told else told
    offered = sorted(getattr(known, field.refers) or ())[:MOST_OFFERED] if field.refers else []
    options = {
        "description": says,
        "render_kw": {"maxlength": LONGEST, "data_offered": offered, "required": field.needed},
    }
    return TextAreaField(title, **options) if _takes_lines(field) else StringField(title, **options)


def _takes_lines(field: Field) -> bool:
    """A field of one line would lose the ends of the others."""
    try:
        return bool(field.kind.parse("a\nb") == "a\nb")
    except ValueError:
        return False


def read(given: RowForm, fields: Fields, known: Known) -> dict[str, Any] | None:
    """The values of what was posted; None when there are faults, which then stand at their fields."""
    texts = {field.short_name: _text(field) for field in given if field.short_name in fields}
    try:
        return rows.read(fields, texts, known, whole=False)
    except TableFaults as error:
        blame(given, error)
        return None


def _text(field: FormField) -> str:
    if isinstance(field, BooleanField):
        return "yes" if field.data else "no"
    return str(field.data or "")


def blame(given: FlaskForm, error: TableFaults) -> None:
    """Put each fault at its field; what has none stands above the form."""
    by_name = {field.short_name: field for field in given if hasattr(field, "short_name")}
    for fault in error.faults:
        field = by_name.get(fault.field)
        if field is not None:
            field.errors = [*field.errors, fault.reason]
        else:
            given.form_errors.append(f"{fault.field}: {fault.reason}" if fault.field else fault.reason)


def faults_of(forms: Iterable[FlaskForm]) -> int:
    """How many faults stand in these forms."""
    return sum(len(form.form_errors) + sum(len(field.errors) for field in form) for form in forms)


def password(title: str, about: str = "", *, autocomplete: str = "new-password") -> PasswordField:
    """A field for a password; what was typed never comes back in the page."""
    return PasswordField(title, description=about, render_kw={"autocomplete": autocomplete, "maxlength": 1024})
