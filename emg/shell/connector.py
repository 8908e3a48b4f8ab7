"""`emg connector`: the connectors of the database.

A line of a section is written as it would stand in the file: `KEY=VALUE`, or `KEY` alone for a flag; `KEY-` takes it away. What is
changed is examined like a configuration file, together with that file. Passwords never show, and are never given on the command line, where everybody
on the machine could read them: they come by `--password-stdin`, or as `PASSWORD=${NAME}`, which the gateway's environment replaces, so that the
password does not stand in the database either.
"""

import argparse
from collections.abc import Sequence
from typing import Any, Final

from emg.config.effective import quoted
from emg.config.stored import ROWS, Stored, StoredFault, shown
from emg.config.values import ConnectorType
from emg.db import connectors
from emg.db.models import Connector
from emg.shell.around import around
from emg.shell.common import Call, Command, UsageError, no_arguments, run
from emg.shell.words import word

COLUMNS: Final = (
    ("Connector", "name"), ("Type", "TYPE"), ("Protocol", "PROTOCOL"), ("Address", "ADDRESS"), ("Disabled", "disabled"), ("From", "from"),
    ("Note", "note"),
)  # fmt: skip
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def pairs(words: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """(what is set, what is taken away) of `KEY=VALUE`, `KEY` and `KEY-`. Raises UsageError."""
    given: dict[str, str] = {}
    taken: set[str] = set()
    for given_word in words:
        keyword, equals, value = given_word.partition("=")
        name = keyword.strip().upper()
        if not equals and name.endswith("-"):
            name = name[:-1]
            taken.add(name)
        elif name in given:
            raise UsageError(f"{name} stands there twice")
        else:
            given[name] = value.strip(" \t")
        if not name:
            raise UsageError(f"{given_word!r} is neither KEY=VALUE nor KEY nor KEY-")
    if both := taken & given.keys():
        raise UsageError(f"{', '.join(sorted(both))}: given and taken away at once")
    return given, taken


def _lines_of(call: Call) -> tuple[dict[str, str], set[str]]:
    """What the arguments set and take away, and the password from standard input."""
    given, taken = pairs(call.arguments.lines)
    for keyword, value in given.items():
        if shown(keyword, value) != value:
            raise UsageError(
                f"{keyword} on a command line can be read by all: use --password-stdin or {keyword}=${{NAME}}"
            )
    if call.arguments.password_stdin:
        if given.get("PASSWORD") or "PASSWORD" in taken:
            raise UsageError("PASSWORD is given twice")
        given["PASSWORD"] = quoted(call.password().text)
    return given, taken


def row_of(connector: Connector) -> dict[str, Any]:
    """What JSON and tables show of a connector; secrets as `***`."""
    options = {
        option.keyword: shown(option.keyword, option.value) for option in connector.options if not option.disabled
    }
    return {
        "name": connector.name, "disabled": connector.disabled, "note": connector.note, "from": "database",
        "options": options, "updated": connector.updated,
    }  # fmt: skip


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    return {**row["options"], **row}


def list_(call: Call) -> None:
    """All of them, those of the configuration file too."""
    with call.database.looking() as session:
        rows = [row_of(connector) for connector in connectors.listing(session)]
    for connector in call.config.connectors.values():
        options = {
            "TYPE": connector.type.name, "PROTOCOL": connector.protocol.name,
            "ADDRESS": ",".join(map(str, connector.address)),
        }  # fmt: skip
        rows.append(
            {"name": connector.name, "disabled": connector.disabled, "note": "", "from": "file", "options": options}
        )
    if call.json:
        call.print_json(rows)
    else:
        call.table([_flat(row) for row in rows], COLUMNS)


def show(call: Call) -> None:
    """One, with all its lines."""
    with call.database.looking() as session:
        row = row_of(connectors.find(session, call.arguments.name))
    if call.json:
        call.print_json(row)
    else:
        options = row.pop("options")
        call.pairs({**row, **{keyword: value or "yes" for keyword, value in options.items()}})


def add(call: Call) -> None:
    """A new one."""
    given, taken = _lines_of(call)
    if taken:
        raise UsageError("a new connector has nothing that could be taken away")
    off = call.arguments.disabled or _said_off(given.pop("DISABLED", None))
    wanted = Stored(call.arguments.name, tuple(given.items()), off)
    with call.database.session() as session:
        warnings = connectors.add(session, call.actor, around(call), wanted, note=call.arguments.note or "")
    _done(call, call.arguments.name, "added", warnings)


def _said_off(value: str | None) -> bool:
    """DISABLED among the lines is the connector's switch."""
    if value is None:
        return False
    try:
        return not value or bool(ROWS["DISABLED"].kind.parse(value))
    except ValueError as fault:
        raise UsageError(f"DISABLED {fault}") from None


def set_(call: Call) -> None:
    """Other values for some lines; the others stay."""
    given, taken = _lines_of(call)
    name = call.arguments.name
    off = _said_off(given.pop("DISABLED")) if "DISABLED" in given else None
    with call.database.session() as session:
        old = connectors.stored(connectors.find(session, name)).lines
        if missing := taken - {keyword for keyword, _value in old}:
            raise UsageError(f"connector {name} has no {', '.join(sorted(missing))}")
        lines = [(keyword, given.pop(keyword, value)) for keyword, value in old if keyword not in taken]
        lines += given.items()
        warnings = connectors.change(
            session, call.actor, around(call), name, lines, disabled=off, note=call.arguments.note
        )
    _done(call, name, "changed", warnings)


def note(call: Call) -> None:
    """Another remark."""
    name = call.arguments.name
    with call.database.session() as session:
        lines = connectors.stored(connectors.find(session, name)).lines
        warnings = connectors.change(session, call.actor, around(call), name, lines, note=call.arguments.note)
    _done(call, name, "noted", warnings, f"connector {name} has another note")


def enable(call: Call) -> None:
    """Let it listen or connect again."""
    _switch(call, disabled=False)


def disable(call: Call) -> None:
    """It neither listens nor connects; its queue is kept."""
    _switch(call, disabled=True)


def _switch(call: Call, *, disabled: bool) -> None:
    name = call.arguments.name
    with call.database.session() as session:
        warnings = connectors.switch(session, call.actor, around(call), name, disabled=disabled)
    _done(call, name, "disabled" if disabled else "enabled", warnings)


def rename(call: Call) -> None:
    """Another name, as long as nothing names it."""
    with call.database.session() as session:
        warnings = connectors.rename(session, call.actor, around(call), call.arguments.name, call.arguments.new)
    _done(call, call.arguments.new, "renamed", warnings, f"connector {call.arguments.name} is now {call.arguments.new}")


def delete(call: Call) -> None:
    """Take it out, as long as nothing names it."""
    with call.database.session() as session:
        connectors.delete(session, call.actor, around(call), call.arguments.name)
    _done(call, call.arguments.name, "deleted", [])


def _done(call: Call, name: str, done: str, warnings: Sequence[StoredFault], sentence: str = "") -> None:
    call.tell_gateway()
    answer = {"connector": name, "done": done, "warnings": [warning.reason for warning in warnings]}
    sentence = sentence or f"connector {name} is {done}"
    call.say(answer, "\n".join([sentence, *(f"warning: {warning}" for warning in warnings)]))


def sheet(call: Call) -> None:
    """What a customer needs to connect."""
    name = call.arguments.name
    made = call.config.connectors.get(name)
    if made is None:
        with call.database.looking() as session:
            connectors.find(session, name)
            examined = around(call).examine(map(connectors.stored, connectors.listing(session)))
        made = examined.connectors.get(name)
        if made is None:
            raise connectors.ConnectorFaults([fault for fault in examined.faults if fault.connector == name])
    if made.type is not ConnectorType.INCOMING:
        raise UsageError(f"{name} is an OUTGOING connector: nobody connects to it")
    hosts = [call.arguments.host or _host(address.host) for address in made.address]
    call.pairs(
        {
            "protocol": f"{made.protocol.name} {_version(made.interfaceversion)}",
            "host": ", ".join(dict.fromkeys(hosts)),
            "port": ", ".join(dict.fromkeys(str(address.port) for address in made.address)),
            "TLS": ("yes, with a certificate of your own" if made.ssl_client_cert else "yes") if made.ssl else "no",
            "system id": "YOUR-ACCOUNT",
            "password": "YOUR-PASSWORD",
            "system type": "anything",
            "bind as": {"both": "transceiver, transmitter or receiver", "receive": "transmitter"}.get(
                made.mode.value, "receiver"
            ),
            "window": str(made.windowsize),
            "link check": f"enquire_link after {made.keepalive:g} s of silence" if made.keepalive else "not needed",
            "messages a second": f"{made.throughput:g}" if made.throughput else "as agreed",
            "from": ", ".join(map(str, made.access)) or "the addresses that you tell us",
        },
        f"How to connect to {name}",
    )


def _host(host: str) -> str:
    """A wildcard is no place to connect to."""
    return "YOUR-GATEWAY" if host in ("0.0.0.0", "::") or host in LOOPBACK else host


def _version(number: int) -> str:
    return f"{number >> 4}.{number & 15}"


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=word, metavar="NAME")


def _lines(parser: argparse.ArgumentParser, *, says: str, at_least: str) -> None:
    _name(parser)
    parser.add_argument("lines", type=word, metavar="KEY=VALUE", nargs=at_least, help=says)
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read PASSWORD from standard input; with set, name it: PASSWORD --password-stdin",
    )
    parser.add_argument("--note", type=word, help="a remark for people")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    _lines(parser, says="a line of its section; KEY alone for a flag", at_least="+")
    parser.add_argument("--disabled", action="store_true", help="don't listen or connect yet")


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    _lines(parser, says="a line of its section; KEY alone for a flag, KEY- takes it away", at_least="+")


def _note_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("note", type=word, metavar="TEXT", help="a remark for people; empty takes it away")


def _rename_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("new", type=word, metavar="NEW")


def _sheet_arguments(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--host", help="the name by which customers reach the gateway")


COMMANDS: Final = {
    "list": Command(list_, no_arguments, "all connectors, those of the configuration file too"),
    "show": Command(show, _name, "one connector with all its lines"),
    "add": Command(add, _add_arguments, "a new connector"),
    "set": Command(set_, _set_arguments, "other lines for a connector; those that aren't named stay"),
    "note": Command(note, _note_arguments, "a remark for people"),
    "enable": Command(enable, _name, "let it listen or connect"),
    "disable": Command(disable, _name, "neither listen nor connect; its queue is kept"),
    "rename": Command(rename, _rename_arguments, "another name, if nothing names it"),
    "delete": Command(delete, _name, "take it away, if nothing names it"),
    "sheet": Command(sheet, _sheet_arguments, "what a customer needs to connect"),
}


def main(argv: list[str]) -> int:
    """Run the command that the arguments name."""
    return run("connector", "Connectors that stand in the database.", COMMANDS, argv)
