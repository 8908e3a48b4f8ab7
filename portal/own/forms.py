"""What somebody types on his own page; what matters asks for the password once more: a browser may have been left open."""

from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from portal import fields
from portal.signin.forms import RenewForm


class PasswordForm(RenewForm):
    """Another password, and the one that holds now."""

    old = fields.password("Your password now", autocomplete="current-password")


class SureForm(FlaskForm):
    """The password alone."""

    old = fields.password("Your password", autocomplete="current-password")


class SetUpForm(SureForm):
    """That the telephone has the key."""

    seed = HiddenField()
    answer = StringField(
        "Code", [InputRequired(), Length(max=10)], render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"}
    )
