"""A configuration file that is to be taken over into the database: what can be taken, and what is left out and why. Pure.

The file may be ours or that of the commercial product, with keywords, sections and files that we don't have. It is read by our own parser,
section by section and line by line: a line that can't be used is left out with its reason, never guessed at, and the rest stays. What that does to a section:

- A line with a keyword that is unknown here is left out; the section is taken without it.
- A line with a keyword that is known, but with a value that can't be used here (another form, a connector that is not there), leaves its section
  `held`: it is taken over, but switched off, because without that line it might let in or send what it should not.
- Without a keyword that it needs, a section is left out as a whole.

`read` never raises, whatever the text.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from emg.config import hashes
from emg.config.build import TABLES, Built, Draft, build, nearest
from emg.config.connector import ConnectorConfig
from emg.config.effective import quoted
from emg.config.faults import Findings, Unreadable
from emg.config.keywords import Reads
from emg.config.model import ServerConfig, UserConfig
from emg.config.stored import Stored, Variables
from emg.config.syntax import SECTION_NAME, Document, Section, Setting, Source, parse
from emg.config.values import AVAILABLE

LISTS: Final = {"ROUTES": "routes", "PRICES": "prices", "BLACKLIST": "black list", "WHITELIST": "white list"}
ROUTING: Final = "ROUTING"
MD5_KEYWORD: Final = "MD5PASSWORD"
NO_PASSWORD: Final = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43
"""A hash that no password has: what an export without secrets writes."""
_MD5: Final = re.compile(r"\$1\$.*|\{MD5\}.*|[0-9a-fA-F]{32}")
_BARE_SECTION: Final = re.compile(r"^([ \t]*)([^\s=#<>]+)([ \t]*<[ \t\r]*)$", re.MULTILINE)
_PLUGIN: Final = ("LIBRARY", "CONFIG", "INSTANCES", "URL", "DISABLED")
_OTHERS: Final = {
    "DB": "connections to databases are DATABASE at the top of the configuration file",
    "SATPOOL": "pools of source addresses are not available",
    "DOMAIN": "SMTP domains are not available",
}
_GENERAL: Final = "a general keyword: it is not kept in the database; write it into the configuration file"


class LeftOut(NamedTuple):
    """What was not taken over, or not as it stood, and why."""

    file: str
    line: int
    section: str
    keyword: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.section + ': ' if self.section else ''}{self.reason}"


@dataclass(slots=True)
class ForeignConnector:
    """A connector to be taken over."""

    stored: Stored
    file: str
    line: int
    places: Mapping[str, tuple[str, int]]
    """Where each of its keywords stands."""


@dataclass(slots=True)
class ForeignUser:
    """A user to be taken over as an account."""

    name: str
    file: str
    line: int
    texts: dict[str, str]
    """By keyword, without PASSWORD, ACCESS, CONNECTOR, DISABLED."""
    access: tuple[str, ...]
    """Networks; empty for everywhere."""
    connectors: tuple[str, ...]
    """Empty for all."""
    disabled: bool
    """The file says so."""
    held: bool
    """Something that it should have could not be taken over: a new account is locked."""
    places: Mapping[str, tuple[str, int]]
    password: str = field(default="", repr=False)
    """As it is to be typed, or an argon2 hash; empty where there is none that we could use."""


@dataclass(slots=True)
class ForeignPlugin:
    """A PLUGIN section."""

    name: str
    file: str
    line: int
    values: dict[str, str]


class ForeignFile(NamedTuple):
    """A file that the configuration names: `kind` is the keyword."""

    kind: str
    path: str
    file: str
    line: int


@dataclass(slots=True)
class Foreign:
    """All that a file holds for us. `left_out` is in no order; `read_files` are in the order of reading."""

    connectors: list[ForeignConnector] = field(default_factory=list)
    users: list[ForeignUser] = field(default_factory=list)
    plugins: list[ForeignPlugin] = field(default_factory=list)
    files: list[ForeignFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    read_files: list[str] = field(default_factory=list)


def in_order(left_out: Iterable[LeftOut], files: Sequence[str]) -> list[LeftOut]:
    """By file, as they were read, and line."""
    order = {name: number for number, name in enumerate(files)}
    return sorted(left_out, key=lambda left: (order.get(left.file, len(order)), left.file, left.line))


def read(
    text: str, file: str, folder: str, environ: Mapping[str, str], source: Source, config: ServerConfig
) -> Foreign:
    """Read a configuration; `config` is the one in use, whose general keywords need not be told of when they are the same."""
    return _Reader(folder, environ, source, config).read(text, file)


class _Reader:
    """Reads one file and all that it names."""

    def __init__(self, folder: str, environ: Mapping[str, str], source: Source, config: ServerConfig) -> None:
        self.folder = folder
        self.environ = environ
        self.source = source
        self.config = config
        self.findings = Findings()
        self.variables = Variables(environ)
        self.foreign = Foreign()
        self.places: dict[tuple[str, int], tuple[str, str]] = {}
        self.md5: set[str] = set()
        self.loose: set[tuple[str, int]] = set()
        """Lines of connectors whose variables are not set here: they are kept as they stand, and can't be judged."""
        self.lacking: dict[str, set[str]] = {}
        """Of users: keywords that were left out for that reason, by name."""

    def read(self, text: str, file: str) -> Foreign:
        document = parse(text, file, self.variables, self.source, self.findings)
        self.take_files(document)
        self.foreign.read_files = document.files
        document.sections = [section for section in document.sections if not self.takes(section)]
        self.take_variables(document)
        self.remember(document)
        draft = build(document, self.folder, self.findings)
        self.tell_findings()
        self.general(draft)
        for name, connector in draft.connectors.items():
            self.connector(name, connector)
        for name, user in draft.users.items():
            self.user(name, user)
        return self.foreign

    def leave(self, place: Section | Setting | Built[Any], section: str, keyword: str, reason: str) -> None:
        self.foreign.left_out.append(LeftOut(place.file, place.line, section, keyword, reason))

    # -- what is taken out of the document before it is built

    def take_files(self, document: Document) -> None:
        """USERS files become sections; the files of tables are noted for whoever reads them."""
        rest = []
        for setting in document.settings:
            if setting.name == "USERS" and setting.value:
                self.users_file(document, setting, None)
            elif setting.name in (ROUTING, *LISTS) and setting.value:
                path = posixpath.normpath(posixpath.join(self.folder, setting.value))
                self.foreign.files.append(ForeignFile(setting.name, path, setting.file, setting.line))
            else:
                rest.append(setting)
        document.settings = rest
        named: dict[str, tuple[Setting, list[str]]] = {}
        for section in document.sections:
            found = next((item for item in section.settings if item.name == "USERS" and item.value), None)
            if section.type == "CONNECTOR" and found and found.value:
                named.setdefault(found.value, (found, []))[1].append(section.name)
        for found, connectors in named.values():
            self.users_file(document, found, connectors)

    def users_file(self, document: Document, setting: Setting, connectors: list[str] | None) -> None:
        """Add the USER sections of a file; `name <` alone is one too there."""
        assert setting.value, "a file has a name"
        path = posixpath.normpath(posixpath.join(self.folder, setting.value))
        if path in document.files:
            return
        try:
            text = self.source.read(path)
        except Unreadable as reason:
            self.leave(setting, "", "USERS", f"USERS={setting.raw} can't be read: {reason}")
            return
        text = _BARE_SECTION.sub(r"\1USER \2\3", text)
        added = parse(text, path, self.variables, self.source, self.findings)
        document.files += added.files
        for stray in added.settings:
            self.leave(stray, "", stray.name, "a users file holds USER sections only")
        for section in added.sections:
            if connectors and all(item.name != "CONNECTOR" for item in section.settings):
                names = ",".join(connectors)
                section.settings.append(Setting("CONNECTOR", names, names, section.file, section.line))
            document.sections.append(section)

    def takes(self, section: Section) -> bool:
        """Sections that are no connector and no user; and what only the commercial product's users have."""
        title = f"{section.type} {section.name}"
        if section.type in _OTHERS:
            self.leave(section, title, "", f"sections of this type are left out: {_OTHERS[section.type]}")
            return True
        if section.type == "PLUGIN":
            self.plugin(section, title)
            return True
        if section.type == "USER":
            kept = [item for item in section.settings if item.name != MD5_KEYWORD]
            if len(kept) < len(section.settings):
                self.md5.add(section.name)
                section.settings = kept
        return False

    def take_variables(self, document: Document) -> None:
        """Only a connector can keep a `${NAME}`; elsewhere a line whose variable is not set here has no value that could be kept."""
        document.settings = [setting for setting in document.settings if not self.has_unset(setting, "")]
        for section in document.sections:
            if section.type == "CONNECTOR":
                self.loose |= {(item.file, item.line) for item in section.settings if self.unset(item)}
            else:
                title = f"{section.type} {section.name}"
                kept = [item for item in section.settings if item.name == "PASSWORD" or not self.has_unset(item, title)]
                gone = {item.name for item in section.settings} - {item.name for item in kept}
                self.lacking.setdefault(section.name, set()).update(gone)
                section.settings = kept

    def unset(self, setting: Setting) -> str:
        """The variable that this line needs and that is not set here; empty for none."""
        return next((name for name in self.variables.missing if "${" + name + "}" in setting.raw), "")

    def has_unset(self, setting: Setting, section: str) -> bool:
        name = self.unset(setting)
        if name:
            reason = f"{setting.name} needs the environment variable {name}, which is not set here"
            self.leave(setting, section, setting.name, reason)
        return bool(name)

    def plugin(self, section: Section, title: str) -> None:
        values: dict[str, str] = {}
        unset = [setting for setting in section.settings if self.has_unset(setting, title)]
        if unset:
            return
        for setting in section.settings:
            if setting.name not in _PLUGIN:
                reason = f"{setting.name} is not a keyword of a plugin{nearest(setting.name, _PLUGIN)}"
                self.leave(setting, title, setting.name, reason)
            elif not setting.faulty:
                values.setdefault(setting.name, setting.value or "")
        if not SECTION_NAME.fullmatch(section.name):
            return
        if not values.get("LIBRARY") and not values.get("URL"):
            self.leave(section, title, "", "it has neither LIBRARY nor URL")
            return
        self.foreign.plugins.append(ForeignPlugin(section.name, section.file, section.line, values))

    # -- what was found

    def remember(self, document: Document) -> None:
        """By file and line: which section and keyword stand there."""
        for setting in document.settings:
            self.places[setting.file, setting.line] = ("", setting.name)
        for section in document.sections:
            title = f"{section.type} {section.name}"
            self.places[section.file, section.line] = (title, "")
            for setting in section.settings:
                self.places.setdefault((setting.file, setting.line), (title, setting.name))

    def tell_findings(self) -> None:
        """Faults and warnings of parser and builder are what is left out; the first of each line tells why."""
        told: set[tuple[str, int]] = set()
        for error in (*self.findings.faults, *self.findings.warnings):
            if (error.file, error.line) not in told | self.loose:
                told.add((error.file, error.line))
                section, keyword = self.places.get((error.file, error.line), ("", ""))
                self.foreign.left_out.append(LeftOut(error.file, error.line, section, keyword, error.reason))

    def general(self, draft: Draft) -> None:
        for name, setting in draft.general.given.items():
            row = TABLES[""][name]
            same = getattr(draft.general.value, row.attribute) == getattr(self.config, row.attribute)
            if name not in draft.general.broken and not same:
                self.leave(setting, "", name, _GENERAL)

    def connector(self, name: str, built: Built[ConnectorConfig]) -> None:
        title = f"CONNECTOR {name}"
        broken = {key for key in built.broken if (built.given[key].file, built.given[key].line) not in self.loose}
        if not SECTION_NAME.fullmatch(name) or not self.whole(built, broken, title):
            return
        taken = [item for key, item in built.given.items() if key not in broken and key not in ("DISABLED", "USERS")]
        lines = tuple((item.name, self.written(item)) for item in taken)
        if broken and not built.value.disabled:
            reason = f"taken over disabled, because {', '.join(sorted(broken))} could not be"
            self.leave(built, title, "", reason)
        places = {key: (item.file, item.line) for key, item in built.given.items()}
        stored = Stored(name, lines, built.value.disabled or bool(broken))
        self.foreign.connectors.append(ForeignConnector(stored, built.file, built.line, places))

    def whole(self, built: Built[ConnectorConfig], broken: set[str], title: str) -> bool:
        """It has what a connector needs, and speaks what we do."""
        if built.value.protocol not in AVAILABLE:
            reason = f"left out as a whole: PROTOCOL={built.value.protocol.name} is not available yet"
            self.leave(built.given["PROTOCOL"], title, "PROTOCOL", reason)
            return False
        kind = built.value.type if "TYPE" in built.given and "TYPE" not in built.broken else None
        missing = [
            row.name
            for row in TABLES["CONNECTOR"].values()
            if (row.needed is True or (kind and row.needed == kind))
            and (row.name not in built.given or row.name in broken)
        ]
        if missing:
            self.leave(
                built, title, "", f"left out as a whole: without a usable {', '.join(missing)} it is no connector"
            )
        return not missing

    def written(self, setting: Setting) -> str:
        """The value as it is kept; a file's name is made absolute, because it was relative to another folder."""
        row = TABLES["CONNECTOR"][setting.name]
        if (
            row.kind.reads is Reads.NOTHING
            or not setting.value
            or self.unset(setting)
            or posixpath.isabs(setting.value)
        ):
            return setting.raw
        return quoted(posixpath.normpath(posixpath.join(self.folder, setting.value)))

    def user(self, name: str, built: Built[UserConfig]) -> None:
        title = f"USER {name}"
        if not SECTION_NAME.fullmatch(name):
            return
        given = {key: item for key, item in built.given.items() if key not in built.broken}
        apart = ("PASSWORD", "ACCESS", "CONNECTOR", "DISABLED")
        texts = {
            key: item.value if item.value is not None else "yes" for key, item in given.items() if key not in apart
        }
        password, reason = self.password(name, built)
        broken = (built.broken | self.lacking.get(name, set())) - {"PASSWORD"}
        if broken:
            self.leave(built, title, "", f"taken over locked, because {', '.join(sorted(broken))} could not be")
        if reason:
            self.leave(built.given.get("PASSWORD", built), title, "PASSWORD", reason)
        self.foreign.users.append(
            ForeignUser(
                name, built.file, built.line, texts, tuple(map(str, built.value.access)), built.value.connector,
                built.value.disabled,
                bool(broken or reason), {key: (item.file, item.line) for key, item in built.given.items()}, password,
            )
        )  # fmt: skip

    def password(self, name: str, built: Built[UserConfig]) -> tuple[str, str]:
        """(password, why there is none)."""
        setting = built.given.get("PASSWORD")
        if name in self.md5 and setting is None:
            return (
                "",
                "taken over locked: its password is kept as MD5, of which no argon2 hash can be made; set a new one",
            )
        if setting is None or "PASSWORD" in built.broken or not setting.value:
            return "", "taken over locked: it has no usable PASSWORD"
        value = setting.value
        if self.unset(setting):
            return "", f"taken over locked: PASSWORD={setting.raw} is not set in this environment; set a password"
        if value == NO_PASSWORD:
            return value, ""
        if hashes.is_hash(value):
            return (
                (value, "")
                if hashes.is_sound(value)
                else ("", "taken over locked: PASSWORD is not a whole argon2 hash")
            )
        if _MD5.fullmatch(value):
            return "", "taken over locked: its password is an MD5, of which no argon2 hash can be made; set a new one"
        return value, ""
