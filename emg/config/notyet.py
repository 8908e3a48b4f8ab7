"""EMG's own keywords and sections that this version does not have, and rows of our own table that do nothing yet. Pure.

They are recognised, so that somebody who brings his configuration along is told what to do rather than "unknown keyword". A keyword that
would change where messages go or what they say is a fault: starting without it would do the wrong thing quietly. One that only chose
a store, a licence or a log of EMG's is a warning. `INERT` are rows of the keyword table that a configuration may hold already,
for the day when what they belong to is there: a warning says so.
"""

from collections.abc import Mapping

# One long list of names is read more easily filled than one to a line:
# fmt: off
GENERAL_IGNORED = frozenset({
    "BACKEND", "BACKEND_DLR", "CONNECTORLOGDB", "DISABLE_CREDITS", "DISABLE_MESSAGEBODY", "DISABLE_MESSAGEOPTION",
    "DBPROFILE", "PDULOGDB", "ROUTELOGDB", "KEYFILE", "LICENSE", "PERSIST", "ROUTELOGSIZE", "DLRSIZE",
})
GENERAL_MISSING = frozenset({"DBCONFIG", "USERS", "ROUTING", "NOBOUNDCHECK", "TIMEOFFSET"})
CONNECTOR_IGNORED = frozenset({"WAITDELAY", "OPS_MAXOUTSTANDING", "OPS_MAXPERSESSION"})
CONNECTOR_MISSING = frozenset({
    "SUBADDRESS", "PLUGIN", "USERDB", "DEFAULT_SMSCOP", "DEFAULT_MSGTYPE", "DEFAULT_CHARCODE_TEXT", "QUOTEDSUBJECT",
    "XAUTH", "XAUTHUSERNAME", "XAUTHPASSWORD", "URLHANDLER", "BLACKLIST", "WHITELIST", "INHERIT", "VIRTUAL", "PROXY",
    "TCPSOURCEIP", "TCPSOURCEPORT", "XUSERNAME", "XPASSWORD", "WORKINGHOURS", "IGNOREMAXTOTALQUEUESIZE",
    "DEFAULT_QPRIORITY", "FORCE_QPRIORITY", "DEFAULT_MSGCLASS", "FORCE_MSGCLASS", "FORCE_CHARCODE", "REGEXP_SOURCEADDR",
    "REGEXP_DESTADDR", "REGEXP_MESSAGE", "MASQUERADE", "MAPPING", "BINARYMAPPING", "MAXMESSAGELENGTH", "NOUCS2",
    "UDHVIAOPTIONAL", "PARSEMESSAGE", "SATPOOL_CREATE", "SATPOOL_LOOKUP", "ROUTESAT", "DOMAIN", "SMPPTZ", "POLLRECEIVE",
    "INITSTRING", "VASID", "VASPID",
})
# fmt: on

INSTEAD = {
    "BACKEND": "the spool is always local, in SPOOLDIR",
    "BACKEND_DLR": "the spool is always local, in SPOOLDIR",
    "OPS_MAXOUTSTANDING": "use WINDOWSIZE",
    "PERSIST": "messages are always kept on disk",
    "ROUTELOGDB": "use DATABASE",
    "DBPROFILE": "use DATABASE",
    "ROUTING": "use ROUTES",
    "UDHVIAOPTIONAL": "use MESSAGEMODE=SAR",
    "USERDB": "use USER sections or USERS",
    "USERS": "use USERS in the connector, or INCLUDE a file of USER sections",
}

INERT: Mapping[str, Mapping[str, str]] = {
    "": {
        "DEFAULT_CHARCODE_TEXT": "no protocol of this version carries plain text without saying its charset",
    },
    "CONNECTOR": {
        "ALLOWROUTE": "no protocol of this version carries the options ROUTE and ROUTEDLR",
        "DEFAULT_DCS": "every message of SMPP comes with a data coding",
    },
    "USER": {},
}
"""Rows of the table without effect in this version, each with what holds instead, by type of section."""

SECTIONS = frozenset({"DB", "PLUGIN", "SATPOOL", "DOMAIN"})
IGNORED = {"": GENERAL_IGNORED, "CONNECTOR": CONNECTOR_IGNORED, "USER": frozenset[str]()}
MISSING = {"": GENERAL_MISSING, "CONNECTOR": CONNECTOR_MISSING, "USER": frozenset[str]()}


def advice(name: str) -> str:
    """What to write instead, as the tail of a sentence; empty if there is nothing."""
    return f"; {INSTEAD[name]}" if name in INSTEAD else ""
