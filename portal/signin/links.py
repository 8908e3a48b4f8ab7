"""What comes by mail: an invitation, or a link to choose another password. Never a password.

Whoever asks for one is told the same, after the same time, whether there is such a person or not. A link is good for a while and for one password; looking at it
uses nothing up. It logs nobody in: the second factor is asked for afterwards, as always.
"""

import datetime as dt
import logging
import time
from typing import Final
from urllib.parse import quote

import gevent
from flask import Blueprint, abort, flash, render_template, url_for
from werkzeug.wrappers import Response

from emg.db import audit, mail, people, web_tokens
from emg.db.changes import NotFound
from emg.db.engine import Session
from emg.db.models import Promise, WebToken, WebUser
from portal import house, logins
from portal import pages as made
from portal.formats import span
from portal.guard import open_to_all
from portal.signin.forms import ForgottenForm, RenewForm

ANSWER_SECONDS: Final = 0.4
"""After which whoever asks for a link is answered, whatever was done."""
log = logging.getLogger("emg.portal")


def install(pages: Blueprint) -> None:
    """These pages are part of that blueprint."""
    pages.add_url_rule("/forgotten", view_func=forgotten, methods=["GET", "POST"])
    pages.add_url_rule("/password/<token>", view_func=link, methods=["GET", "POST"])


def address(token: str) -> str:
    """The link, as it is mailed and shown."""
    base = house.config().portal_url or f"http://{house.config().portal}"
    return f"{base.rstrip('/')}/password/{quote(token)}"


def promise(tables: Session, user: WebUser, kind: Promise, actor: audit.Actor) -> str:
    """A new link for him, which is mailed when his mail address is known: the link."""
    row, token = web_tokens.make(tables, actor, user, kind, dt.datetime.now(dt.UTC))
    place = address(token)
    if user.email:
        mail.put(tables, f"{kind} {row.id}", user.email, *_letter(user, kind, row, place))
    return place


def _letter(user: WebUser, kind: Promise, row: WebToken, place: str) -> tuple[str, str]:
    server = house.config().servername or "EMG"
    until = f"{row.until:%Y-%m-%d %H:%M} UTC"
    if kind is Promise.INVITATION:
        subject, why = f"Your login to {server}", f"You can work with {server}. Your login is {user.name}."
        end = "If you expected no invitation, you need not do anything."
    else:
        subject, why = f"Your password at {server}", f"A new password was asked for, for the login {user.name}."
        end = "If it was not you who asked, you need not do anything: your password stays as it is."
    return subject, f"{why} Choose your password here, until {until}:\n\n{place}\n\nThe link is good once. {end}\n"


@open_to_all("it is for people who can't log in; it tells nothing, and is slowed down")
def forgotten() -> Response | str:
    """Have a link mailed."""
    form = ForgottenForm()
    if form.validate_on_submit():
        until = time.monotonic() + ANSWER_SECONDS
        asked = form.name.data.strip()
        wrong = house.wrong_logins()
        keys = (f"forgotten {asked.lower()}", f"forgotten address {house.address()}")
        if wait := wrong.wait(keys, time.monotonic()):
            form.form_errors.append(f"That was asked too often. Try again in {span(max(wait, 1))}.")
            return render_template("signin/forgotten.html", form=form)
        wrong.failed(keys, time.monotonic())
        _mail(asked)
        gevent.sleep(max(0.0, until - time.monotonic()))
        flash("If there is such a login and its mail address is known, a mail with a link is on its way.", "success")
        return made.turn(url_for("signin.login"))
    return render_template("signin/forgotten.html", form=form)


def _mail(asked: str) -> None:
    moment = dt.datetime.now(dt.UTC)
    with house.writing() as tables:
        try:
            found = [people.find(tables, asked)]
        except NotFound:
            found = people.by_mail(tables, asked)
        for user in found:
            if user.email and not user.locked and web_tokens.room(tables, user, moment):
                promise(tables, user, Promise.RESET, audit.Actor("", house.address()))
                audit.note(tables, audit.Actor("", house.address()), "forgotten", "web_user", user.name)


@open_to_all("the token in its address is 256 random bits, for one person, once; wrong ones are slowed down")
def link(token: str) -> Response | str:
    """Choose a password."""
    wrong, keys = house.wrong_logins(), (f"link address {house.address()}",)
    if wait := wrong.wait(keys, time.monotonic()):
        abort(429, f"There were too many wrong tries. Try again in {span(max(wait, 1))}.")
    with house.reading() as tables:
        found = web_tokens.find(tables, token, dt.datetime.now(dt.UTC))
    if found is None:
        wrong.failed(keys, time.monotonic())
        abort(
            404,
            "This link is of no use any more: it was used, its time is over, or it is not whole. Ask for another one.",
        )
    row, user = found
    form = RenewForm()
    if form.validate_on_submit() and _choose(token, form.new.data):
        flash("Your password is set. Log in with it.", "success")
        return made.turn(url_for("signin.login"))
    return render_template("signin/link.html", form=form, user=user, invited=row.promise is Promise.INVITATION)


def _choose(token: str, password: str) -> bool:
    hashed = logins.made(password.encode())
    with house.writing() as tables:
        found = web_tokens.find(tables, token, dt.datetime.now(dt.UTC), lock=True)
        if found is None:  # somebody was quicker
            abort(404, "This link was used just now.")
        row, user = found
        action = "accept" if row.promise is Promise.INVITATION else "password"
        people.set_password(tables, audit.Actor(user.name, house.address()), user.name, hashed, action=action)
        web_tokens.drop(tables, user.id)
    house.wrong_logins().succeeded(f"name {user.name.lower()}")
    log.info("%s has chosen a password by a link, from %s", user.name, house.address())
    return True
