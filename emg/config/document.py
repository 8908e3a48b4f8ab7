"""docs/configuration.md, generated from the keyword table. Pure.

python -m emg.config.document > docs/configuration.md
python -m emg.config.document --check < docs/configuration.md      (exit code 1 if it is out of date)
"""

import sys
from collections.abc import Iterable, Iterator

from emg.config import notyet
from emg.config.connector import ConnectorConfig
from emg.config.keywords import Keyword, table
from emg.config.model import ServerConfig, UserConfig
from emg.config.values import AVAILABLE

HEAD = """\
# Configuration

<!-- Generated from the keyword table by `python -m emg.config.document`; change it there. -->

The gateway reads one file, usually `/etc/emg/server.cfg`. `emg check -c server.cfg` reports everything that is wrong with it, each
fault with file and line; with `-v` it also prints the values in effect. A running gateway reads it again on SIGHUP or
`emg ctl reload`, with the files that it names (tables, lists, retry schemes, certificates), and refuses it as a whole when it has faults, or names an
address that cannot be listened on: it then goes on with what it has.

## How it is written

```
# A comment has the line to itself.
NODEID=1
LOGYEAR
INCLUDE=customers.cfg

CONNECTOR operator1 <
TYPE=OUTGOING
PASSWORD=${OPERATOR1_PASSWORD}
>
```

- `KEY=VALUE`, or `KEY` alone for a flag, at the top level or in a section. A section starts with `TYPE name <` and ends with `>`, each on
  a line of its own. Keywords may be written in any case; names of sections are told apart by case.
- The value goes to the end of the line, without the spaces around it. `#` inside a value belongs to it (`PASSWORD=a#b`), but after
  a space it is a fault, because it could be meant as a comment: put such a value in quotes.
- `"double quotes"` keep spaces; inside, `\\"` and `\\\\` stand for `"` and `\\`. `'Single quotes'` keep everything as it is. After the closing
  quote a `# comment` may follow.
- `${NAME}` is replaced by the environment variable of that name (not in single quotes); one that is not set is a fault.
  `$${` stands for `${` itself. Passwords and what variables hold never appear in messages or logs.
- `INCLUDE=file` reads another file as if it stood here. It stands at the top level, the name is relative to the including file,
  and each file is read once.
- All other file names are relative to the folder of `server.cfg`, or to the environment variable `EMGDIR` if that is set.
- A flag is given by its name alone, or with 1, yes or on; 0, no or off take it away. Times are seconds, or a number with `s`, `m`, `h`, `d` or `w`: `90`, `15m`, `2h`, `7d`. Sizes are bytes, or a number with `K`, `M` or `G`
  (powers of 1024).
- A keyword is given once in its section. Unknown keywords, sections and wrong values are faults; nothing is guessed.
"""

GENERAL = """\
## General keywords

They stand at the top level. The last column says when a change takes effect after a reload.
"""

CONNECTOR = """\
## CONNECTOR

`CONNECTOR name <` … `>`: one way in or out. **Bold** keywords must be given (*in* or *out*: by INCOMING or OUTGOING connectors);
(*in*) and (*out*) after a keyword mean that it has an effect there only. Where a change needs it, the sessions of this
connector are rebuilt; those of other connectors never are. DEFAULT_ keywords fill what a message lacks and FORCE_ keywords replace
what it brings, as it comes in or leaves by this connector.
"""

USER = """\
## USER

`USER name <` … `>`: an account without a database, for logging in at INCOMING connectors. The sections may stand in the main file, in
included files, or in the files that a connector names with USERS. Where a change needs it, the sessions of this user are closed.
"""

IDS = """\
## Message ids of providers

A provider gives every message an id in his answer and repeats it in the delivery report, not always in the same form.
`MSGID_FORMAT` says how both are written, so that they can be brought to one form and compared:

| MSGID_FORMAT | an answer | its receipt | how they are compared |
|---|---|---|---|
| `text` | `A1b2-0042` | `A1b2-0042` | as they stand |
| `dec` | `42` | `0000000042` | as decimal numbers |
| `hex` | `2a` | `0000002A` | as hexadecimal numbers |
| `dec:hex` | `66` | `00000042` | the answer is decimal, the receipt hexadecimal |
| `hex:dec` | `42` | `0000000066` | the other way round |
| `auto` | any | any | without regard to leading zeros and case, then in the other base; for providers that are not known well |

With numbers, neither leading zeros nor case count; an id that is no such number, a UUID for one, is compared as text. Connectors of one
provider that may receive each other's reports are given the same `PROVIDER`, and then need the same `MSGID_FORMAT`.
"""

SHORT = {"flag": "flag", "time": "time"}


def render() -> str:
    """The whole document."""
    parts = [
        HEAD,
        GENERAL,
        *_groups("", table(ServerConfig).values()),
        CONNECTOR,
        *_groups("CONNECTOR", table(ConnectorConfig).values()),
    ]
    parts += [USER, *_groups("USER", table(UserConfig).values()), IDS, _missing()]
    return "\n".join(parts)


def _groups(place: str, rows: Iterable[Keyword]) -> Iterator[str]:
    order: dict[str, list[Keyword]] = {}
    for row in rows:
        order.setdefault(row.group, []).append(row)
    for group, members in order.items():
        yield f"### {group}\n"
        yield "| keyword | meaning | value | default | a change applies |\n|---|---|---|---|---|"
        yield "\n".join(_row(row, notyet.INERT[place].get(row.name, "")) for row in members) + "\n"


def _row(row: Keyword, instead: str) -> str:
    name = f"**{row.name}**" if row.needed else row.name
    side = (row.needed if not isinstance(row.needed, bool) else None) or row.only
    if side:
        name += f" (*{'in' if side.name == 'INCOMING' else 'out'}*)"
    example = row.name if row.kind.bare and row.example == row.name else row.example
    if not row.kind.bare:
        example = f"{row.name}={example}"
    says = SHORT.get(row.kind.name, row.kind.says)
    value = f"{says}<br>`{example if '=' in example else row.name}`"
    about = f"{row.about} *Not available yet: {instead}.*" if instead else row.about
    return "| " + " | ".join(_cell(text) for text in (name, about, value, _default(row), row.apply.value)) + " |"


def _default(row: Keyword) -> str:
    if row.needed:
        return "–"
    if row.inherits:
        return f"as {row.inherits}" if row.inherits != row.name else f"as the general {row.name}"
    shown = "" if row.default is None else row.kind.show(row.default)
    if row.otherwise:
        return f"{shown} ({row.otherwise})" if shown else row.otherwise
    if row.incoming is not None:
        return f"{shown} ({row.kind.show(row.incoming)} for INCOMING)"
    return f"{shown} {row.unit if shown.isdigit() else ''}".strip() or "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _missing() -> str:
    lines = ["## What EMG has and this version does not\n"]
    lines.append(
        f"Sections of type {_names(notyet.SECTIONS)} are recognised and ignored with a warning. PROTOCOL knows "
        f"{_names(protocol.name for protocol in AVAILABLE)}.\n"
    )
    for title, kind in (("At the top level", ""), ("In connectors", "CONNECTOR")):
        lines.append(
            f"{title}, these are faults: {_names(notyet.MISSING[kind])}; and these are ignored with a warning:"
        )
        lines.append(f"{_names(notyet.IGNORED[kind])}.\n")
    return "\n".join(lines).rstrip("\n") + "\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def main(arguments: list[str]) -> int:
    """Print the document, or with --check compare it with standard input."""
    if arguments != ["--check"]:
        sys.stdout.write(render())
        return 0
    if sys.stdin.read() == render():
        return 0
    print("the document is out of date: python -m emg.config.document > docs/configuration.md", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
