"""The configuration as the rest of the program sees it: frozen values with every default filled in. Pure.

These classes are the keyword table: attribute name = keyword in lower case, and `emg.config.keywords.table(cls)` gives the rows. Times are
seconds, sizes bytes, file names absolute once `emg.config.load.load` has read them. Everything is immutable: a reload makes a new
`ServerConfig`, and `emg.config.changes.compare` tells what differs.
"""

# ruff: noqa: RUF009 -- keyword() returns a dataclass field, as field() does
# A table is read by rows:
# fmt: off

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from emg.config import alert_kinds, kinds
from emg.config.connector import FIELDS, LOGGING, LONG, REPORTS, ROUTING, SPEED, ConnectorConfig
from emg.config.keywords import Apply, keyword
from emg.config.values import (
    AlertLevel,
    ConnectorType,
    Endpoint,
    LogContent,
    LogLevel,
    LongOut,
    MailTls,
    MaybeSent,
    MessageMode,
    Mode,
    Network,
    Operation,
    Protocol,
    SslVerify,
    TextCharset,
)
from emg.errors import ConfigError

__all__ = [
    "AccessPair",
    "AlertLevel",
    "ConnectorConfig",
    "ConnectorType",
    "Endpoint",
    "LogContent",
    "LogLevel",
    "LongOut",
    "MailTls",
    "MaybeSent",
    "MessageMode",
    "Mode",
    "Network",
    "Operation",
    "Protocol",
    "ServerConfig",
    "SslVerify",
    "TextCharset",
    "UserConfig",
]

IDENTITY, STORAGE, TABLES = "The server", "Storage and interfaces", "Tables and lists"
PORTAL, WATCHDOG, ALERTS = "Portal", "Watchdog", "Alerts of the watchdog"
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
USER_LOGIN, USER_LIMITS, USER_MESSAGES = "Login", "Limits", "Messages"
RESTART, REBUILD = Apply.RESTART, Apply.SESSIONS
OF_PORTAL, OF_WATCHDOG = Apply.PORTAL, Apply.WATCHDOG

CHARSETS = {
    "UTF-8": TextCharset.UTF8,
    "LATIN-1": TextCharset.LATIN1,
    "ISO-8859-1": TextCharset.LATIN1,
    "ISO8859-1": TextCharset.LATIN1,
}


class AccessPair(NamedTuple):
    """An account of the database may log in from this network at this connector; `*` is any."""

    network: Network
    connector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """One account: a USER section, or a row of the database. `name` is what the client logs in with. None means: as the connector says."""

    name: str
    number: int = 0
    """Of a row of the database: its id. Another account of the same name has another."""
    pairs: tuple[AccessPair, ...] | None = None
    """Of a row of the database: where it may log in, beside `access` and `connector`. None for a USER section, which has those alone."""

    password: str = keyword(
        kinds.text(256, 1), "",
        "The password, or better its argon2 hash ($argon2id$…), which `emg password` makes.",
        group=USER_LOGIN, example="${ACME_PASSWORD}", needed=True, secret=True)
    access: tuple[Network, ...] = keyword(
        kinds.NETWORKS, (), "From where the user may connect.",
        group=USER_LOGIN, example="192.0.2.0/24", apply=REBUILD, otherwise="everywhere")
    connector: tuple[str, ...] = keyword(
        kinds.CONNECTORS, (), "At which connectors the user may log in.",
        group=USER_LOGIN, example="customers", apply=REBUILD, otherwise="all")
    sessions: int = keyword(
        kinds.whole(0, 10000), 10, "Sessions at the same time; 0 lets nobody in.",
        group=USER_LOGIN, unit="sessions", example="4")
    operations: frozenset[Operation] = keyword(
        kinds.OPERATIONS, frozenset(Operation), "What the user may ask for.",
        group=USER_LOGIN, example="SUBMIT,QUERY")
    disabled: bool = keyword(
        kinds.FLAG, False, "The user can't log in, and sessions are closed.",
        group=USER_LOGIN, example="DISABLED", apply=REBUILD)

    throughput: float = keyword(
        kinds.rate(1e6, "messages a second, decimals allowed, 0 for no limit"), 0.0,
        "Messages a second over all the user's sessions; what comes beyond it is refused as throttled.",
        group=USER_LIMITS, unit="messages/s", example="20", otherwise="no limit")
    windowsize: int | Literal["auto"] | None = keyword(
        kinds.WINDOW_OR_NONE, None, "Unanswered operations a session of this user may have, in either direction.",
        group=USER_LIMITS, unit="operations", example="10", otherwise="as the connector's")
    maxqueuesize: int = keyword(
        kinds.whole(0), 0,
        'Messages of this user that may wait in all queues together; beyond it he gets "queue full".',
        group=USER_LIMITS, unit="messages", example="50000", otherwise="no limit of his own")
    dailylimit: int = keyword(
        kinds.whole(0, 2**31 - 1), 0,
        "Messages a day (UTC) over all the user's sessions; what comes beyond it is refused as throttled.",
        group=USER_LIMITS, unit="messages", example="100000", otherwise="no limit")
    maxparts: int | None = keyword(
        kinds.whole(1, 255), None, "Parts a message of this user may be split into; a longer one is refused.",
        group=USER_LIMITS, unit="parts", example="6", otherwise="as the connector's")

    route: str | None = keyword(
        kinds.CONNECTOR_NAME, None, "All messages of this user go to this connector, past the routing table.",
        group=USER_MESSAGES, example="operator1")
    routedlr: str | None = keyword(
        kinds.CONNECTOR_NAME, None, "Reports for this user's messages go to this connector instead of back to him.",
        group=USER_MESSAGES, example="reports")
    force_sourceaddr: str | None = keyword(
        kinds.SENDER_ADDRESS, None, "Source address of all messages of this user.",
        group=USER_MESSAGES, example="ACME")
    sourceaddr: tuple[str, ...] = keyword(
        kinds.PATTERNS, (), "Source addresses that the user may send from; others are refused.",
        group=USER_MESSAGES, example="ACME,4670*", otherwise="any")
    perpartdlr: bool | None = keyword(
        kinds.FLAG, None, "Send one report for each part of a long message that was split here.",
        group=USER_MESSAGES, example="PERPARTDLR", otherwise="as the connector's")
    logcontent: LogContent = keyword(
        kinds.choice(LogContent), LogContent.FULL,
        "What the message log keeps of the texts of this user's messages: all, letters and digits masked, or nothing.",
        group=USER_MESSAGES, example="MASKED")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """A whole configuration: the general keywords, and the sections by name in the order of the file."""

    connectors: Mapping[str, ConnectorConfig] = field(default_factory=dict)
    users: Mapping[str, UserConfig] = field(default_factory=dict)
    warnings: tuple[ConfigError, ...] = field(default=(), compare=False)
    """What works, but probably not as meant."""
    file: str = field(default="", compare=False)
    """The main file."""

    nodeid: int = keyword(
        kinds.whole(0, 8999), 0,
        "Number of this node; the leading digits of all its message ids. Never change it while messages are under way.",
        group=IDENTITY, example="1", apply=RESTART)
    servername: str = keyword(
        kinds.text(15, 1), "emg", "Name that the server gives itself towards clients (SMPP system_id) and in logs.",
        group=IDENTITY, example="emg1")
    draintime: float = keyword(
        kinds.duration(), 30.0, "How long a stop waits for answers that are still to come.",
        group=IDENTITY, unit="seconds", example="10")

    spooldir: str = keyword(
        kinds.PLACE, "/var/spool/emg", "Folder of the spool: messages, open reports, events. On a local disk.",
        group=STORAGE, example="/var/spool/emg", apply=RESTART)
    control: str = keyword(
        kinds.PLACE, "/run/emg/control.sock", "Path of the control socket.",
        group=STORAGE, example="/run/emg/control.sock", apply=RESTART)
    metrics: Endpoint | None = keyword(
        kinds.ENDPOINT, None, "Where to offer metrics to Prometheus over HTTP.",
        group=STORAGE, example="127.0.0.1:9464", apply=RESTART)
    database: str | None = keyword(
        kinds.DATABASE_URL, None, "URL of the database with accounts, routes, prices and the message log.",
        group=STORAGE, example="mysql+pymysql://emg:${DB_PASSWORD}@127.0.0.1/emg", apply=RESTART, secret=True)

    maxtotalqueuesize: int = keyword(
        kinds.whole(1), 2_000_000, 'Messages in all queues together; beyond it senders get "queue full".',
        group=SPEED, unit="messages", example="500000")
    headsize: int = keyword(
        kinds.whole(1, 1_000_000), 2000, "Messages of one queue that are kept in memory; the others wait on disk.",
        group=SPEED, unit="messages", example="5000", apply=RESTART)
    outboxsize: int = keyword(
        kinds.whole(1000), 5_000_000,
        "Events kept for `emg ctl message`; the oldest go first. With DATABASE only those that are in the message log go.",
        group=SPEED, unit="events", example="1000000")
    outboxlimit: int = keyword(
        kinds.whole(10_000), 200_000_000,
        'With DATABASE: events that may wait for the message log; beyond it senders get "busy". An event takes about 100 bytes of disk.',
        group=SPEED, unit="events", example="50000000")

    dlrexpire: float = keyword(
        kinds.duration(zero=False), 604800.0, "How long after sending a delivery report is waited for.",
        group=REPORTS, unit="seconds", example="3d")
    earlyexpire: float = keyword(
        kinds.duration(zero=False), 300.0, "How long a report is kept that comes before the answer to its message.",
        group=REPORTS, unit="seconds", example="60")
    orphansize: int = keyword(
        kinds.whole(0, 10_000_000), 10000,
        "Reports without a message that are kept for looking at; the oldest go first.",
        group=REPORTS, unit="reports", example="1000")
    orphanexpire: float = keyword(
        kinds.duration(zero=False), 604800.0, "How long they are kept.",
        group=REPORTS, unit="seconds", example="1d")

    routes: str | None = keyword(
        kinds.FILE, None, "The routing table, instead of the database's (CSV: prefix,account,connector_in,connector_out,priority,weight,enabled).",
        group=TABLES, example="routes.csv")
    prices: str | None = keyword(
        kinds.FILE, None,
        "The price table, instead of the database's (CSV: prefix,account,connector_in,connector_out,price,cost,currency,valid_from,valid_until,refund).",
        group=TABLES, example="prices.csv")
    blacklist: str | None = keyword(
        kinds.FILE, None,
        "Addresses that are refused or logged (a line: address TAB REJECT or LOG, TAB SOURCEADDR or DESTADDR; `*` at the end of an address: all that start so).",
        group=TABLES, example="blacklist.txt")
    whitelist: str | None = keyword(
        kinds.FILE, None, "Addresses that are let through whatever the black list says (a line: address, TAB SOURCEADDR or DESTADDR).",
        group=TABLES, example="whitelist.txt")
    cmrexpire: float = keyword(
        kinds.duration(zero=False), 60.0,
        "How long the route of the first part of a long message holds for the other parts, and how long JOIN waits for them.",
        group=ROUTING, unit="seconds", example="120")

    default_vp: float = keyword(
        kinds.duration(zero=False), 172800.0, "How long a message without validity period is tried.",
        group=FIELDS, unit="seconds", example="1d")
    maxvp: float = keyword(
        kinds.duration(zero=False), 604800.0, "Longest validity period; a longer one is shortened to it.",
        group=FIELDS, unit="seconds", example="3d")
    default_charcode_text: TextCharset = keyword(
        kinds.choice(TextCharset, CHARSETS), TextCharset.UTF8, "Charset of plain text that comes without one.",
        group=LONG, example="LATIN1")

    logdir: str = keyword(
        kinds.PLACE, "/var/log/emg", "Folder of the logs.",
        group=LOGGING, example="/var/log/emg", apply=RESTART)
    loglevel: LogLevel = keyword(
        kinds.choice(LogLevel), LogLevel.INFO, "Least important level that the server logs.",
        group=LOGGING, example="DEBUG")
    connector_loglevel: LogLevel = keyword(
        kinds.choice(LogLevel), LogLevel.INFO, "The same for connectors that say nothing else.",
        group=LOGGING, example="DEBUG", inherits="LOGLEVEL")
    logpdu: bool = keyword(
        kinds.FLAG, False,
        "Log every PDU of connectors that say nothing else. Passwords are left out, message texts are not.",
        group=LOGGING, example="LOGPDU")
    logyear: bool = keyword(
        kinds.FLAG, False, "Write the year into the times of the logs.",
        group=LOGGING, example="LOGYEAR")
    rotatelogsize: int = keyword(
        kinds.size(1 << 10, 1 << 40), 100 << 20, "Size at which a log file is put aside and a new one begun.",
        group=LOGGING, unit="bytes", example="20M")
    rotatelogs: int = keyword(
        kinds.whole(1, 1000), 10, "Log files kept.",
        group=LOGGING, unit="files", example="30")
    profiling_threshold: float = keyword(
        kinds.rate(3600, "seconds, decimals allowed, 0 for off"), 0.0,
        "What takes longer stands in the log `profiling`: commits, control requests, and whatever keeps the event loop.",
        group=LOGGING, unit="seconds", example="0.5", otherwise="off")

    portal: Endpoint = keyword(
        kinds.ENDPOINT, Endpoint("127.0.0.1", 8000), "Where the portal offers its pages and its REST API over HTTP.",
        group=PORTAL, apply=OF_PORTAL, example="192.0.2.7:8000")
    portal_url: str | None = keyword(
        alert_kinds.WEB_URL, None,
        "The portal's address as people type it, for links in mails. With https its cookies are never sent without TLS.",
        group=PORTAL, apply=OF_PORTAL, example="https://portal.example.com", otherwise="as PORTAL says")
    portal_proxies: tuple[Network, ...] = keyword(
        kinds.NETWORKS, (), "Web servers in front of the portal: from these it believes X-Forwarded-For and X-Forwarded-Proto.",
        group=PORTAL, apply=OF_PORTAL, example="127.0.0.1", otherwise="none")
    portal_idletimeout: float = keyword(
        kinds.duration(zero=False), 8 * 3600.0, "How long a person may do nothing before he has to log in again.",
        group=PORTAL, apply=OF_PORTAL, unit="seconds", example="30m")

    watchdog: Endpoint = keyword(
        kinds.ENDPOINT, Endpoint("127.0.0.1", 3000), "Where the watchdog offers its API over HTTP.",
        group=WATCHDOG, apply=OF_WATCHDOG, example="192.0.2.7:3000")
    watchdog_token: str | None = keyword(
        kinds.text(256, 16), None,
        "What a caller of the watchdog's API sends as bearer token. Without it one is made, and kept in SPOOLDIR/watchdog.token.",
        group=WATCHDOG, apply=OF_WATCHDOG, example="${EMG_WATCHDOG_TOKEN}", secret=True, otherwise="made at the first start")
    watchdog_access: tuple[Network, ...] = keyword(
        kinds.NETWORKS, LOOPBACK, "From where the watchdog's API may be called.",
        group=WATCHDOG, apply=OF_WATCHDOG, example="127.0.0.0/8,192.0.2.0/24")
    watchdog_interval: float = keyword(
        kinds.duration(zero=False), 1.0, "How often the watchdog looks at the programs.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="seconds", example="2")
    watchdog_patience: float = keyword(
        kinds.duration(zero=False), 2.5, "How long the gateway may give no answer before it is helped: gone on with, or killed and started again.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="seconds", example="10")
    watchdog_start_patience: float = keyword(
        kinds.duration(zero=False), 120.0, "The same while it starts, up to its first answer: a large spool takes its time.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="seconds", example="5m")
    watchdog_restarts: int = keyword(
        kinds.whole(0, 1000), 5, "How often the watchdog restarts one program within WATCHDOG_WINDOW; then it only alarms. 0: never.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="times", example="3")
    watchdog_window: float = keyword(
        kinds.duration(zero=False), 600.0, "The time in which restarts are counted.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="seconds", example="30m")
    watchdog_disk: int = keyword(
        kinds.whole(1, 100), 80, "How full a file system of ours may be before the watchdog warns; from 95 % on it is critical.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="%", example="90")
    watchdog_memory: tuple[tuple[str, int], ...] = keyword(
        alert_kinds.MEMORY, (), "Memory that a program may take before it is restarted, which loses nothing; from 80 % of it on the watchdog warns.",
        group=WATCHDOG, apply=OF_WATCHDOG, example="gateway:2G,recorder:512M", otherwise="as the table of programs says")
    watchdog_certificates: float = keyword(
        kinds.duration(), 14 * 86400.0, "How long before the end of a certificate the watchdog warns.",
        group=WATCHDOG, apply=OF_WATCHDOG, unit="seconds", example="30d")

    alert_repeat: float = keyword(
        kinds.duration(zero=False), 21600.0, "How often an alert that stands is told again.",
        group=ALERTS, apply=OF_WATCHDOG, unit="seconds", example="1d")
    alert_clear: float = keyword(
        kinds.duration(), 30.0, "How long trouble must be away before its alert is cleared; longer each time it comes back within the hour.",
        group=ALERTS, apply=OF_WATCHDOG, unit="seconds", example="2m")
    alert_gather: float = keyword(
        kinds.duration(), 4.0, "How long an alert waits for others, to go with them in one mail, request or short message.",
        group=ALERTS, apply=OF_WATCHDOG, unit="seconds", example="1m")
    alert_mail: tuple[str, ...] = keyword(
        alert_kinds.MAILS, (), "Who gets alerts by mail.",
        group=ALERTS, apply=OF_WATCHDOG, example="ann@example.com,ops@example.com", otherwise="nobody")
    alert_mail_from: str | None = keyword(
        alert_kinds.MAIL, None, "The sender of these mails.",
        group=ALERTS, apply=OF_WATCHDOG, example="emg@example.com", otherwise="emg@ and the name of the host")
    alert_smtp: Endpoint = keyword(
        kinds.ENDPOINT, Endpoint("127.0.0.1", 25), "The mail server that they are handed to.",
        group=ALERTS, apply=OF_WATCHDOG, example="mail.example.com:587")
    alert_smtp_tls: MailTls = keyword(
        kinds.choice(MailTls), MailTls.NONE, "How the connection to it is encrypted; its certificate is checked.",
        group=ALERTS, apply=OF_WATCHDOG, example="STARTTLS")
    alert_smtp_user: str | None = keyword(
        kinds.text(256, 1), None, "Name to log in with at the mail server.",
        group=ALERTS, apply=OF_WATCHDOG, example="emg", otherwise="no login")
    alert_smtp_password: str | None = keyword(
        kinds.text(256, 1), None, "Password for it.",
        group=ALERTS, apply=OF_WATCHDOG, example="${ALERT_SMTP_PASSWORD}", secret=True)
    alert_webhook: str | None = keyword(
        alert_kinds.WEB_URL, None, "Where alerts are sent as JSON, signed with ALERT_WEBHOOK_SECRET.",
        group=ALERTS, apply=OF_WATCHDOG, example="https://alerts.example.com/emg", secret=True)
    alert_webhook_secret: str | None = keyword(
        kinds.text(256, 16), None, "The key of the signature, known to the receiver too.",
        group=ALERTS, apply=OF_WATCHDOG, example="${ALERT_WEBHOOK_SECRET}", secret=True)
    alert_sms: tuple[str, ...] = keyword(
        alert_kinds.NUMBERS, (), "Who gets alerts by SMS, sent through this gateway as its customer ALERT_SMS_USER.",
        group=ALERTS, apply=OF_WATCHDOG, example="+46701234567", otherwise="nobody")
    alert_sms_level: AlertLevel = keyword(
        kinds.choice(AlertLevel), AlertLevel.WARNING, "Least severe alert that goes by SMS.",
        group=ALERTS, apply=OF_WATCHDOG, example="CRITICAL")
    alert_sms_user: str | None = keyword(
        kinds.text(64, 1), None, "The account that they are sent with.",
        group=ALERTS, apply=OF_WATCHDOG, example="watchdog")
    alert_sms_password: str | None = keyword(
        kinds.text(64, 1), None, "Its password.",
        group=ALERTS, apply=OF_WATCHDOG, example="${ALERT_SMS_PASSWORD}", secret=True, otherwise="the USER section's, if that is no hash")
    alert_sms_from: str | None = keyword(
        kinds.SENDER_ADDRESS, None, "Their source address.",
        group=ALERTS, apply=OF_WATCHDOG, example="EMG", otherwise="SERVERNAME, up to 11 characters")
    alert_sms_address: Endpoint | None = keyword(
        kinds.ENDPOINT, None, "Where to log in.",
        group=ALERTS, apply=OF_WATCHDOG, example="127.0.0.1:2775", otherwise="the first incoming connector of this file where the account may")
