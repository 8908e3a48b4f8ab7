"""The kinds of values that a configuration holds and that plain numbers and strings can't express. Pure.

Enumerations carry EMG's spelling as their member name. `IdForm` is the one place that knows how a provider writes message ids.
"""

import ipaddress
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import NamedTuple

HEX_DIGITS = "0123456789abcdefABCDEF"
DECIMAL_DIGITS = "0123456789"
LONGEST_NUMBER = 64
"""Ids with more digits are compared as text: converting them would cost more than the match is worth."""

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


class IdBase(Enum):
    """How a provider's message id is to be read: as it stands, or as a number."""

    TEXT = "text"
    DEC = "dec"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class IdForm:
    """How one place (answers, or receipts) writes message ids."""

    base: IdBase = IdBase.TEXT
    nocase: bool = False
    """Upper and lower case are the same (TEXT only: numbers have no case)."""
    nozeros: bool = False
    """Leading zeros don't count (TEXT only: they never count in numbers)."""

    def normal(self, written: str) -> str:
        """The form in which ids are kept and compared: equal exactly if they mean the same id.

        Numbers become decimal without leading zeros. What is no number of its base (a provider that mixes UUIDs in) stays
        as it is written. Never raises.
        """
        if self.base is IdBase.TEXT:
            if self.nozeros:
                written = written.lstrip("0") or written[:1]
            return written.lower() if self.nocase else written
        if not written or len(written) > LONGEST_NUMBER:
            return written
        if self.base is IdBase.DEC:
            return written if written.strip(DECIMAL_DIGITS) else str(int(written))
        digits = written[2:] if written[:2] in ("0x", "0X") else written
        return written if not digits or digits.strip(HEX_DIGITS) else str(int(digits, 16))

    def __str__(self) -> str:
        return self.base.value + ("+nocase" if self.nocase else "") + ("+nozeros" if self.nozeros else "")


@dataclass(frozen=True, slots=True)
class MsgIdFormat:
    """MSGID_FORMAT: how a provider writes ids in its answers and in its receipts."""

    answer: IdForm = IdForm()
    receipt: IdForm = IdForm()

    def __str__(self) -> str:
        return str(self.answer) if self.answer == self.receipt else f"{self.answer}:{self.receipt}"
