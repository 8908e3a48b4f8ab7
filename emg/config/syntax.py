r"""EMG's configuration syntax: text to settings and sections, each with file and line. Pure; knows no keyword.

The language, line by line (spaces around everything are ignored, keywords and section types may be written in any case):

    # a comment; it has the line to itself
    KEY=VALUE
    KEY                     (a flag)
    INCLUDE=file            (relative to this file; top level only; each file once)
    TYPE name <
    KEY=VALUE
    >

- A value goes to the end of the line. `#` inside a value belongs to it (`PASSWORD=a#b`). After a space it is a fault, because nobody can
  tell whether a comment or a password was meant: quote the value or give the comment a line of its own.
- "double quotes" keep spaces, and `\"` and `\\` stand for `"` and `\`. 'Single quotes' keep everything as it is. After a quoted value
  a `#` comment may follow.
- `${NAME}` is replaced by that environment variable, but for single quotes; `$${` stands for `${`.

`parse` never raises on any text: all that is wrong goes into the findings, and the parser goes on with the next line. Texts of
findings hold no values, so that no secret gets into a log.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from emg.config.faults import Findings, Unreadable

KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
SECTION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", re.ASCII)
SECTION_NAME_SAYS = "letters, digits and _ . @ -, at most 64, not starting with a sign"
DOUBLE_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
SINGLE_QUOTED = re.compile(r"'([^']*)'\s*(?:#.*)?")
VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
VARIABLE_OR_ESCAPE = re.compile(VARIABLE.pattern + r'|\\(["\\])')
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
MOST_FILES = 1000
DEEPEST_INCLUDE = 20


@dataclass(frozen=True, slots=True)
class Setting:
    """`KEY=VALUE` or a bare `KEY` (value None). `raw` is the value as it stands in the file, with `${NAME}` unreplaced.

    `faulty`: its value could not be read, which has been noted; it is kept so that nobody calls the keyword missing.
    """

    name: str
    value: str | None = field(repr=False)
    raw: str = field(repr=False)
    file: str
    line: int
    faulty: bool = False


@dataclass(slots=True)
class Section:
    """`TYPE name <` … `>`; file and line are those of its first line."""

    type: str
    name: str
    file: str
    line: int
    settings: list[Setting] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """A configuration as written, included files and all; `files` are in the order of reading."""

    settings: list[Setting] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Source(Protocol):
    """Where included files come from."""

    def path(self, name: str, including: str) -> str:
        """The full name of a file that is called `name` in the file `including`."""

    def read(self, path: str) -> str:
        """Its text; raises Unreadable."""


def parse(text: str, file: str, environ: Mapping[str, str], source: Source, findings: Findings) -> Document:
    """Read a configuration and all that it includes. Faults go to `findings`; what could be read is returned."""
    document = Document()
    _Parser(document, environ, source, findings, ()).read(text, file)
    return document


class _Parser:
    """Reads one file; included ones are read by a parser of their own into the same document."""

    def __init__(
        self, document: Document, environ: Mapping[str, str], source: Source, findings: Findings, above: tuple[str, ...]
    ) -> None:
        self.document = document
        self.environ = environ
        self.source = source
        self.findings = findings
        self.above = above
        self.file = ""
        self.line = 0
        self.section: Section | None = None

    def fault(self, reason: str) -> None:
        self.findings.fault(self.file, self.line, reason)

    def read(self, text: str, file: str) -> None:
        self.file = file
        self.document.files.append(file)
        for self.line, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            self.take(line.strip(" \t\r"))
        self.close_unfinished()

    def take(self, line: str) -> None:
        """One line, without the spaces around it."""
        if not line or line.startswith("#"):
            return
        if CONTROL.search(line):
            self.fault("holds control characters: is this a text file?")
        elif line == ">":
            self.close()
        elif line.endswith("<") and "=" not in line:
            self.open(line)
        elif "=" in line:
            self.set(line)
        elif KEY.fullmatch(line):
            self.keep(Setting(line.upper(), None, "", self.file, self.line))
        else:
            self.fault("is neither KEY=VALUE, nor KEY, nor TYPE name <, nor >, nor a # comment")

    def open(self, line: str) -> None:
        self.close_unfinished()
        words = line[:-1].split()
        kind, name = words if len(words) == 2 else ("", "")
        if not KEY.fullmatch(kind) or not SECTION_NAME.fullmatch(name):
            self.fault(f"a section starts with TYPE name <, the name made of {SECTION_NAME_SAYS}")
        self.section = Section(kind.upper(), name, self.file, self.line)
        self.document.sections.append(self.section)

    def close(self) -> None:
        if self.section is None:
            self.fault("> closes a section, but none is open")
        self.section = None

    def close_unfinished(self) -> None:
        if self.section is not None:
            self.findings.fault(
                self.section.file, self.section.line, "this section is not closed by a line with > alone"
            )
            self.section = None

    def set(self, line: str) -> None:
        key, _, rest = line.partition("=")
        name = key.rstrip(" \t").upper()
        if not KEY.fullmatch(name):
            self.fault("the word before = is not a keyword: letters, digits and _, starting with a letter")
            return
        value = self.value(rest)
        setting = Setting(name, value, rest.strip(" \t"), self.file, self.line, faulty=value is None)
        if name != "INCLUDE":
            self.keep(setting)
        elif value is not None:
            self.include(setting, value)

    def keep(self, setting: Setting) -> None:
        if setting.name == "INCLUDE":
            self.fault("INCLUDE needs the name of a file")
        elif self.section is not None:
            self.section.settings.append(setting)
        else:
            self.document.settings.append(setting)

    def value(self, rest: str) -> str | None:
        """What stands after `=`, unquoted and with variables replaced; None after noting a fault."""
        text = rest.strip(" \t")
        if text.startswith("'"):
            match = SINGLE_QUOTED.fullmatch(text)
            if match is None:
                self.fault("the value starts with ' and must end with it")
            return match[1] if match else None
        if text.startswith('"'):
            match = DOUBLE_QUOTED.fullmatch(text)
            if match is None:
                self.fault('the value starts with " and must end with it (\\" stands for a " inside)')
            return self.replace(VARIABLE_OR_ESCAPE, match[1]) if match else None
        if re.search(r"[ \t]#", rest):
            self.fault("a comment stands on a line of its own; if # belongs to the value, put the value in quotes")
            return None
        return self.replace(VARIABLE, text)

    def replace(self, pattern: re.Pattern[str], text: str) -> str | None:
        before = len(self.findings.faults)
        value = pattern.sub(self.variable, text)
        return value if len(self.findings.faults) == before else None

    def variable(self, match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[0].startswith("\\"):
            return match[0][1]
        name = match[1]
        if not match[2] or not VARIABLE_NAME.fullmatch(name):
            self.fault("${ is not followed by a variable's name and } ($${ stands for ${ itself)")
        elif name not in self.environ:
            self.fault(f"the environment variable {name} is not set")
        elif CONTROL.search(self.environ[name]):
            self.fault(f"the environment variable {name} holds control characters, such as a line end")
        else:
            return self.environ[name]
        return ""

    def include(self, setting: Setting, name: str) -> None:
        if self.section is not None:
            self.fault("INCLUDE stands at the top level, not in a section")
            return
        path = self.source.path(name, self.file)
        chain = (*self.above, self.file)
        if path in chain:
            self.fault(f"INCLUDE={setting.raw}: this file includes itself")
        elif path in self.document.files:
            self.fault(f"INCLUDE={setting.raw}: this file was included before")
        elif len(self.document.files) >= MOST_FILES or len(chain) > DEEPEST_INCLUDE:
            self.fault(f"INCLUDE={setting.raw}: more than {MOST_FILES} files, or {DEEPEST_INCLUDE} within each other")
        else:
            try:
                text = self.source.read(path)
            except Unreadable as reason:
                self.fault(f"INCLUDE={setting.raw} can't be read: {reason}")
                return
            _Parser(self.document, self.environ, self.source, self.findings, chain).read(text, path)
