"""The route tester: a message as one types it, and what becomes of it: its parts, the route that decides and those it beats, price, cost and margin.

Twice: as the tables stand (`emg.db.usable`, as if every connector worked), and as the running gateway would do now. Nothing is sent, and nothing is changed by asking.
"""

import time
from typing import Any, Final, NamedTuple

from flask import request

from emg.db import accounts, way
from emg.db.engine import Session
from emg.db.routes import known_connectors
from emg.db.usable import Usable
from emg.errors import EmgError
from emg.message import Encoding
from emg.rules.price_rows import REFUNDS
from emg.rules.prices import PriceExplanation, PriceTable
from emg.rules.routes import Explanation
from emg.text.coding import encode, from_text
from emg.text.errors import TextError
from emg.text.split import count_parts
from portal import house
from portal import pages as made
from portal.guard import allowed
from portal.permissions import Permission
from portal.rule_tables import HEADLINES

LONGEST: Final = 500
"""Characters of a text: it stands in the address."""
LONGEST_NAME: Final = 64
ENCODINGS: Final = {"": "what fits", "gsm7": "GSM 7-bit", "ucs2": "UCS-2", "latin1": "Latin-1"}
_NAMED: Final = {Encoding.GSM7: "GSM 7-bit", Encoding.UCS2: "UCS-2", Encoding.LATIN1: "Latin-1"}
REFUND_WORDS: Final = {
    "never": "The price is never given back.",
    "refused": "The price is given back when no operator takes the message.",
    "undelivered": "The price is given back when no operator takes the message, and when it is reported as not delivered.",
}


class Asked(NamedTuple):
    """What was typed."""

    number: str
    sender: str
    account: str
    connector: str
    text: str
    encoding: str


class Told(NamedTuple):
    """As the tables stand."""

    connector: str
    reason: str
    rivals: Any
    row: Any
    more: int
    skipped: Any
    price: PriceExplanation | None
    currency: str

    @property
    def price_row(self) -> Any:
        """The price that counts."""
        return self.price.row if self.price is not None else None

    @property
    def refund(self) -> str:
        """When it is given back."""
        return REFUND_WORDS[REFUNDS[self.price_row.refund]] if self.price_row else ""


def page() -> str:
    """The page, with an answer when a number was typed."""
    asked = Asked(*(request.args.get(name, "").strip()[:LONGEST] for name in Asked._fields))
    fault = parts_fault = ""
    told = live = None
    parts, encoding = 1, ""
    if asked.number:
        try:
            parts, encoding = _parts(asked)
        except TextError as error:
            parts_fault = str(error)
        try:
            told = _by_tables(asked)
        except EmgError as error:
            fault = str(error)
        live = _by_gateway(asked)
    with house.reading() as session:
        offered = _offered(session)
    return made.render(
        "routes/test.html", asked=asked, told=told, live=live, fault=fault, parts=parts, parts_fault=parts_fault, encoding=encoding, offered=offered,
        encodings=ENCODINGS, headlines=HEADLINES, costs=allowed(Permission.SEE_COSTS), differs=_differs(told, live), longest=LONGEST,
    )  # fmt: skip


def _offered(session: Session) -> dict[str, list[str]]:
    config = house.config()
    return {
        "account": sorted({*accounts.names(session), *config.users})[:LONGEST],
        "connector": sorted(known_connectors(session, config.connectors))[:LONGEST],
    }


def _parts(asked: Asked) -> tuple[int, str]:
    """How many short messages the text takes, by the code that bills; and in which encoding. Raises TextError."""
    text = asked.text.replace("\r\n", "\n")
    if asked.encoding in ("gsm7", "ucs2", "latin1"):
        encoding = Encoding[asked.encoding.upper()]
        body = encode(text, encoding)
    else:
        encoding, body = from_text(text)
    return count_parts(body, encoding), _NAMED[encoding]


def _by_tables(asked: Asked) -> Told:
    """Raises EmgError: no number, or an account or connector that is not there or not used."""
    config, dest = house.config(), way.digits(asked.number)
    usable = Usable(house.database(), house.around(), "route", "price", dest=dest)
    found = way.find(config, usable, dest, asked.account[:LONGEST_NAME], asked.connector[:LONGEST_NAME])
    table: Explanation | None = found.table
    currency = way.currency_of(config, usable, asked.account)
    price = None
    if found.connector:
        prices = PriceTable(usable.prices()) if config.prices is None else PriceTable.parse(way.text_of(config.prices))
        out = found.connector.partition("/")[0]
        price = prices.explain(dest, asked.account, asked.connector, out, currency, time.time())
    rivals = table.rivals if table is not None else ()
    row = table.row if table is not None else None
    more = table.more_rivals if table is not None else 0
    return Told(found.connector, found.reason, rivals, row, more, found.skipped, price, currency)


def _by_gateway(asked: Asked) -> dict[str, Any] | None:
    """What the running gateway says; None when none answers."""
    told: dict[str, Any] | None = house.ask(
        "/explain", dest=asked.number, source=asked.sender, account=asked.account, connector=asked.connector
    )
    return told


def _differs(told: Told | None, live: dict[str, Any] | None) -> str:
    """In what the two answers differ, as the rest of a sentence; empty where they don't."""
    if told is None or live is None or live.get("fault"):
        return ""
    row = (live.get("price") or {}).get("row") or {}
    if (live.get("connector") or "") != told.connector.partition("/")[0]:
        return "the way"
    if (
        told.price_row is not None
        and row
        and (row["price"], row["cost"]) != (told.price_row.price, told.price_row.cost)
    ):
        return "the price"
    return "what becomes of the message" if live["refused"] and told.connector else ""
