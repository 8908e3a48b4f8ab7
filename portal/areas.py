"""The table of the portal's areas: one row a folder, in the menu's order. `create_app` registers their blueprints, and `base.html` makes the menu of it."""

from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from flask import Blueprint

from portal.permissions import Permission


class Area(NamedTuple):
    """A row."""

    folder: str
    """Of `portal/`; `portal.FOLDER.views` has the `pages`, a blueprint of that name."""
    title: str = ""
    """In the menu; empty: it does not stand there."""
    icon: str = ""
    permission: Permission | None = None
    """Who sees it in the menu."""
    group: str = ""
    """The menu's heading over it."""


AREAS: Final = (
    Area("signin"),
    Area("own"),
    Area("dashboard", "Dashboard", "speedometer2", Permission.SEE_TRAFFIC),
    Area("connectors", "Connectors", "plug", Permission.SEE_CONNECTORS, "Traffic"),
    Area("queues", "Queues", "stack", Permission.SEE_QUEUES, "Traffic"),
    Area("messages", "Messages", "envelope", Permission.SEE_MESSAGES, "Traffic"),
    Area("send", "Send", "send", Permission.SEND, "Traffic"),
    Area("routes", "Routes", "signpost-split", Permission.SEE_ROUTES, "Tables"),
    Area("prices", "Prices", "tag", Permission.SEE_PRICES, "Tables"),
    Area("customers", "Customers", "building", Permission.SEE_CUSTOMERS, "Business"),
    Area("accounts", "Accounts", "person-badge", Permission.SEE_ACCOUNTS, "Business"),
    Area("reports", "Reports", "bar-chart", Permission.SEE_REPORTS, "Business"),
    Area("invoices", "Invoices", "receipt", Permission.SEE_INVOICES, "Business"),
    Area("server", "Server", "hdd-rack", Permission.SEE_SERVER, "House"),
    Area("people", "People", "people", Permission.SEE_PEOPLE, "House"),
    Area("api"),
)


def present() -> list[Area]:
    """Those whose folder is there."""
    here = Path(__file__).parent
    return [area for area in AREAS if (here / area.folder / "views.py").is_file()]


def blueprint(area: Area) -> Blueprint:
    """Its pages."""
    pages: Blueprint = import_module(f"portal.{area.folder}.views").pages
    return pages
