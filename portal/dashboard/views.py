"""The first page: what somebody looks at when he wants to know whether all is well.

It has four parts, each of which is renewed by itself: alerts, the traffic now, balances that are low, the last hours. People of a customer get the same of his accounts alone, and
nothing of connectors, queues and alerts.
"""

import time
from collections.abc import Callable
from typing import Any, Final, cast

from flask import Blueprint, current_app, request

from emg.control import balances as told_balances
from emg.control.client import part
from emg.db import balances, customers, low_balances
from emg.errors import ControlError
from portal import house, scope, watchdog
from portal import pages as made
from portal.dashboard import hours, pulse
from portal.dashboard.pulse import Pulse
from portal.guard import allowed, is_part, needs
from portal.permissions import Permission

pages: Final = Blueprint("dashboard", __name__, template_folder="templates")
PULSE: Final = "emg.pulse"
ALL: Final = ("accepted", "sent", "delivered", "failed")
LONGEST_QUEUES: Final = 6
FEW: Final = 5
"""So many accounts are asked for one by one; of more the whole list is looked through."""

Values = dict[str, Any]


@pages.get("/")
@needs(Permission.SEE_TRAFFIC)
def index() -> str:
    """The page."""
    asked = request.args.get("part", "") if is_part() else ""
    values: Values = {}
    for name, look in PARTS.items():
        if asked in ("", name):
            values |= look()
    return made.render("dashboard/index.html", **values)


def _pulse() -> Pulse:
    return cast(Pulse, current_app.extensions.setdefault(PULSE, Pulse()))


# -- traffic now


def _now() -> Values:
    return _house_now() if scope.is_house() else _customer_now()


def _house_now() -> Values:
    status = house.look("/status")
    if status is None:
        return {"status": None}
    totals = status["totals"]
    counters = {name: totals.get(name, 0) for name in ("accepted", "sent", "delivered")}
    _pulse().see("all", counters | {"failed": totals.get("failed", 0) + totals.get("undelivered", 0)})
    connectors = (house.look("/connectors") or {}).get("connectors", [])
    queues = (house.look("/queues") or {}).get("queues", [])
    return {
        "status": status,
        "rates": _pulse().rates("all"),
        "chart": pulse.chart(_pulse().points("all"), ALL),
        "connectors": sorted(connectors, key=lambda row: (row["usable"], row["name"])),
        "queues": [row for row in queues if row["size"]][:LONGEST_QUEUES],
        "more_queues": max(0, sum(1 for row in queues if row["size"]) - LONGEST_QUEUES),
    }


def _customer_now() -> Values:
    with house.reading() as session:
        names = scope.account_names(session) or []
    found = _accounts(names)
    if found is None:
        return {"accounts": None, "names": names}
    name = f"customer {scope.customer()}"
    _pulse().see(name, {"accepted": sum(row["accepted"] for row in found)})
    return {
        "accounts": found,
        "names": names,
        "rates": _pulse().rates(name),
        "chart": pulse.chart(_pulse().points(name), ("accepted",)),
        "sessions": sum(row["sessions"] for row in found),
    }


def _accounts(names: list[str]) -> list[Values] | None:
    """What the gateway says of these accounts and of no other; None where none answers."""
    if len(names) > FEW:
        answer = house.look("/accounts")
        wanted = set(names)
        return None if answer is None else [row for row in answer["accounts"] if row["account"] in wanted]
    found = []
    for name in names:
        try:
            row = house.look(f"/accounts/{part(name)}")
        except ControlError as error:
            if error.status != 404:  # made just now, or locked
                raise
            continue
        if row is None:
            return None
        found.append(row)
    return found


# -- alerts, balances, hours


def _alerts() -> Values:
    if not scope.is_house():
        return {}
    found = watchdog.alerts()
    return {"alerts": found, "watchdog_away": watchdog.away(), "looked": time.time()}


def _low() -> Values:
    if not allowed(Permission.SEE_BALANCES):
        return {}
    with house.reading() as session:
        rows = low_balances.low(session, customer=scope.customer())
    found = _accounts([row.account.name for row in rows]) if rows else []
    told = told_balances.told({"accounts": found or []})
    return {"low": [_balance(row, balances.of(row.account, told).micros) for row in rows]}


def _balance(row: low_balances.Low, micros: int | None) -> Values:
    """`lasts`: seconds until nothing is left, if he goes on as in the last 24 hours."""
    left = None if micros is None or row.lowest is None else micros - row.lowest
    return {
        "account": row.account,
        "balance": micros,
        "spent": row.spent,
        "left": left,
        "lasts": left * 86400 / row.spent if left is not None and left > 0 and row.spent > 0 else None,
    }


def _hours() -> Values:
    with house.reading() as session:
        where = {} if scope.is_house() else {"customer_id": customers.find(session, scope.customer()).id}
        found = hours.read(session, where)
    return {"hours": found, "total": hours.total(found), "hours_chart": hours.chart(found)}


PARTS: Final[dict[str, Callable[[], Values]]] = {"alerts": _alerts, "now": _now, "low": _low, "hours": _hours}
