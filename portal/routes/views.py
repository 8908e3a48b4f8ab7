"""Routes: the pages of `portal.rule_tables`, and the route tester."""

from typing import Final

from flask import Blueprint

from emg.db.routes import ROUTES
from emg.rules.route_rows import HELPS, parse_routes, route_of
from portal.guard import needs
from portal.permissions import Permission
from portal.routes.tester import page
from portal.rule_tables import Rules
from portal.rule_tables.register import register

pages: Final = Blueprint("routes", __name__, template_folder="templates")
PAGES: Final = register(
    pages,
    Rules(
        "routes", "route", ROUTES, parse_routes, route_of, HELPS, Permission.SEE_ROUTES, Permission.CHANGE_ROUTES, Permission.SEE_ROUTES,
        ("prefix", "decides", "account", "connector", "enabled"), lambda config: config.routes, {"enabled": ("yes", "no")},
    ),
)  # fmt: skip


@pages.get("/routes/test")
@needs(Permission.SEE_ROUTES)
def test() -> str:
    """Which way a message would go."""
    return page()
