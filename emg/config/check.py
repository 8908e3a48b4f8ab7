"""What can only be seen by looking at several keywords, sections or connectors at once. Pure.

`RULES` is the list; each rule takes the draft and adds findings. Readability of files is the business of `emg.config.load`.
"""

from collections.abc import Callable, Iterator, Mapping

from emg.config import hashes, kinds, notyet
from emg.config.build import TABLES, Built, Draft, build, nearest, quote
from emg.config.check_alerts import alerts
from emg.config.connector import ConnectorConfig
from emg.config.faults import Findings
from emg.config.keywords import Keyword
from emg.config.model import ServerConfig, UserConfig
from emg.config.syntax import Setting, Source, parse
from emg.config.users import join_users
from emg.config.values import AVAILABLE, ConnectorType, Endpoint, Protocol, SslVerify

INCOMING, OUTGOING = ConnectorType.INCOMING, ConnectorType.OUTGOING
STORED = "database"
"""Stands where a file's name would, for connectors of the tables (`emg.config.stored`)."""
LONGEST_SOCKET_PATH = 107
SMPP_NAME, SMPP_PASSWORD = 15, 8
WILDCARDS = frozenset({"0.0.0.0", "::"})
LOOPBACK = frozenset({"127.0.0.1", "::1"})


def examine(
    text: str, file: str, folder: str, environ: Mapping[str, str], source: Source, findings: Findings
) -> tuple[Draft, list[str]]:
    """Read and check a configuration; all that is wrong goes to `findings`. Also gives the files read, in order."""
    document = parse(text, file, environ, source, findings)
    join_users(document, folder, environ, source, findings)
    draft = build(document, folder, findings)
    for rule in RULES:
        rule(draft, findings)
    return draft, document.files


def kind_of(connector: Built[ConnectorConfig]) -> ConnectorType | None:
    """TYPE, or None where it was not given or makes no sense: what depends on it is then not judged."""
    known = "TYPE" in connector.given and "TYPE" not in connector.broken
    return connector.value.type if known else None


def _place(section: Built[ConnectorConfig] | Built[UserConfig], name: str) -> tuple[str, int]:
    """Where a keyword was given, or else where its section starts."""
    setting = section.given.get(name)
    return (setting.file, setting.line) if setting else (section.file, section.line)


def needed_keywords(draft: Draft, findings: Findings) -> None:
    """Keywords that must be given, always or for one TYPE."""
    for name, connector in draft.connectors.items():
        kind = kind_of(connector)
        for row in TABLES["CONNECTOR"].values():
            if row.name not in connector.given and (row.needed is True or (kind and row.needed == kind)):
                article = "every" if row.needed is True else f"an {row.needed.name}"
                reason = f"CONNECTOR {name} has no {row.name}; {article} connector needs it"
                findings.fault(connector.file, connector.line, reason)
    for name, user in draft.users.items():
        for row in TABLES["USER"].values():
            if row.needed and row.name not in user.given:
                findings.fault(user.file, user.line, f"USER {name} has no {row.name}; every user needs it")


def protocols(draft: Draft, findings: Findings) -> None:
    """Only what this version speaks."""
    for connector in draft.connectors.values():
        if connector.value.protocol not in AVAILABLE:
            reason = f"PROTOCOL={connector.value.protocol.name} is EMG's, but not available yet"
            findings.fault(*_place(connector, "PROTOCOL"), reason)


def idle_keywords(draft: Draft, findings: Findings) -> None:
    """Warn of keywords that have no effect where they stand."""
    for connector in draft.connectors.values():
        kind = kind_of(connector)
        for name, setting in connector.given.items():
            row = TABLES["CONNECTOR"][name]
            other = "FORCE_" + name.removeprefix("DEFAULT_")
            if kind and row.only and row.only is not kind:
                reason = f"{name} has no effect in an {kind.name} connector"
            elif name.startswith("SSL_") and not connector.value.ssl:
                reason = f"{name} has no effect without SSL"
            elif name.startswith("DEFAULT_") and other in connector.given:
                reason = f"{name} has no effect beside {other}"
            else:
                continue
            findings.warn(setting.file, setting.line, reason)


def not_yet(draft: Draft, findings: Findings) -> None:
    """Warn of keywords of the table that this version does nothing with."""
    sections: list[tuple[str, Built[ServerConfig] | Built[ConnectorConfig] | Built[UserConfig]]] = [("", draft.general)]
    sections += [("CONNECTOR", built) for built in draft.connectors.values()]
    sections += [("USER", built) for built in draft.users.values()]
    for place, built in sections:
        for name, instead in notyet.INERT[place].items():
            setting = built.given.get(name)
            if setting is not None:
                findings.warn(setting.file, setting.line, f"{name} is not available yet: {instead}")


def _references(draft: Draft) -> Iterator[tuple[Keyword, Setting, tuple[str, ...]]]:
    """Every setting that names connectors, with the names."""
    for type_, sections in (("CONNECTOR", draft.connectors), ("USER", draft.users)):
        for row in TABLES[type_].values():
            if row.kind not in (kinds.CONNECTOR_NAME, kinds.CONNECTORS):
                continue
            for section in sections.values():
                value = getattr(section.value, row.attribute)
                if row.name in section.given and value:
                    yield row, section.given[row.name], (value,) if isinstance(value, str) else value


def references(draft: Draft, findings: Findings) -> None:
    """Connectors that are named must exist, and be of use to whoever names them."""
    for row, setting, names in _references(draft):
        for name in names:
            target = draft.connectors.get(name)
            if target is None and draft.general.value.database and setting.file != STORED:
                reason = f"{quote(row, setting)}: no such connector stands here; it must be one of the database's"
                findings.warn(setting.file, setting.line, reason)
            elif target is None:
                reason = f"{quote(row, setting)}: there is no such connector{nearest(name, draft.connectors)}"
                findings.fault(setting.file, setting.line, reason)
            elif row.name == "CONNECTOR" and kind_of(target) is OUTGOING:
                findings.warn(setting.file, setting.line, f"nobody logs in at {name}: it is an OUTGOING connector")
            elif row.name != "CONNECTOR" and target.value.disabled:
                findings.warn(setting.file, setting.line, f"{quote(row, setting)}: that connector is DISABLED")


def redirect_circles(draft: Draft, findings: Findings) -> None:
    """A message that is redirected must arrive; each circle is told once, at its first connector."""
    told: set[str] = set()
    for name in draft.connectors:
        path = [name]
        while (step := draft.connectors.get(path[-1])) and step.value.redirect and step.value.redirect not in path:
            path.append(step.value.redirect)
        circular = step is not None and step.value.redirect == name
        if circular and told.isdisjoint(path):
            told.update(path)
            reason = f"REDIRECT goes round in a circle: {' → '.join([*path, name])}"
            findings.fault(*_place(draft.connectors[name], "REDIRECT"), reason)


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """Both can't be listened on. A wildcard overlaps everything: whether :: takes IPv4 as well depends on the system."""
    if one.port != other.port or not one.port:
        return False
    hosts, others = _hosts(one.host), _hosts(other.host)
    return not (hosts.isdisjoint(others) and WILDCARDS.isdisjoint(hosts | others))


def _hosts(host: str) -> frozenset[str]:
    return LOOPBACK if host == "localhost" else frozenset({host})


def addresses(draft: Draft, findings: Findings) -> None:
    """No two of us listen on one address; who connects needs a port to connect to."""
    taken: list[tuple[Endpoint, str]] = []
    if draft.general.value.metrics:
        taken.append((draft.general.value.metrics, "METRICS"))
    if "WATCHDOG" in draft.general.given:
        taken.append((draft.general.value.watchdog, "WATCHDOG"))
    if "PORTAL" in draft.general.given:
        taken.append((draft.general.value.portal, "PORTAL"))
    for name, connector in draft.connectors.items():
        place = _place(connector, "ADDRESS")
        own = connector.value.address
        if kind_of(connector) is OUTGOING and any(not address.port for address in own):
            findings.fault(*place, f"ADDRESS of the OUTGOING connector {name} needs a port to connect to")
        if len(set(own)) < len(own):
            findings.fault(*place, f"ADDRESS of {name} names one address twice")
        if kind_of(connector) is not INCOMING or connector.value.disabled:
            continue
        clash = next((who for address in own for other, who in taken if overlap(address, other)), None)
        if clash:
            findings.fault(*place, f"{name} would listen on an address that {clash} listens on already")
        taken.extend((address, f"CONNECTOR {name}") for address in own)


def providers(draft: Draft, findings: Findings) -> None:
    """Connectors that share message ids write them alike."""
    first: dict[str, ConnectorConfig] = {}
    for connector in draft.connectors.values():
        value = connector.value
        other = first.setdefault(value.provider, value)
        if other.msgid_format != value.msgid_format:
            reason = f"MSGID_FORMAT differs from that of {other.name}, which has the same PROVIDER"
            findings.fault(*_place(connector, "MSGID_FORMAT"), reason)


def encryption(draft: Draft, findings: Findings) -> None:
    """TLS has what it needs."""
    for name, connector in draft.connectors.items():
        value, given, kind = connector.value, connector.given, kind_of(connector)
        place = _place(connector, "SSL")
        if value.ssl and "SSL_KEYFILE" not in given and (kind is INCOMING or "SSL_CERTFILE" in given):
            findings.fault(*place, f"CONNECTOR {name} has no SSL_KEYFILE; SSL needs it here")
        if value.ssl and value.ssl_client_cert and "SSL_CAFILE" not in given:
            findings.fault(*_place(connector, "SSL_CLIENT_CERT"), "SSL_CLIENT_CERT needs SSL_CAFILE")
        if value.ssl and kind is OUTGOING and value.ssl_verify is SslVerify.NONE:
            reason = "SSL_VERIFY=NONE: whoever sits in between can read and change everything"
            findings.warn(*_place(connector, "SSL_VERIFY"), reason)


def smpp_lengths(draft: Draft, findings: Findings) -> None:
    """SMPP 3.4 §5.2.1 and §5.2.2: system_id has 15 characters, password 8. Some peers take more."""
    for connector in draft.connectors.values():
        if connector.value.protocol is Protocol.SMPP and kind_of(connector) is OUTGOING:
            for name, longest in (("USERNAME", SMPP_NAME), ("PASSWORD", SMPP_PASSWORD)):
                if len(getattr(connector.value, name.lower()) or "") > longest:
                    reason = f"{name} is longer than the {longest} characters that SMPP allows"
                    findings.warn(*_place(connector, name), reason)
    for name, user in draft.users.items():
        if len(name) > SMPP_NAME:
            findings.warn(user.file, user.line, f"the name is longer than the {SMPP_NAME} characters that SMPP allows")
        if hashes.is_hash(user.value.password):
            if not hashes.is_sound(user.value.password):
                findings.fault(
                    *_place(user, "PASSWORD"), "PASSWORD is not a whole argon2 hash; `emg password` makes one"
                )
        elif len(user.value.password) > SMPP_PASSWORD:
            reason = f"PASSWORD is longer than the {SMPP_PASSWORD} characters that SMPP allows"
            findings.warn(*_place(user, "PASSWORD"), reason)


def sizes(draft: Draft, findings: Findings) -> None:
    """Numbers that contradict each other, and a control socket that no system can bind."""
    general, given, file = draft.general.value, draft.general.given, draft.general.file
    if len(general.control.encode("utf-8", "surrogatepass")) > LONGEST_SOCKET_PATH:
        setting = given.get("CONTROL")
        reason = f"CONTROL is a path of more than {LONGEST_SOCKET_PATH} octets; no socket can have such a name"
        findings.fault(setting.file if setting else file, setting.line if setting else 0, reason)
    if general.default_vp > general.maxvp:
        setting = given.get("DEFAULT_VP") or given.get("MAXVP")
        findings.warn(setting.file if setting else file, setting.line if setting else 0, "DEFAULT_VP exceeds MAXVP")
    for connector in draft.connectors.values():
        if kind_of(connector) is INCOMING and connector.value.instances > connector.value.maxconnections:
            findings.warn(*_place(connector, "INSTANCES"), "INSTANCES exceeds MAXCONNECTIONS and can't be reached")


def nothing_to_do(draft: Draft, findings: Findings) -> None:
    """Warn of a configuration that works and is of no use."""
    general = draft.general
    if not draft.connectors:
        findings.warn(general.file, 0, "there is no CONNECTOR: no message comes in or goes out")
    if draft.users or general.value.database:
        return
    for name, connector in draft.connectors.items():
        if kind_of(connector) is INCOMING:
            findings.warn(
                connector.file, connector.line, f"nobody can log in at {name}: there is neither USER nor DATABASE"
            )


RULES: tuple[Callable[[Draft, Findings], None], ...] = (
    needed_keywords, protocols, idle_keywords, not_yet, references, redirect_circles, addresses, providers, encryption, smpp_lengths, sizes,
    alerts, nothing_to_do,
)  # fmt: skip
