"""`create_app`: the only place where the portal's parts are built and joined."""

import logging
from functools import wraps
from typing import Any, Final

from flask import Flask, g
from flask_bootstrap import Bootstrap5
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect

from emg.config.model import ServerConfig
from emg.db.engine import Database
from portal import areas, assets, errors, formats, guard, headers, house, links, logins, names, scope
from portal.guard import open_to_all
from portal.house import House
from portal.permissions import Permission

LARGEST_UPLOAD: Final = 32 << 20
"""Octets of a request: a file of 100,000 rows has some 10 MB."""
LARGEST_FORM: Final = 2 << 20
"""Octets of a form's fields that are no files."""
MOST_FIELDS: Final = 2000

log = logging.getLogger("emg.portal")


def create_app(config: ServerConfig, database: Database, secret: bytes) -> Flask:
    """The portal, as a WSGI application. `secret` signs its cookies and forms."""
    tls = (config.portal_url or "").startswith("https:")
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secret,
        SQLALCHEMY_DATABASE_URI="sqlite://",  # asked for, not used: `house.Tables` brings its engine
        SESSION_COOKIE_NAME="emg",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=tls,
        MAX_CONTENT_LENGTH=LARGEST_UPLOAD,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        MAX_FORM_PARTS=MOST_FIELDS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # SameSite and the token hold; a Referer may be missing
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension("jinja2.ext.do")
    made = House(config, database)
    app.extensions[house.NAME] = made
    made.tables.init_app(app)
    forms = CSRFProtect(app)
    Bootstrap5(app)
    logins.install(app)
    guard.install(app)
    errors.install(app)
    headers.install(app, tls=tls)
    assets.install(app)
    formats.install(app)
    names.install(app)
    links.install(app)
    for area in areas.present():
        app.register_blueprint(areas.blueprint(area))
        if area.folder == "api":
            forms.exempt(
                areas.blueprint(area)
            )  # no cookie is looked at there, so that nobody can have a browser ask for him
    for endpoint, view in list(app.view_functions.items()):
        if endpoint.endswith("static"):
            app.view_functions[endpoint] = _open(view)
    app.context_processor(_context)
    app.jinja_env.globals["ui"] = app.jinja_env.get_template("ui.html").module
    return app


def _open(view: Any) -> Any:
    """A view of Flask's that gives files."""

    @open_to_all("styles, scripts and icons, the same for everybody")
    @wraps(view)
    def give(**values: Any) -> Any:
        return view(**values)

    return give


def _context() -> dict[str, Any]:
    """What every template knows."""
    return {
        "menu": _menu(),
        "may": guard.allowed,
        "Permission": Permission,
        "is_house": current_user.is_authenticated and scope.is_house(),
        "own_page": "/me" if current_user.is_authenticated and current_user.proven else "",
        "gateway_away": g.get("gateway_away", ""),
        "server_name": house.config().servername,
    }


def _menu() -> list[tuple[str, list[areas.Area]]]:
    """Headings, each with the areas that this person sees."""
    groups: dict[str, list[areas.Area]] = {}
    if current_user.is_authenticated and current_user.proven and not current_user.must_change_password:
        for area in areas.present():
            if area.title and area.permission is not None and guard.allowed(area.permission):
                groups.setdefault(area.group, []).append(area)
    return list(groups.items())
