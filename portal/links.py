"""Links to pages of other areas, which may not be there, or not for whoever looks: `{{ link('/messages/17', '17') }}` is a link where it leads somewhere for him, else the words alone.

Areas know each other by addresses only, and these stay.
"""

from flask import Flask, current_app
from flask_login import current_user
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from portal import guard
from portal.permissions import Permission, may


def leads(path: str) -> bool:
    """There is such a page, and the person who asks may see it."""
    try:
        endpoint, _values = current_app.url_map.bind("localhost").match(path.partition("?")[0], "GET")
    except RequestRedirect:
        return True
    except HTTPException:
        return False
    mark = guard.mark_of(current_app.view_functions[endpoint])
    if mark is None or mark not in Permission.__members__:
        return mark is not None
    return bool(current_user.is_authenticated) and may(current_user.role, Permission[mark])


def link(path: str, words: object, look: str = "") -> Markup:
    """The words, as a link if it leads somewhere. `look`: its classes."""
    if not leads(path):
        return escape(words)
    return Markup('<a href="{}"{}>{}</a>').format(path, Markup(' class="{}"').format(look) if look else "", words)


def install(app: Flask) -> None:
    """For the templates of this application."""
    app.jinja_env.globals.update(leads=leads, link=link)
