"""What a customer has to know to connect to an incoming connector, on one sheet: to print, to copy, to mail. It never holds a password.

The host is what the connector listens on, where that is an address that others can reach; else whoever makes the sheet says it. With an account chosen its own limits
and addresses stand in the sheet, else the connector's.
"""

import hashlib
import re
import ssl
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from flask import abort, request

from emg.config.connector import ConnectorConfig
from emg.config.kinds import show_duration
from emg.config.values import ConnectorType, Mode
from emg.db import accounts
from emg.db.changes import NotFound
from emg.db.models import Account
from emg.rules.account_rows import ANY, EVERYWHERE, Access
from portal import house
from portal import pages as made
from portal.connectors import asking
from portal.connectors.blueprint import pages
from portal.formats import THIN
from portal.guard import needs
from portal.permissions import Permission

NOWHERE: Final = frozenset({"0.0.0.0", "::", "127.0.0.1", "::1", "localhost"})
"""Places that one listens on, and nobody else connects to."""
MOST_OFFERED: Final = 500
LARGEST_PEM: Final = 1 << 20
BINDS: Final = {
    Mode.BOTH: "transceiver, transmitter or receiver",
    Mode.RECEIVE: "transmitter",
    Mode.TRANSMIT: "receiver",
}
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}", re.ASCII)


class Line(NamedTuple):
    """One thing to know."""

    title: str
    text: str
    about: str = ""


@pages.get("/connectors/<name:name>/sheet")
@needs(Permission.SEE_CONNECTORS)
def sheet(name: str) -> str:
    """The sheet, for nobody or for one account."""
    seen = asking.joined(name, asking.stored(name), None)
    config, faults, _warnings = asking.in_force(name)
    if config is None:
        told = "; ".join(fault.reason for fault in faults) or "its settings are not known here"
        abort(409, f"Connector {name} has faults: {told}.")
    if config.type is not ConnectorType.INCOMING:
        abort(409, f"{name} is an OUTGOING connector: it connects to others, and nobody connects to it.")
    wanted = request.args.get("account", "").strip()[:128]
    host = request.args.get("host", "").strip()
    fault = ""
    if host and not _HOST.fullmatch(host):
        host, fault = "", "That can be neither a host's name nor an address."
    account, offered, wrong = _account(name, wanted)
    lines = about(config, host or usual_host(config), account)
    return made.render(
        "connectors/sheet.html", seen=seen, config=config, lines=lines, host=host, usual=usual_host(config), fault=fault, wrong=wrong,
        wanted=wanted, account=account, offered=offered, text=as_text(name, lines),
    )  # fmt: skip


def _account(connector: str, wanted: str) -> tuple[Account | None, list[str], str]:
    """(the account, accounts that may log in here, why the one that is wanted is not here)."""
    with house.reading() as session:
        offered = [one.name for one in accounts.listing(session, limit=MOST_OFFERED) if _reaches(one, connector)]
        if not wanted:
            return None, offered, ""
        try:
            account = accounts.find(session, wanted)
        except NotFound:
            return None, offered, f"There is no account {wanted!r}."
        reaches = _reaches(account, connector)
    return (
        account,
        offered,
        "" if reaches else f"Account {wanted} may not log in at {connector} yet: its access list has no row for it.",
    )


def _reaches(account: Account, connector: str) -> bool:
    return any(row.connector in (ANY, connector) for row in account.access)


def usual_host(config: ConnectorConfig) -> str:
    """Where it listens, or the portal's own host; empty where neither is a place that others can reach."""
    for address in config.address:
        if address.host not in NOWHERE:
            return address.host
    return urlsplit(house.config().portal_url or "").hostname or ""


def about(config: ConnectorConfig, host: str, account: Account | None) -> list[Line]:
    """The lines of the sheet."""
    ports = ", ".join(dict.fromkeys(str(address.port) for address in config.address))
    version = f"{config.interfaceversion >> 4}.{config.interfaceversion & 15}"
    return [
        Line("Protocol", f"{config.protocol.name} {version}", "Older versions are understood too."),
        Line("Host", host or "YOUR-GATEWAY"),
        Line("Port", ports),
        *_tls(config),
        Line("System id", account.name if account else "YOUR-ACCOUNT", "The name of the account."),
        Line("Password", "It comes to you on another way.", "The gateway keeps only its hash: nobody can look it up."),
        Line("System type", "Anything; it is not looked at."),
        Line("Bind as", BINDS[config.mode]),
        *_limits(config, account),
        Line("From", _from(config, account), "Connections from elsewhere are refused."),
        *_rules(config, account),
    ]


def _tls(config: ConnectorConfig) -> list[Line]:
    if not config.ssl:
        return [Line("TLS", "No", "What is sent can be read on the way: use it within a private network.")]
    lines = [Line("TLS", "Yes, version 1.2 or later", "Begin with TLS at once; there is no STARTTLS.")]
    if print_of := fingerprint(config.ssl_certfile or config.ssl_keyfile or ""):
        lines.append(
            Line("Fingerprint of our certificate", print_of, "SHA-256; it changes when the certificate is renewed.")
        )
    if config.ssl_client_cert:
        lines.append(Line("Your certificate", "Needed", "Signed by an authority that we have agreed on."))
    return lines


def fingerprint(file: str) -> str:
    """SHA-256 of a file's first certificate, as `AB:CD:…`; empty where there is none, or it can't be read from here."""
    try:
        with Path(file).open(encoding="ascii", errors="replace") as opened:
            found = _CERTIFICATE.search(opened.read(LARGEST_PEM))
        octets = ssl.PEM_cert_to_DER_cert(found[0]) if found else b""
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(octets).digest().hex(":").upper() if octets else ""


def _limits(config: ConnectorConfig, account: Account | None) -> list[Line]:
    sessions = min(config.instances, account.sessions) if account else config.instances
    rates = [rate for rate in (config.throughput, account.throughput if account else 0.0) if rate]
    window = config.windowsize if account is None or account.windowsize is None else account.windowsize or "auto"
    lines = [
        Line("Sessions", f"At most {sessions} at the same time"),
        Line("Window", _window(window), "Operations without an answer, of yours and of ours."),
        Line("Messages a second", f"{min(rates):g}" if rates else "No limit", "What comes beyond it is refused as throttled (ESME_RTHROTTLED)." if rates else ""),
    ]  # fmt: skip
    if account is not None and account.daily_limit:
        lines.append(
            Line("Messages a day", f"{account.daily_limit:,}".replace(",", THIN), "A day begins at midnight, UTC.")
        )
    return lines


def _window(window: int | str) -> str:
    return "It grows while the throughput grows" if window == "auto" else f"{window} operations"


def _from(config: ConnectorConfig, account: Account | None) -> str:
    """Networks from which one may connect: of the account those for this connector."""
    own = [row.network for row in account.access if row.connector in (ANY, config.name)] if account else []
    everywhere = set(EVERYWHERE) <= set(own) or any(str(Access(network)) == ANY for network in own)
    if own and not everywhere:
        return ", ".join(own)
    if config.access:
        return ", ".join(map(str, config.access))
    return "Everywhere" if everywhere else "The addresses that you tell us"


def _rules(config: ConnectorConfig, account: Account | None) -> list[Line]:
    keep = (
        f"Send enquire_link when nothing was said for {show_duration(config.keepalive)}; we do the same."
        if config.keepalive
        else "Not needed."
    )
    lines = [
        Line("Link check", keep),
        Line("Login", f"Bind within {show_duration(config.bindtimeout)} after connecting."),
        Line("Longest PDU", f"{config.maxpdusize:,} octets".replace(",", THIN)),
        Line("Numbers", "International, without + or 00: 46701234567. Type of number 1, numbering plan 1."),
        Line("Text", f"data_coding 0 is {config.default_charcode.name}, 8 is UCS-2; long messages with a user data header, sar_ parameters or message_payload."),
        Line("Delivery reports", "registered_delivery 1; they come as deliver_sm to a receiver or transceiver."),
    ]  # fmt: skip
    if account is not None:
        allowed = account.force_sourceaddr or account.sourceaddr
        told = f"Always {allowed}" if account.force_sourceaddr else allowed.replace(",", ", ") or "Any"
        lines.append(Line("Sender addresses", told))
    if config.idletimeout:
        lines.append(Line("Idle sessions", f"Closed after {show_duration(config.idletimeout)} without messages."))
    return lines


def as_text(name: str, lines: list[Line]) -> str:
    """The sheet as plain text."""
    width = max(len(line.title) for line in lines) + 2
    told = [f"{line.title + ':':<{width}}{line.text}" for line in lines]
    return "\n".join([f"How to connect to {house.config().servername or 'EMG'} ({name})", "", *told, ""])
