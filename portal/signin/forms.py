"""What somebody types to log in."""

from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from emg.rules.people_rows import LONGEST_PASSWORD, SHORTEST_PASSWORD
from portal import fields


class LoginForm(FlaskForm):
    """Name and password."""

    name = StringField(
        "Login", [InputRequired(), Length(max=128)], render_kw={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}
    )  # fmt: skip
    password = fields.password("Password", autocomplete="current-password")


class SecondForm(FlaskForm):
    """What his telephone shows, or a recovery code."""

    answer = StringField(
        "Code", [InputRequired(), Length(max=40)], description="The six digits that your telephone shows now, or one of your recovery codes.",
        render_kw={"autocomplete": "one-time-code", "autofocus": True, "autocapitalize": "characters", "spellcheck": "false"},
    )  # fmt: skip


class ForgottenForm(FlaskForm):
    """Who he is."""

    name = StringField(
        "Login or mail address", [InputRequired(), Length(max=255)], render_kw={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}
    )  # fmt: skip


class RenewForm(FlaskForm):
    """Another password, twice."""

    new = fields.password(
        "New password",
        f"At least {SHORTEST_PASSWORD} characters; a sentence is easier to remember, and harder to guess.",
    )
    again = fields.password("Once more")

    def validate(self, extra_validators: object = None) -> bool:
        """Both are the same, and long enough."""
        if not super().validate(extra_validators):
            return False
        text = self.new.data or ""
        if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD or not text.isprintable():
            self.new.errors = [f"must be {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"]
        elif text != (self.again.data or ""):
            self.again.errors = ["is not the same"]
        else:
            return True
        return False
