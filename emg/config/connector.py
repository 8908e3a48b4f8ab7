"""The keywords of a CONNECTOR section: the class is the table. Pure.

Attribute name = keyword in lower case. Times are seconds, rates messages a second, sizes bytes. `None` means that nothing was given
and nothing is assumed. Which keywords stand in which group is for the reader of the documentation; the order is the document's.
"""

# ruff: noqa: RUF009 -- keyword() returns a dataclass field, as field() does
# A table is read by rows:
# fmt: off

from dataclasses import dataclass
from typing import Literal

from emg.config import kinds
from emg.config.keywords import Apply, keyword
from emg.config.values import (
    AVAILABLE,
    ConnectorType,
    Endpoint,
    LogLevel,
    MaybeSent,
    MessageMode,
    Mode,
    Network,
    Protocol,
    SslVerify,
)
from emg.message import Encoding, Want

INCOMING, OUTGOING = ConnectorType.INCOMING, ConnectorType.OUTGOING
REBUILD = Apply.SESSIONS

MODES = {
    "TRX": Mode.BOTH, "TRANSCEIVE": Mode.BOTH, "TX": Mode.TRANSMIT, "TRANSMIT-ONLY": Mode.TRANSMIT, "TRANSMITTER": Mode.TRANSMIT,
    "RX": Mode.RECEIVE, "RECEIVE-ONLY": Mode.RECEIVE, "RECEIVER": Mode.RECEIVE, "TRANSCEIVER": Mode.BOTH,
}

SESSION, LOGIN, TLS = "Connection and sessions", "Login", "TLS"
SPEED, ROUTING, REPORTS = "Speed and limits", "Routing", "Delivery reports"
FIELDS, ADDRESSES, LONG = "Message fields", "Rewriting addresses", "Text and long messages"
RETRIES, LOGGING = "Retries and reconnects", "Logging"

TON, NPI, OCTET = kinds.whole(0, 7), kinds.whole(0, 18), kinds.whole(0, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorConfig:
    """One connector, with every default filled in. `name` is unique; two configurations are compared keyword by keyword."""

    name: str

    type: ConnectorType = keyword(
        kinds.choice(ConnectorType), INCOMING,
        "Who opens the connection: INCOMING listens, OUTGOING connects. Messages may go both ways on either.",
        group=SESSION, example="OUTGOING", needed=True, apply=REBUILD)
    protocol: Protocol = keyword(
        kinds.choice(Protocol, dict(Protocol.__members__), tuple(AVAILABLE)), Protocol.SMPP, "What is spoken.",
        group=SESSION, example="SMPP", needed=True, apply=REBUILD)
    address: tuple[Endpoint, ...] = keyword(
        kinds.ENDPOINTS, (),
        "Where to listen (INCOMING: on all of them) or connect (OUTGOING: in turn, with all addresses of a name).",
        group=SESSION, example="0.0.0.0:2775,[::]:2775", needed=True, apply=REBUILD)
    instances: int = keyword(
        kinds.whole(0, 10000), 1,
        "Sessions at the same time; 0 closes the connector. An INCOMING connector refuses the bind beyond it.",
        group=SESSION, unit="sessions", example="2", incoming=100)
    maxconnections: int = keyword(
        kinds.whole(1, 100000), 1000, "TCP connections at the same time, those that have not bound yet included; of these the oldest makes room.",
        group=SESSION, unit="connections", example="200", only=INCOMING)
    mode: Mode = keyword(
        kinds.choice(Mode, MODES), Mode.BOTH,
        "What the sessions are for, seen from the gateway: TRANSMIT (TX) only sends messages out by them, RECEIVE (RX) only takes them in.",
        group=SESSION, example="TRANSMIT", apply=REBUILD)
    static: bool = keyword(
        kinds.FLAG, False,
        "Stay connected also with an empty queue; otherwise the connection is made when there is something to send.",
        group=SESSION, example="STATIC", only=OUTGOING)
    keepalive: float = keyword(
        kinds.duration(), 30.0, "Check the link when nothing was heard for this long; 0 never checks.",
        group=SESSION, unit="seconds", example="30")
    idletimeout: float = keyword(
        kinds.duration(), 0.0,
        "Close a session without messages for this long (a STATIC one connects again); 0 never does.",
        group=SESSION, unit="seconds", example="10m", otherwise="never")
    bindtimeout: float = keyword(
        kinds.duration(zero=False), 30.0,
        "How long a login may take: from connecting to bind (INCOMING), from bind to answer (OUTGOING).",
        group=SESSION, unit="seconds", example="10")
    optimeout: float = keyword(
        kinds.duration(zero=False), 30.0,
        "How long to wait for the answer to a message; then it is tried again, and a peer that does not answer a link check either counts as gone.",
        group=SESSION, unit="seconds", example="60")
    maxpdusize: int = keyword(
        kinds.size(1024, 1 << 20), 65536, "Largest PDU taken in; a longer one ends the session.",
        group=SESSION, unit="bytes", example="16K", apply=REBUILD)
    hold: bool = keyword(
        kinds.FLAG, False, "Start on hold: sessions stay up, messages stay in the queue until released.",
        group=SESSION, example="HOLD")
    disabled: bool = keyword(
        kinds.FLAG, False, "Neither listen nor connect; the queue is kept.",
        group=SESSION, example="DISABLED", apply=REBUILD)

    username: str | None = keyword(
        kinds.text(64), None,
        "Name to log in with at the far side (SMPP system_id, at most 15 characters by the standard).",
        group=LOGIN, example="acme", needed=OUTGOING, only=OUTGOING, apply=REBUILD)
    password: str | None = keyword(
        kinds.text(64), None, "Password to log in with (SMPP: at most 8 characters by the standard).",
        group=LOGIN, example="${PROVIDER_PASSWORD}", needed=OUTGOING, only=OUTGOING, apply=REBUILD, secret=True)
    users: str | None = keyword(
        kinds.FILE, None, "File with USER sections; those that name no CONNECTOR may log in at this connector only.",
        group=LOGIN, example="users.cfg", only=INCOMING)
    access: tuple[Network, ...] = keyword(
        kinds.NETWORKS, (), "From where clients may connect.",
        group=LOGIN, example="192.0.2.0/24,2001:db8::/32", only=INCOMING, otherwise="everywhere")
    systemtype: str = keyword(
        kinds.text(12), "", "SMPP system_type sent with the bind.",
        group=LOGIN, example="VMS", only=OUTGOING, apply=REBUILD)
    interfaceversion: int = keyword(
        kinds.VERSION, 0x34,
        "SMPP version sent with the bind (OUTGOING), or the highest that is spoken (INCOMING). With 33 and MODE=BOTH each of "
        "INSTANCES is a transmitter and a receiver session, because that version has no transceiver.",
        group=LOGIN, example="34", apply=REBUILD)
    addressrange: str = keyword(
        kinds.text(40), "", "SMPP address_range sent with the bind.",
        group=LOGIN, example="^4670", only=OUTGOING, apply=REBUILD)
    authton: int = keyword(
        TON, 0, "SMPP addr_ton sent with the bind.",
        group=LOGIN, example="1", only=OUTGOING, apply=REBUILD)
    authnpi: int = keyword(
        NPI, 0, "SMPP addr_npi sent with the bind.",
        group=LOGIN, example="1", only=OUTGOING, apply=REBUILD)

    ssl: bool = keyword(
        kinds.FLAG, False, "Speak TLS.",
        group=TLS, example="SSL", apply=REBUILD)
    ssl_keyfile: str | None = keyword(
        kinds.FILE, None, "PEM file with the private key; it may hold the certificate as well.",
        group=TLS, example="tls/server.key", apply=REBUILD)
    ssl_certfile: str | None = keyword(
        kinds.FILE, None, "PEM file with the certificate and those between it and the root.",
        group=TLS, example="tls/server.pem", apply=REBUILD, otherwise="as SSL_KEYFILE")
    ssl_cafile: str | None = keyword(
        kinds.FILE, None, "PEM file with the authorities that are trusted.",
        group=TLS, example="tls/ca.pem", apply=REBUILD, otherwise="those of the system")
    ssl_verify: SslVerify = keyword(
        kinds.choice(SslVerify), SslVerify.HOST,
        "What is checked of the far side's certificate: NONE nothing, PEER its signature, HOST its signature and name.",
        group=TLS, example="HOST", only=OUTGOING, apply=REBUILD)
    ssl_servername: str | None = keyword(
        kinds.text(253, 1), None, "Name to ask for (SNI) and to expect in the certificate.",
        group=TLS, example="smpp.provider.example", only=OUTGOING, apply=REBUILD, otherwise="the host of ADDRESS")
    ssl_client_cert: bool = keyword(
        kinds.FLAG, False, "Clients must show a certificate signed by an authority of SSL_CAFILE.",
        group=TLS, example="SSL_CLIENT_CERT", only=INCOMING, apply=REBUILD)

    windowsize: int | Literal["auto"] = keyword(
        kinds.WINDOW, 1,
        "Unanswered operations a session may have towards the far side; useful are 1 to 20. auto grows while throughput grows.",
        group=SPEED, unit="operations", example="10")
    throughput: float = keyword(
        kinds.rate(1e6, "messages a second, decimals allowed, 0 for no limit"), 0.0,
        "Messages a second over all sessions together. INCOMING: what comes in beyond it is refused as throttled; OUTGOING: it waits.",
        group=SPEED, unit="messages/s", example="50", otherwise="no limit")
    maxqueuesize: int = keyword(
        kinds.whole(0), 0,
        'Messages in the queue of this connector; at the limit routes go elsewhere or the sender gets "queue full".',
        group=SPEED, unit="messages", example="100000", otherwise="no limit but MAXTOTALQUEUESIZE")

    route: str | None = keyword(
        kinds.CONNECTOR_NAME, None, "All messages that come in here go to this connector, past the routing table.",
        group=ROUTING, example="operator1")
    routedlr: str | None = keyword(
        kinds.CONNECTOR_NAME, None,
        "Delivery reports that come in here go to this connector instead of back to the sender.",
        group=ROUTING, example="reports")
    redirect: str | None = keyword(
        kinds.CONNECTOR_NAME, None,
        "What is queued for this connector goes to that one (for connectors of one direction).",
        group=ROUTING, example="customers-rx")
    allowroute: bool = keyword(
        kinds.FLAG, False, "Clients may choose the connector themselves (message options ROUTE and ROUTEDLR).",
        group=ROUTING, example="ALLOWROUTE")

    dlr_support: bool = keyword(
        kinds.FLAG, True,
        "The far side sends delivery reports. If not, the gateway makes one as soon as the message is sent.",
        group=REPORTS, example="DLR_SUPPORT=0")
    nodlr: bool = keyword(
        kinds.FLAG, False, "Make no report where the far side sends none (they are injected by other means).",
        group=REPORTS, example="NODLR")
    dlr_to_same_ip: bool = keyword(
        kinds.FLAG, False, "Bring reports only to a session from the IP address that the message came from.",
        group=REPORTS, example="DLR_TO_SAME_IP", only=INCOMING, apply=REBUILD)
    dlr_ucs2: bool = keyword(
        kinds.FLAG, False,
        "Write a delivery report as UCS-2 (data_coding 8), all of it, when the alphabet (DEFAULT_CHARCODE) lacks characters of the text that it repeats."
        " Without it these are question marks: many clients read reports as ASCII whatever their data coding says.",
        group=REPORTS, example="DLR_UCS2")
    perpartdlr: bool = keyword(
        kinds.FLAG, False,
        "Send one report for each part of a long message that was split here, instead of one for the whole.",
        group=REPORTS, example="PERPARTDLR")
    msgid_format: str = keyword(
        kinds.ID_FORMAT, "text",
        "How the provider writes message ids, in its answers and (after a colon) in its receipts; see below.",
        group=REPORTS, example="dec:hex")
    provider: str = keyword(
        kinds.GROUP_NAME, "",
        "Connectors with the same value share one space of message ids: a report may come by any of them.",
        group=REPORTS, example="operator1", otherwise="the connector's name")

    default_sourceaddr: str | None = keyword(
        kinds.SENDER_ADDRESS, None, "Source address of messages without one.",
        group=FIELDS, example="12345")
    force_sourceaddr: str | None = keyword(
        kinds.SENDER_ADDRESS, None, "Source address of all messages.",
        group=FIELDS, example="ACME")
    default_sourceaddrton: int | None = keyword(
        TON, None, "Type of number of the source where it has none (0).",
        group=FIELDS, example="5")
    force_sourceaddrton: int | None = keyword(
        TON, None, "Type of number of every source.",
        group=FIELDS, example="5")
    default_sourceaddrnpi: int | None = keyword(
        NPI, None, "Numbering plan of the source where it has none (0).",
        group=FIELDS, example="1")
    force_sourceaddrnpi: int | None = keyword(
        NPI, None, "Numbering plan of every source.",
        group=FIELDS, example="0")
    default_destaddrton: int | None = keyword(
        TON, None, "Type of number of the destination where it has none (0).",
        group=FIELDS, example="1")
    force_destaddrton: int | None = keyword(
        TON, None, "Type of number of every destination.",
        group=FIELDS, example="1")
    default_destaddrnpi: int | None = keyword(
        NPI, None, "Numbering plan of the destination where it has none (0).",
        group=FIELDS, example="1")
    force_destaddrnpi: int | None = keyword(
        NPI, None, "Numbering plan of every destination.",
        group=FIELDS, example="1")
    default_dlr: Want | None = keyword(
        kinds.WANT, None, "Reports to ask for where the message asks for none.",
        group=FIELDS, example="1")
    force_dlr: Want | None = keyword(
        kinds.WANT, None, "Reports to ask for, whatever the message asks for.",
        group=FIELDS, example="1")
    default_vp: float | None = keyword(
        kinds.duration(zero=False), None, "How long a message without validity period is tried.",
        group=FIELDS, unit="seconds", example="1d", inherits="DEFAULT_VP")
    force_vp: float | None = keyword(
        kinds.duration(zero=False), None, "Validity period of all messages.",
        group=FIELDS, unit="seconds", example="2h")
    default_priority: int | None = keyword(
        kinds.whole(0, 3), None, "Priority where the message has none (0).",
        group=FIELDS, example="1")
    force_priority: int | None = keyword(
        kinds.whole(0, 3), None, "Priority of all messages.",
        group=FIELDS, example="0")
    default_servicetype: str | None = keyword(
        kinds.text(5), None, "SMPP service_type where the message has none.",
        group=FIELDS, example="CMT")
    force_servicetype: str | None = keyword(
        kinds.text(5), None, "SMPP service_type of all messages.",
        group=FIELDS, example="CMT")
    default_protocolid: int | None = keyword(
        OCTET, None, "Protocol identifier (3GPP TS 23.040 §9.2.3.9) where the message has none (0).",
        group=FIELDS, example="0x40")
    force_protocolid: int | None = keyword(
        OCTET, None, "Protocol identifier of all messages.",
        group=FIELDS, example="0")
    default_dcs: int | None = keyword(
        OCTET, None, "Data coding of messages that come without one.",
        group=FIELDS, example="0")
    force_dcs: int | None = keyword(
        OCTET, None, "Data coding written on all messages; their text is not converted.",
        group=FIELDS, example="0xF0")

    replaceprefix: str | None = keyword(
        kinds.SWAPS, None,
        "Put NEW in the place of OLD at the start of the destination; the longest OLD that fits. The first rewriting.",
        group=ADDRESSES, example="07/467")
    replaceprefix_sourceaddr: str | None = keyword(
        kinds.SWAPS, None, "The same for the source, if it is a number.", group=ADDRESSES, example="07/467")
    removeprefix: str | None = keyword(
        kinds.PREFIXES, None, "Take this off the destination; the longest that fits. The second rewriting.",
        group=ADDRESSES, example="46")
    removeprefix_sourceaddr: str | None = keyword(
        kinds.PREFIXES, None, "The same for the source, if it is a number.", group=ADDRESSES, example="46")
    requireprefix: str | None = keyword(
        kinds.ONE_PREFIX, None, "Put this before the destination unless it starts with it. The last rewriting.",
        group=ADDRESSES, example="+")
    requireprefix_sourceaddr: str | None = keyword(
        kinds.ONE_PREFIX, None, "The same for the source, if it is a number.", group=ADDRESSES, example="+")
    removeplus: bool = keyword(
        kinds.FLAG, False,
        "Take a leading + off both addresses. Known for the sake of old configurations: it is always taken off.",
        group=ADDRESSES, example="REMOVEPLUS")

    default_charcode: Encoding = keyword(
        kinds.choice(Encoding, {"LATIN-1": Encoding.LATIN1}, (Encoding.GSM7, Encoding.LATIN1, Encoding.ASCII)),
        Encoding.GSM7, "What data_coding 0 means to the far side.",
        group=LONG, example="LATIN1")
    packed7bit: bool = keyword(
        kinds.FLAG, False, "GSM text is packed, eight characters in seven octets, both ways.",
        group=LONG, example="PACKED7BIT")
    messagemode: MessageMode = keyword(
        kinds.MESSAGE_MODE, MessageMode(),
        "How long messages leave: SPLIT into parts with an 8-bit reference, SPLIT16 with a 16-bit one, SAR with sar_* parameters, "
        "PAYLOAD whole in message_payload, ASIS as they are. JOIN: parts that come in are put together before routing.",
        group=LONG, example="SPLIT16,JOIN")
    maxparts: int = keyword(
        kinds.whole(1, 255), 255, "Parts a message may be split into; a longer one is refused, never cut.",
        group=LONG, unit="parts", example="10")
    affinity: bool = keyword(
        kinds.FLAG, False, "All parts of a message leave by the same session.",
        group=LONG, example="AFFINITY", only=OUTGOING)

    retryscheme: str | None = keyword(
        kinds.FILE, None, "File that says per error code what to do: try again (when), or give up.",
        group=RETRIES, example="retry.txt", otherwise="the built-in scheme")
    maxtries: int = keyword(
        kinds.whole(0, 100000), 0, "Attempts for a message before it fails.",
        group=RETRIES, example="10", otherwise="no limit but its validity")
    retrytime: float | None = keyword(
        kinds.duration(zero=False), None,
        "Pause before a message is tried again, where RETRYSCHEME gives none for the error.",
        group=RETRIES, unit="seconds", example="5m", otherwise="10 s, then 30 s, 2 min, and 10 min each time")
    maybesent: MaybeSent = keyword(
        kinds.choice(MaybeSent), MaybeSent.RESEND,
        "What to do with a message whose connection broke before its answer came: RESEND may send it twice, FAIL may report a sent one as failed.",
        group=RETRIES, example="FAIL")
    waitbeforeconnect: float = keyword(
        kinds.duration(), 5.0, "Pause after a connection was lost or refused; the first ones are shorter.",
        group=RETRIES, unit="seconds", example="10", only=OUTGOING)
    maxfailedconnects: int = keyword(
        kinds.whole(0, 100000), 5,
        "From this many failed connects in a row on the pause is MAXFAILEDSLEEP; 0 never lengthens it.",
        group=RETRIES, example="3", only=OUTGOING)
    maxfailedsleep: float = keyword(
        kinds.duration(), 60.0, "The longer pause; also kept after a login was refused, and then doubled up to 10 minutes.",
        group=RETRIES, unit="seconds", example="5m", only=OUTGOING)

    loglevel: LogLevel = keyword(
        kinds.choice(LogLevel), LogLevel.INFO, "Least important level that is logged.",
        group=LOGGING, example="DEBUG", inherits="CONNECTOR_LOGLEVEL")
    logpdu: bool = keyword(
        kinds.FLAG, False, "Log every PDU. Passwords are left out, message texts are not.",
        group=LOGGING, example="LOGPDU", inherits="LOGPDU")

    def __post_init__(self) -> None:
        """Defaults that depend on other keywords: ids are the connector's own, and one PEM file may hold key and certificate."""
        if not self.provider:
            object.__setattr__(self, "provider", self.name)
        if self.ssl_certfile is None:
            object.__setattr__(self, "ssl_certfile", self.ssl_keyfile)
