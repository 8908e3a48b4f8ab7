"""`emg pdu`: decodes SMPP PDUs from hex and says what each field is.

Hex comes from the arguments, from a file (`--file`), or from standard input (`-` or nothing), in any spacing, several PDUs in a row, or as lines of
a PDU log. Passwords are shown as asterisks. Exit codes: 0 all PDUs are sound, 1 one is broken (the rest is decoded all the same), 5 no hex.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from emg.tools import hexinput, options
from emg.tools.dissect import Dissection, cut, dissect


def main(argv: list[str]) -> int:
    """Run `emg pdu` with these arguments; the exit code."""
    return options.end("emg pdu", lambda: _run(_parser().parse_args(argv)))


def _run(chosen: argparse.Namespace) -> int:
    try:
        octets = hexinput.read(_input(chosen))
    except ValueError as error:
        raise options.BadArgument(str(error)) from None
    found = [(at, dissect(frame)) for at, frame in cut(octets)]
    if chosen.json:
        print(json.dumps([as_json(at, each) for at, each in found], indent=2))
    else:
        print("\n\n".join(as_text(at, each) for at, each in found))
    return options.EXIT_ERROR if any(each.fault for _, each in found) else options.EXIT_OK


def _input(chosen: argparse.Namespace) -> str:
    if chosen.file:
        return Path(chosen.file).read_text(encoding="latin-1")
    if chosen.hex in ([], ["-"]):
        return sys.stdin.read()
    return " ".join(chosen.hex)


def as_text(at: int, pdu: Dissection) -> str:
    """A PDU for people; `at` is its place in the input."""
    lines = [f"{pdu.name or 'PDU'}, {len(pdu.octets)} octets{f', at octet {at}' if at else ''}"]
    width = max((len(row.name) + 2 * row.depth for row in pdu.rows), default=0)
    for row in pdu.rows:
        name = "  " * row.depth + row.name
        value = f'"{row.value}"' if isinstance(row.value, str) and not row.value.startswith("0x") else str(row.value)
        lines.append(
            f"  {row.offset:5}  {name:{width}}  {_printable(value)}{f'  ({row.meaning})' if row.meaning else ''}"
        )
    if pdu.fault:
        lines.append(f"  BROKEN: {pdu.fault}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def as_json(at: int, pdu: Dissection) -> dict[str, Any]:
    """A PDU for programs."""
    fields = [{"offset": row.offset, "name": row.name, "value": row.value, "meaning": row.meaning} for row in pdu.rows]
    return {"at": at, "name": pdu.name, "length": len(pdu.octets), "fields": fields, "fault": pdu.fault}


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(prog="emg pdu", description="Decode SMPP PDUs from hex.")
    parser.add_argument(
        "hex", nargs="*", metavar="HEX", help="hex digits in any spacing; - or nothing reads standard input"
    )
    parser.add_argument("--file", metavar="FILE", help="read hex, or lines of a PDU log, from a file")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
