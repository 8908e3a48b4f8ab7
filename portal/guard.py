"""Nobody sees a page that he may not see: every view names the permission that it needs, and one that names none is refused.

    @pages.get("/connectors")
    @needs(Permission.SEE_CONNECTORS)
    def connectors(): …

`needs` holds for people who are logged in, have shown their second factor, and need no other password first. `open_to_all` is for the few pages before that;
`half_way` for those between the password and the rest. A view of another kind of caller (the REST API) brings its own guard with `guarded_by`. The test that walks
all routes reads the same marks.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from emg.db.models import Role
from portal.permissions import Permission, may

View = TypeVar("View", bound=Callable[..., Any])
Guard = Callable[[], Response | None]
MARK: Final = "_emg_guard"


def needs(permission: Permission) -> Callable[[View], View]:
    """For people who have this permission."""

    def guard() -> Response | None:
        if turned := _complete():
            return turned
        if not may(current_user.role, permission):
            abort(403, f"Your role, {words(current_user.role)}, may not {permission.about}.")
        return None

    return _marked(guard, permission.name)


def open_to_all(why: str) -> Callable[[View], View]:
    """For everybody, and why that is safe."""
    assert why, "say why"
    return _marked(lambda: None, f"open: {why}")


def half_way(view: View) -> View:
    """For somebody whose password was right, whatever else is still asked of him."""

    def guard() -> Response | None:
        return None if current_user.is_authenticated else _to_login()

    return _marked(guard, "half way")(view)


def guarded_by(guard: Guard, name: str) -> Callable[[View], View]:
    """For other callers than people; `guard` answers, aborts, or gives None."""
    return _marked(guard, name)


def _marked(guard: Guard, name: str) -> Callable[[View], View]:
    def mark(view: View) -> View:
        assert not hasattr(view, MARK), f"{view} has two guards"
        setattr(view, MARK, (guard, name))
        return view

    return mark


def mark_of(view: Callable[..., Any]) -> str | None:
    """What guards a view, by name; None: nothing does, so that nobody gets in."""
    mark: tuple[Guard, str] | None = getattr(view, MARK, None)
    return mark[1] if mark else None


def install(app: Flask) -> None:
    """Hold it for every request."""
    app.before_request(_check)


def _check() -> Response | None:
    if request.endpoint is None:
        return None  # no such page: the answer is 404 whoever asks
    view = current_app.view_functions[request.endpoint]
    mark: tuple[Guard, str] | None = getattr(view, MARK, None)
    if mark is None:
        current_app.logger.error("%s has no guard: nobody may see it", request.endpoint)
        abort(403)
    turned = mark[0]()
    if away := g.get("database_away"):
        raise away  # who asks can't be known
    return turned


def _complete() -> Response | None:
    """Somebody who is wholly logged in; else the page where that goes on."""
    if not current_user.is_authenticated:
        return _to_login()
    if not current_user.proven:
        return _turn("signin.second")
    if current_user.must_change_password:
        return _turn("signin.renew")
    return None


def _to_login() -> Response:
    asked = request.full_path.rstrip("?") if request.method == "GET" and not is_part() else ""
    return _turn("signin.login", asked if asked != "/" else "")


def _turn(endpoint: str, asked: str = "") -> Response:
    """To another page; a part of a page that is renewed can't hold that one, so the browser goes there as a whole."""
    place = url_for(endpoint, next=asked or None)
    return Response(status=204, headers={"HX-Redirect": place}) if is_part() else redirect(place)


def is_part() -> bool:
    """The browser asks through htmx, for a part of the page that stands there."""
    return request.headers.get("HX-Request") == "true"


def allowed(permission: Permission) -> bool:
    """The person who asks has it; for buttons and menus."""
    return bool(current_user.is_authenticated) and may(current_user.role, permission)


_WORDS: Final = {
    Role.OWNER: "owner",
    Role.ENGINEER: "engineer",
    Role.FINANCE: "finance",
    Role.CUSTOMER_ADMIN: "customer administrator",
    Role.CUSTOMER_USER: "customer user",
}


def words(role: Role) -> str:
    """A role as people say it."""
    return _WORDS[role]
