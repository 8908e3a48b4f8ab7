"""Which messages of a queue are meant: all, or an account's, or those to numbers with a prefix; and where they go."""

import re
from collections.abc import Sequence
from typing import Final

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length, ValidationError

NUMBER: Final = re.compile(r"\+?[0-9]{1,20}")


class SelectionForm(FlaskForm):
    """Read from an address for the preview, and from what is posted for the act."""

    account = StringField(
        "Account", [Length(max=64)], description="Only messages of this account. Nothing: of every account.",
        render_kw={"autocomplete": "off", "maxlength": 64},
    )  # fmt: skip
    prefix = StringField(
        "Prefix", description="Only messages to numbers that begin so: 46 or +4670. Nothing: to every number.",
        render_kw={"autocomplete": "off", "inputmode": "tel", "maxlength": 21},
    )  # fmt: skip

    def validate_prefix(self, field: StringField) -> None:
        """A prefix that no number can have would mean nothing, and one that is misread too much."""
        field.data = (field.data or "").strip()
        if field.data and not NUMBER.fullmatch(field.data):
            raise ValidationError("A prefix is up to 20 digits, with or without + before them.")

    @property
    def selection(self) -> dict[str, str]:
        """As the gateway takes it; nothing: everything."""
        chosen = {"account": (self.account.data or "").strip(), "prefix": (self.prefix.data or "").lstrip("+")}
        return {name: value for name, value in chosen.items() if value}


class TargetForm(SelectionForm):
    """The same, and another queue."""

    to = SelectField("To", [DataRequired("Say where they go.")], description="The queue that takes them.")

    def __init__(self, targets: Sequence[tuple[str, str]], **options: object) -> None:
        super().__init__(**options)
        self.to.choices = [("", "choose …"), *targets]
