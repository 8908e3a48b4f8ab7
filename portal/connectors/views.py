"""Looking at connectors: the list of all, and the page of one, both with how they are now."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from emg.config import effective
from emg.config.connector import ConnectorConfig
from emg.config.keywords import Keyword
from emg.db.models import Connector
from portal import house
from portal import pages as made
from portal.connectors import acts, asking, editing, forms, log, sheet
from portal.connectors.blueprint import pages
from portal.connectors.overview import DATABASE, STATES, Seen
from portal.guard import is_part, needs
from portal.listing import Listing, Shown
from portal.permissions import Permission

__all__ = ["acts", "editing", "log", "pages", "sheet"]

LISTING: Final = Listing(
    "connectors.index",
    sorts=("name", "state", "type", "sessions", "accepted", "sent", "lost", "queued", "refused", "failed"),
    filters=("text", "type", "state"),
)
SESSIONS: Final = Listing(
    "connectors.one", sorts=("account", "session", "ip", "state", "-since", "-window"), filters=("text",)
)
MOST_TROUBLES: Final = 8
COUNTERS: Final = {
    "accepted": "Messages that came in by it and were accepted.",
    "refused": "Requests refused before acceptance.",
    "sent": "Messages that the far side has taken.",
    "failed": "Messages that failed for good.",
    "retried": "Attempts that failed and are repeated.",
    "throttled": "Answers that asked us to slow down.",
    "maybe_sent": "Messages whose answer was lost with the connection.",
    "reports_in": "Delivery reports received.",
    "reports_out": "Delivery reports brought to their senders.",
    "duplicates": "Delivery reports that came twice.",
    "orphans": "Delivery reports that match no message.",
}
"""What the gateway counts of a connector."""


@pages.get("/connectors")
@needs(Permission.SEE_CONNECTORS)
def index() -> str:
    """All of them."""
    shown = LISTING.asked()
    found = asking.everything()
    rows = sorted(filter(_wanted(shown), found), key=lambda seen: seen.name)
    rows.sort(key=lambda seen: _by(shown.column, seen), reverse=shown.falling)
    return made.render(
        "connectors/index.html", shown=shown, rows=rows[shown.offset : shown.offset + shown.limit], total=len(rows),
        states=[(state, state) for state in STATES], fresh=any(seen.live is not None and not seen.rates for seen in rows),
    )  # fmt: skip


def _wanted(shown: Shown) -> Callable[[Seen], bool]:
    text, kind, state = (shown.filters[name] for name in ("text", "type", "state"))
    words = text.casefold().split()

    def wanted(seen: Seen) -> bool:
        told = f"{seen.name} {seen.note} {seen.address} {seen.protocol} {seen.last_fault}".casefold()
        return (
            all(word in told for word in words)
            and (not kind or seen.kind == kind)
            and (not state or seen.state == state)
        )

    return wanted


def _by(column: str, seen: Seen) -> Any:
    """What a column is sorted by; what is not known comes first."""
    if column in ("name", "state"):
        return getattr(seen, column)
    if column == "type":
        return seen.kind
    values = {
        "sessions": seen.sessions, "accepted": seen.rate("accepted"), "sent": seen.sent_rate, "lost": seen.rate("failed"),
        "queued": seen.queued, "refused": seen.counter("refused"), "failed": seen.counter("failed"),
    }  # fmt: skip
    value = values[column]
    return -1 if value is None else value


@pages.get("/connectors/<name:name>")
@needs(Permission.SEE_CONNECTORS)
def one(name: str) -> str:
    """How one is, what it does, and what it is set to."""
    shown = SESSIONS.asked(name=name)
    row, live = asking.stored(name), asking.details(name)
    seen = asking.joined(name, row, live)
    sessions = _sessions(shown, live)
    values: dict[str, Any] = {
        "seen": seen, "live": live or {}, "about": STATES.get(seen.state, ""), "shown": shown, "waits": asking.queue(seen),
        "queues": [queue for queue in (live or {}).get("queues", ()) if queue["size"] or queue["held"]],
        "sessions": sessions[shown.offset : shown.offset + shown.limit], "total": len(sessions), "counters": COUNTERS,
    }  # fmt: skip
    if not is_part():
        values |= _around(seen, row)
    return made.render("connectors/one.html", **values)


def _sessions(shown: Shown, live: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Its sessions, as the page's address asks for them."""
    words = shown.filters["text"].casefold().split()
    found = [
        one
        for one in (live or {}).get("session_list", ())
        if all(
            word in f"{one['session']} {one['account'] or ''} {one['ip']} {one['state']}".casefold() for word in words
        )
    ]
    if shown.column in ("since", "window"):
        column = {"since": "since", "window": "in_flight"}[shown.column]
        return sorted(found, key=lambda one: one[column], reverse=shown.falling)
    return sorted(found, key=lambda one: str(one[shown.column] or ""), reverse=shown.falling)


def _around(seen: Seen, row: Connector | None) -> dict[str, Any]:
    """What does not change every few seconds: settings, what the checker says, troubles that the log tells of."""
    config, faults, warnings = asking.in_force(seen.name)
    given = frozenset(option.keyword for option in row.options if not option.disabled) if row is not None else None
    return {
        "config": config,
        "groups": _groups(config, given) if config is not None else {},
        "faults": faults,
        "warnings": warnings,
        "refused": _refused(seen) if seen.source == DATABASE else [],
        "troubles": log.troubles(seen.name, MOST_TROUBLES),
        "updated": row.updated if row is not None else None,
        "file": house.config().file,
    }


def _groups(config: ConnectorConfig, given: frozenset[str] | None) -> dict[str, list[dict[str, Any]]]:
    """Keywords with their values, by their groups; secrets hidden. `given`: those that were set; None where only the values are known."""
    values = effective.values(config)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in forms.concerned(config.type):
        is_set = _differs(row, config) if given is None else row.name in given
        shown = {"name": row.name, "about": row.about, "value": values[row.name] or "", "set": is_set}
        groups.setdefault(row.group, []).append(shown)
    return groups


def _differs(row: Keyword, config: ConnectorConfig) -> bool:
    """It is not as it would be if nobody had set it."""
    value = getattr(config, row.attribute)
    if row.name == "PROVIDER":
        return bool(value != config.name)
    if row.name == "SSL_CERTFILE":
        return bool(value != config.ssl_keyfile)
    return bool(row.needed is True or value != forms.usual_value(row, config.type, house.config()))


def _refused(seen: Seen) -> list[str]:
    """Why the gateway does not use it, in its own words."""
    if seen.live is not None or not seen.asked:
        return []
    status = house.look("/status") or {}
    start = f"{seen.name}: "
    told = [
        text.removeprefix(start)
        for text in status.get("database", {}).get("connectors_refused", ())
        if text.startswith(start)
    ]
    for subject in status.get("tables", ()):
        told += [
            row["reason"]
            for row in subject["skipped"]
            if row["table"].startswith("connector") and row["name"] == seen.name
        ]
    return told
