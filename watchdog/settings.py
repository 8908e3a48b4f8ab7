"""What the watchdog takes from the configuration, in one place. Pure.

`settings(config, host)` fills in what follows from other keywords: where the alert book and the token lie, who sends mails, where to log in for an SMS.
`secrets` are all words of the configuration that must not appear in an alert.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from emg.config import hashes
from emg.config.build import TABLES
from emg.config.model import (
    AlertLevel,
    ConnectorConfig,
    ConnectorType,
    Endpoint,
    MailTls,
    Network,
    Protocol,
    ServerConfig,
)

SHORTEST_SECRET: Final = 4
"""Shorter ones would take words out of sentences, and guard nothing."""
LONGEST_SENDER: Final = 11
_LOCAL: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class MailSettings(msgspec.Struct, frozen=True):
    """Alerts by mail."""

    recipients: tuple[str, ...]
    sender: str
    server: Endpoint
    tls: MailTls = MailTls.NONE
    user: str | None = None
    password: str = ""


class WebhookSettings(msgspec.Struct, frozen=True):
    """Alerts as signed JSON."""

    url: str
    secret: str


class SmsSettings(msgspec.Struct, frozen=True):
    """Alerts as short messages, through the gateway itself."""

    recipients: tuple[str, ...]
    level: AlertLevel
    user: str
    password: str
    sender: str
    address: Endpoint
    tls: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text. Times in seconds."""

    host: str
    """What people know this machine as."""
    control: str
    spooldir: str
    logdir: str
    has_database: bool
    secrets: tuple[str, ...]

    api: Endpoint
    token: str | None
    token_file: str
    """Where a token is kept that was not configured."""
    access: tuple[Network, ...]
    """Empty: from everywhere."""

    interval: float
    patience: float
    start_patience: float
    restarts: int
    window: float
    disk_percent: int
    memory: Mapping[str, int]
    """Octets, of the programs that the configuration names."""
    certificate_seconds: float

    repeat: float
    clear: float
    gather: float
    alert_file: str
    mail: MailSettings | None
    webhook: WebhookSettings | None
    sms: SmsSettings | None


def settings(config: ServerConfig, host: str) -> Settings:
    """The watchdog's part of the configuration; `host` is the name of this machine."""
    return Settings(
        host=host,
        control=config.control,
        spooldir=config.spooldir,
        logdir=config.logdir,
        has_database=config.database is not None,
        secrets=tuple(sorted(set(_secrets(config)), key=len, reverse=True)),
        api=config.watchdog,
        token=config.watchdog_token,
        token_file=posixpath.join(config.spooldir, "watchdog.token"),
        access=config.watchdog_access,
        interval=config.watchdog_interval,
        patience=config.watchdog_patience,
        start_patience=config.watchdog_start_patience,
        restarts=config.watchdog_restarts,
        window=config.watchdog_window,
        disk_percent=config.watchdog_disk,
        memory=dict(config.watchdog_memory),
        certificate_seconds=config.watchdog_certificates,
        repeat=config.alert_repeat,
        clear=config.alert_clear,
        gather=config.alert_gather,
        alert_file=posixpath.join(config.spooldir, "alerts.json"),
        mail=_mail(config, host),
        webhook=_webhook(config),
        sms=_sms(config),
    )


def _mail(config: ServerConfig, host: str) -> MailSettings | None:
    if not config.alert_mail:
        return None
    return MailSettings(
        recipients=config.alert_mail,
        sender=config.alert_mail_from or f"emg@{host}",
        server=config.alert_smtp,
        tls=config.alert_smtp_tls,
        user=config.alert_smtp_user,
        password=config.alert_smtp_password or "",
    )


def _webhook(config: ServerConfig) -> WebhookSettings | None:
    if not config.alert_webhook or not config.alert_webhook_secret:
        return None
    return WebhookSettings(config.alert_webhook, config.alert_webhook_secret)


def _sms(config: ServerConfig) -> SmsSettings | None:
    name = config.alert_sms_user
    if not config.alert_sms or name is None:
        return None
    user = config.users.get(name)
    allowed = user.connector if user else ()
    connector = next(
        (each for each in config.connectors.values() if _lets_in(each) and (not allowed or each.name in allowed)), None
    )
    address = config.alert_sms_address or (connector.address[0] if connector else Endpoint("127.0.0.1", 2775))
    same = next((each for each in config.connectors.values() if address in each.address), connector)
    readable = user.password if user and not hashes.is_hash(user.password) else ""
    return SmsSettings(
        recipients=config.alert_sms,
        level=config.alert_sms_level,
        user=name,
        password=config.alert_sms_password or readable,
        sender=config.alert_sms_from or config.servername[:LONGEST_SENDER],
        address=Endpoint(_LOCAL.get(address.host, address.host), address.port),
        tls=bool(same and same.ssl),
    )


def _lets_in(connector: ConnectorConfig) -> bool:
    incoming = connector.type is ConnectorType.INCOMING and not connector.disabled
    return incoming and connector.protocol is Protocol.SMPP and bool(connector.address)


def _secrets(config: ServerConfig) -> Iterator[str]:
    """Every value of a secret keyword, and the password inside a URL."""
    sections = [("", config), *(("CONNECTOR", each) for each in config.connectors.values())]
    sections += [("USER", each) for each in config.users.values()]
    for place, section in sections:
        for row in TABLES[place].values():
            value = getattr(section, row.attribute)
            if not row.secret or not value:
                continue
            for word in {value, *_in_url(value)}:
                if len(word) >= SHORTEST_SECRET:
                    yield word


def _in_url(value: str) -> Iterator[str]:
    try:
        written = urlsplit(value).password or ""
    except ValueError:
        return
    yield written
    yield unquote(written)
