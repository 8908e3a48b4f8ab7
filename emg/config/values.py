"""The kinds of values that a configuration holds and that plain numbers and strings can't express. Pure.

Enumerations carry EMG's spelling as their member name.
"""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConnectorType(StrEnum):
    """Who opens the connection; not the direction of the messages."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Protocol(StrEnum):
    """Every protocol that EMG's keyword knows; `AVAILABLE` are those that this version speaks."""

    SMPP = "smpp"
    UCP = "ucp"
    CIMD2 = "cimd2"
    OIS = "ois"
    HTTP = "http"
    SMTP = "smtp"
    MGP = "mgp"
    EBE = "ebe"
    DLL = "dll"
    MMS = "mms"


AVAILABLE = frozenset({Protocol.SMPP})


class Mode(StrEnum):
    """What a connector's sessions are for, seen from the gateway: TRANSMIT means that the gateway sends only."""

    BOTH = "both"
    TRANSMIT = "transmit"
    RECEIVE = "receive"


class LogLevel(IntEnum):
    """Least important level that is still logged; the numbers are those of Python's `logging`."""

    DEBUG2 = 5
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class SslVerify(StrEnum):
    """What an outgoing connector checks of the far side's certificate. HOST: its signature and its name."""

    NONE = "none"
    PEER = "peer"
    HOST = "host"


class MaybeSent(StrEnum):
    """What to do with a message whose connection died between sending and answer."""

    RESEND = "resend"
    FAIL = "fail"


class LongOut(StrEnum):
    """How a message too long for one PDU leaves (3GPP TS 23.040 §9.2.3.24.1 and .8, SMPP 3.4 §5.3.2.22 to 32)."""

    SPLIT = "split"
    SPLIT16 = "split16"
    SAR = "sar"
    PAYLOAD = "payload"
    ASIS = "asis"


class Operation(StrEnum):
    """What a user may ask of the gateway, besides binding."""

    SUBMIT = "submit"
    QUERY = "query"
    CANCEL = "cancel"
    REPLACE = "replace"
    MULTI = "multi"
    DATA = "data"


class LogContent(StrEnum):
    """What the log keeps of a message's text."""

    FULL = "full"
    MASKED = "masked"
    """Each letter as x, each digit as 0."""
    NONE = "none"


class MailTls(StrEnum):
    """How the connection to a mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    """After the greeting, on the port for plain text."""
    TLS = "tls"
    """From the first octet."""


class AlertLevel(StrEnum):
    """Least severe alert that is told."""

    WARNING = "warning"
    CRITICAL = "critical"


class TextCharset(StrEnum):
    """Charset of plain text that comes without one; the values are names that Python knows."""

    UTF8 = "utf-8"
    LATIN1 = "latin-1"
    ASCII = "ascii"


class Endpoint(NamedTuple):
    """A place to listen on or connect to. `host` is a name in lower case or an IP address in its shortest form, without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MessageMode:
    """MESSAGEMODE: how long messages leave by a connector, and whether parts that come in by it are joined."""

    out: LongOut = LongOut.SPLIT
    join: bool = False

    def __str__(self) -> str:
        return f"{self.out.name},JOIN" if self.join else self.out.name
