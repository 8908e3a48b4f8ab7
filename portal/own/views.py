"""The page of whoever is logged in, for himself."""

import time
from typing import Any, Final

from flask import Blueprint, abort, current_app, flash, render_template, url_for
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from emg.db import audit, people, second_factor, web_sessions
from portal import house, logins, second
from portal import pages as made
from portal.formats import span
from portal.guard import needs, words
from portal.own.forms import PasswordForm, SetUpForm, SureForm
from portal.permissions import Permission

pages: Final = Blueprint("own", __name__, template_folder="templates")
SET_UP_SECONDS: Final = 1800


@pages.get("/me")
@needs(Permission.OWN)
def index() -> str:
    """Who he is and where he is logged in."""
    with house.reading() as tables:
        user = people.find(tables, current_user.name)
        sessions, left = web_sessions.of_user(tables, user.id), second_factor.left(user)
    return made.render("own/index.html", user=user, role=words(user.role), sessions=sessions, left=left)


def _sure(form: Any) -> bool:
    """The password that holds now was typed."""
    keys = (f"name {current_user.name.lower()}", f"address {house.address()}")
    wrong = house.wrong_logins()
    if wait := wrong.wait(keys, time.monotonic()):
        form.old.errors = [f"there were too many wrong tries; try again in {span(max(wait, 1))}"]
        return False
    if logins.check(current_user.name, form.old.data or "") is None:
        wrong.failed(keys, time.monotonic())
        form.old.errors = ["is wrong"]
        return False
    wrong.succeeded(keys[0])
    return True


@pages.route("/me/password", methods=["GET", "POST"])
@needs(Permission.OWN)
def password() -> Response | str:
    """Another password."""
    form = PasswordForm()
    if form.validate_on_submit() and _sure(form):
        hashed = logins.made(form.new.data.encode())
        with house.writing() as tables:
            people.set_password(tables, house.actor(), current_user.name, hashed)
            logins.begin(tables, people.find(tables, current_user.name), proven=True)
        flash("Your password is changed; wherever else you were logged in you are logged out.", "success")
        return made.turn(url_for("own.index"))
    return render_template(
        "own/form.html", title="Another password", form=form, shown=("old", "new", "again"), verb="Change it"
    )


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or b"", salt="second factor")


@pages.route("/me/second", methods=["GET", "POST"])
@needs(Permission.OWN)
def set_up() -> Response | str:
    """A telephone as second factor; it counts when it has shown a code."""
    form = SetUpForm()
    if form.is_submitted():
        try:
            seed, owner = _signer().loads(form.seed.data or "", max_age=SET_UP_SECONDS)
        except BadSignature:
            abort(400, "This page was too old. Begin once more.")
        if owner != current_user.id:
            abort(400, "This page was made for somebody else.")
    else:
        seed = second.seed()
        form.seed.data = _signer().dumps([seed, current_user.id])
    key = second.key(seed, current_user.id)
    if form.validate_on_submit() and _sure(form):
        step = second.step_of(key, form.answer.data, time.time())
        if step is not None:
            return _begin(seed, step)
        form.answer.errors = [*form.answer.errors, "is not what your telephone should show; is its clock right?"]
    told = second.address(key, current_user.name, house.config().servername)
    return render_template(
        "own/second.html",
        form=form,
        key=" ".join(key[at : at + 4] for at in range(0, len(key), 4)),
        picture=second.picture(told),
    )


def _begin(seed: str, step: int) -> Response | str:
    codes = second.recovery_codes()
    with house.writing() as tables:
        second_factor.set_up(
            tables, house.actor(), current_user.name, seed, step, [second.plain(code) for code in codes]
        )
        web_sessions.end_all(tables, people.find(tables, current_user.name), but=current_user.token)
    return render_template("own/codes.html", codes=codes)


@pages.route("/me/codes", methods=["GET", "POST"])
@needs(Permission.OWN)
def codes() -> Response | str:
    """Other recovery codes."""
    form = SureForm()
    if not current_user.has_second:
        return made.turn(url_for("own.index"))
    if form.validate_on_submit() and _sure(form):
        fresh = second.recovery_codes()
        with house.writing() as tables:
            second_factor.renew_codes(tables, house.actor(), current_user.name, [second.plain(code) for code in fresh])
        return render_template("own/codes.html", codes=fresh)
    return render_template(
        "own/form.html", title="New recovery codes", form=form, shown=("old",), verb="Make ten new ones"
    )


@pages.route("/me/second/off", methods=["GET", "POST"])
@needs(Permission.OWN)
def off() -> Response | str:
    """No second factor any more."""
    form = SureForm()
    if form.validate_on_submit() and _sure(form):
        with house.writing() as tables:
            second_factor.remove(tables, house.actor(), current_user.name)
        flash("You are not asked for a second factor any more.", "success")
        return made.turn(url_for("own.index"))
    return render_template("own/form.html", title="No second factor", form=form, shown=("old",), verb="Take it away")


@pages.post("/me/sessions/<int:number>/end")
@needs(Permission.OWN)
def end(number: int) -> Response:
    """Log out at one browser."""
    with house.writing() as tables:
        if not web_sessions.end_one(tables, current_user.id, number):
            abort(404, "That login is over already.")
        audit.note(tables, house.actor(), "log out", "web_user", current_user.name)
    flash("That login has ended.", "success")
    return made.turn(url_for("own.index"))


@pages.post("/me/sessions/end")
@needs(Permission.OWN)
def end_others() -> Response:
    """Log out everywhere but here."""
    with house.writing() as tables:
        web_sessions.end_all(tables, people.find(tables, current_user.name), but=current_user.token)
        audit.note(tables, house.actor(), "log out", "web_user", current_user.name)
    flash("All your other logins have ended.", "success")
    return made.turn(url_for("own.index"))
