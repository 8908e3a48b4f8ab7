"""What a web user may hold; see `emg.rules.rows`. Pure.

People of the house have no customer; people of a customer have one, and an account of his at most.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from emg.config import kinds
from emg.config.keywords import Kind
from emg.rules import rows
from emg.rules.faults import Fault
from emg.rules.rows import MAIL, Field, Fields

HOUSE: Final = ("owner", "engineer", "finance")
CUSTOMERS: Final = ("customer_admin", "customer_user")
SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 256

_LOGIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}", re.ASCII)


def _login(given: str) -> str:
    if not _LOGIN.fullmatch(given):
        raise ValueError("must be letters, digits and _ . @ + -, at most 128, not starting with a sign")
    return given


WEB_USER: Final[Fields] = rows.table(
    Field("name", Kind("login", "letters, digits and _ . @ + -", _login), "", "The login.", needed=True),
    Field("full_name", rows.words(255), "", "The person's name.", group="person"),
    Field("email", MAIL, "", "Where a forgotten password is asked for.", group="person"),
    Field("role", rows.one_of(*HOUSE, *CUSTOMERS), "", "What he may do.", needed=True, group="person"),
    Field("customer", rows.words(128), None, "Of the customer roles: whose people these are.", refers="customers", group="person"),
    Field("account", kinds.GROUP_NAME, None, "The account that he sends with.", group="person"),
    Field("locked", kinds.FLAG, False, "He can't log in."),
)  # fmt: skip


def contradictions(values: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with fields that are right each by itself."""
    of_customer = values["role"] in CUSTOMERS
    if of_customer and values["customer"] is None:
        return [Fault(0, "customer", f"a {values['role']} belongs to a customer")]
    if not of_customer and values["customer"] is not None:
        return [Fault(0, "customer", f"an {values['role']} belongs to the house")]
    return []


def password(text: str) -> bytes:
    """The octets of a person's password. Raises RowFaults."""
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD or not text.isprintable():
        raise rows.fault("password", f"must be {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return text.encode()
