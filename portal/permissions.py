"""Who may do what: one row a permission, with the roles that have it.

A view names the permission that it needs (`portal.guard.needs`); the menu, the buttons of a page and the guard test read the same table. People of a customer see
their customer's rows alone, whatever they may do: that is `portal.scope`.
"""

from enum import Enum
from typing import Final

from emg.db.models import Role

OWNER, ENGINEER, FINANCE = frozenset({Role.OWNER}), frozenset({Role.ENGINEER}), frozenset({Role.FINANCE})
CUSTOMER_ADMIN, CUSTOMER_USER = frozenset({Role.CUSTOMER_ADMIN}), frozenset({Role.CUSTOMER_USER})

TECHNICAL: Final = OWNER | ENGINEER
MONEY: Final = OWNER | FINANCE
HOUSE: Final = OWNER | ENGINEER | FINANCE
CUSTOMERS: Final = CUSTOMER_ADMIN | CUSTOMER_USER
EVERYBODY: Final = HOUSE | CUSTOMERS


class Permission(Enum):
    """A right: the roles that have it, and what it lets them do."""

    def __init__(self, roles: frozenset[Role], about: str) -> None:
        self.roles = roles
        self.about = about

    OWN = EVERYBODY, "his own page: password, second factor, where he is logged in"
    SEE_TRAFFIC = EVERYBODY, "see how the traffic goes"
    SEE_CONNECTORS = HOUSE, "see connectors and their state"
    RUN_CONNECTORS = TECHNICAL, "start, stop, hold and release connectors, close sessions"
    CHANGE_CONNECTORS = TECHNICAL, "create, change and delete connectors"
    SEE_QUEUES = HOUSE, "see queues and what waits in them"
    CHANGE_QUEUES = TECHNICAL, "clear, move and hold queues"
    SEE_ROUTES = HOUSE, "see routes, and which one a message takes"
    CHANGE_ROUTES = TECHNICAL, "change, import and undo routes"
    SEE_PRICES = HOUSE | CUSTOMER_ADMIN, "see prices"
    SEE_COSTS = HOUSE, "see what operators charge, and the margin"
    CHANGE_PRICES = MONEY, "change, import and undo prices"
    SEE_CUSTOMERS = HOUSE, "see customers"
    CHANGE_CUSTOMERS = MONEY, "create, change and lock customers"
    SEE_ACCOUNTS = HOUSE | CUSTOMER_ADMIN, "see accounts"
    CHANGE_ACCOUNTS = TECHNICAL | FINANCE, "create, change, lock and delete accounts"
    RUN_ACCOUNTS = HOUSE | CUSTOMER_ADMIN, "set an account's password and from where it may log in, close its sessions"
    SEE_BALANCES = HOUSE | CUSTOMER_ADMIN, "see balances and ledgers"
    CHANGE_BALANCES = MONEY, "top up and correct balances"
    CHANGE_KEYS = OWNER | ENGINEER | CUSTOMER_ADMIN, "make and revoke keys of the REST API"
    SEE_MESSAGES = EVERYBODY, "search the message log"
    READ_TEXTS = TECHNICAL | CUSTOMERS, "read what messages say, where that is kept"
    CHANGE_MESSAGES = TECHNICAL, "cancel and send messages again, inject reports"
    SEND = OWNER | ENGINEER | CUSTOMERS, "send messages"
    SEE_REPORTS = EVERYBODY, "see figures of the traffic"
    SEE_INVOICES = MONEY | CUSTOMER_ADMIN, "see invoices"
    CHANGE_INVOICES = MONEY, "prepare and issue invoices"
    SEE_SERVER = TECHNICAL, "see programs, health and logs"
    RUN_SERVER = TECHNICAL, "start, stop and restart programs"
    CHANGE_SERVER = OWNER, "change the configuration and settings"
    SEE_PEOPLE = OWNER | CUSTOMER_ADMIN, "see who may log in"
    CHANGE_PEOPLE = OWNER | CUSTOMER_ADMIN, "invite, lock and change people"
    SEE_AUDIT = OWNER | ENGINEER, "see who changed what"


def may(role: Role, permission: Permission) -> bool:
    """Somebody of this role has it."""
    return role in permission.roles
