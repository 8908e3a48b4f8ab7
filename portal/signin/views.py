"""Logging in and out, the second factor, and a password that has to be renewed. What comes by mail is in `links`.

A wrong name and a wrong password are told alike and cost the same. Wrong ones make their name and their address wait (`portal.throttle`), and are told to the log and, for
a name that exists, to the audit log.
"""

import logging
import time
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, flash, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from emg.db import audit, people, second_factor, web_sessions
from emg.db.changes import NotFound
from portal import house, logins, second
from portal import pages as made
from portal.formats import span
from portal.guard import half_way, open_to_all
from portal.signin import links
from portal.signin.forms import LoginForm, RenewForm, SecondForm

pages: Final = Blueprint("signin", __name__, template_folder="templates")
log = logging.getLogger("emg.portal")
links.install(pages)


@pages.route("/login", methods=["GET", "POST"])
@open_to_all("it is where one logs in; wrong tries are slowed down")
def login() -> Response | str:
    """Name and password."""
    if current_user.is_authenticated:
        return made.turn(_next())
    form = LoginForm()
    if form.validate_on_submit() and (turned := _try(form)):
        return turned
    return render_template("signin/login.html", form=form)


def _try(form: LoginForm) -> Response | None:
    name = form.name.data.strip()
    wrong = house.wrong_logins()
    keys = (f"name {name.lower()}", f"address {house.address()}")
    if wait := wrong.wait(keys, time.monotonic()):
        form.form_errors.append(f"There were too many wrong tries. Try again in {span(max(wait, 1))}.")
        return None
    user = logins.check(name, form.password.data or "")
    if user is None:
        wrong.failed(keys, time.monotonic())
        log.warning("wrong login %r from %s", name[:128], house.address())
        _note_wrong(name)
        form.form_errors.append("The login or the password is wrong.")
        return None
    wrong.succeeded(keys[0])
    with house.writing() as tables:
        found = people.find(tables, user.name, lock=True)
        logins.begin(tables, found)
        audit.note(tables, audit.Actor(found.name, house.address()), "login", "web_user", found.name)
    return made.turn(url_for("signin.second", next=request.args.get("next")) if found.totp_secret else _next())


def _note_wrong(name: str) -> None:
    with house.writing() as tables:
        try:
            people.find(tables, name)
        except NotFound:
            return  # what strangers type does not fill our tables
        audit.note(tables, audit.Actor("", house.address()), "login refused", "web_user", name)


def _next() -> str:
    """Where he wanted to go; never to another host."""
    wanted = request.args.get("next", "")
    parts = urlsplit(wanted)
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if own and wanted.isprintable() else url_for("dashboard.index")


@pages.route("/second", methods=["GET", "POST"], endpoint="second")
@half_way
def second_factor_page() -> Response | str:
    """The second factor, after the password."""
    if current_user.proven:
        return made.turn(_next())
    form = SecondForm()
    if form.validate_on_submit() and _proves(form):
        return made.turn(_next())
    return render_template("signin/second.html", form=form)


def _proves(form: SecondForm) -> bool:
    wrong, name = house.wrong_logins(), current_user.name
    keys = (f"code {name.lower()}", f"address {house.address()}")
    if wait := wrong.wait(keys, time.monotonic()):
        form.form_errors.append(f"There were too many wrong tries. Try again in {span(max(wait, 1))}.")
        return False
    wrong.failed(
        keys, time.monotonic()
    )  # before it is known: who asks a hundred times at once has tried a hundred times
    with house.writing() as tables:
        user = people.find(tables, name, lock=True)
        step = second.step_of(second.key(user.totp_secret or "", user.id), form.answer.data, time.time())
        spare = second.plain(form.answer.data)
        right = step is not None and second_factor.take_step(tables, name, step)
        recovered = not right and bool(spare) and second_factor.take_recovery(tables, house.actor(), name, spare)
        if right or recovered:
            web_sessions.prove(tables, current_user.login)
        else:
            audit.note(tables, house.actor(), "code refused", "web_user", name)
        left = second_factor.left(user)
    if right or recovered:
        wrong.succeeded(keys[0])
        if recovered:
            flash(f"That recovery code is used now; you have {left} more. Make new ones on your own page.", "warning")
        return True
    log.warning("wrong code for %s from %s", name, house.address())
    form.answer.errors = [*form.answer.errors, "is wrong, or was used already: wait for the next one"]
    return False


@pages.post("/logout")
@half_way
def logout() -> Response:
    """The end of this login."""
    logins.end()
    flash("You are logged out.", "success")
    return made.turn(url_for("signin.login"))


@pages.route("/password", methods=["GET", "POST"])
@half_way
def renew() -> Response | str:
    """Another password, when somebody else knows the old one."""
    if not current_user.must_change_password or not current_user.proven:
        return made.turn(url_for("dashboard.index"))
    form = RenewForm()
    if form.validate_on_submit():
        hashed = logins.made(form.new.data.encode())
        with house.writing() as tables:
            people.set_password(tables, house.actor(), current_user.name, hashed)
            user = people.find(tables, current_user.name)
            logins.begin(tables, user, proven=True)  # the change has logged him out everywhere
        flash("Your password is changed.", "success")
        return made.turn(url_for("dashboard.index"))
    return render_template("signin/renew.html", form=form)
