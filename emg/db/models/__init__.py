"""The tables, one module a subject. Importing this package knows them all (`Base.metadata`).

What holds for all of them:

- **Money** is whole micro-units (1/1,000,000 of the currency) in a BIGINT: nothing is ever rounded but where a person types it or reads it.
- **Times** are UTC, with microseconds, and aware in Python.
- **Names** (accounts, connectors) refer to each other by name where the gateway does: a row may name a connector that stands in the
  configuration file. Text compares exactly, capitals and all, on both databases.
- **One writer**: people's changes (portal, shell) write everything but what is marked *recorder* or *scheduler*.
"""

from emg.db.models import unchanging
from emg.db.models.accounts import Account, AccountAccess, Content, Customer
from emg.db.models.base import Base
from emg.db.models.connectors import Connector, ConnectorOption, Plugin
from emg.db.models.duties import Counter, JobRun, Mail, MailStatus, Purged, ScheduledJob
from emg.db.models.house import AuditLog, Lease, Revision, Setting
from emg.db.models.log import (
    DailySummary,
    DirtyHour,
    GapKind,
    HourlySummary,
    LogGap,
    MessageBody,
    MessagePart,
    RecorderPosition,
    RouteLog,
    Status,
    SummedDay,
)
from emg.db.models.money import Entry, Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, Ledger
from emg.db.models.people import ApiKey, Role, WebUser
from emg.db.models.portal import (
    BatchState,
    ConfigVersion,
    ItemState,
    Promise,
    RuleChange,
    SavedReport,
    SendBatch,
    SendItem,
    SentForm,
    WebSession,
    WebToken,
)
from emg.db.models.tables import Blacklist, Network, Price, Refund, Route

__all__ = [
    "Account",
    "AccountAccess",
    "ApiKey",
    "AuditLog",
    "Base",
    "BatchState",
    "Blacklist",
    "ConfigVersion",
    "Connector",
    "ConnectorOption",
    "Content",
    "Counter",
    "Customer",
    "DailySummary",
    "DirtyHour",
    "Entry",
    "GapKind",
    "HourlySummary",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoiceStatus",
    "ItemState",
    "JobRun",
    "Lease",
    "Ledger",
    "LogGap",
    "Mail",
    "MailStatus",
    "MessageBody",
    "MessagePart",
    "Network",
    "Plugin",
    "Price",
    "Promise",
    "Purged",
    "RecorderPosition",
    "Refund",
    "Revision",
    "Role",
    "Route",
    "RouteLog",
    "RuleChange",
    "SavedReport",
    "ScheduledJob",
    "SendBatch",
    "SendItem",
    "SentForm",
    "Setting",
    "Status",
    "SummedDay",
    "WebSession",
    "WebToken",
    "WebUser",
    "unchanging",
]
