r"""Octets from what people paste: hex in any spacing, several lines, or lines of a log with hex in them.

Taken as pure hex when nothing else is in the text but blanks, line ends, `:`, `,`, `-`, `0x` and `\x`. Otherwise each line gives the hex in
it: words of 32 and more hex digits, or else a run of at least 16 pairs; an offset column and an ASCII column beside it are left out.
The octets of a password, which our PDU log writes as `**`, are read as asterisks. Raises ValueError saying which line or character is wrong.
"""

import re
from typing import Final

_PREFIX: Final = re.compile(r"\\x|0[xX]")
_SPACING: Final = re.compile(r"[\s:,\-]+")
_NOT_HEX: Final = re.compile(r"[^0-9a-fA-F]")
_MASKED: Final = re.compile(r"(?<=[0-9a-fA-F]{32})(?:\*\*)+")
"""A password's octets stand behind the header and the system_id."""
_WORD: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_PAIRS: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :]){15,}[0-9a-fA-F]{2}(?![0-9A-Za-z])")
_DUMP: Final = re.compile(
    r"^\s*(?:0x)?[0-9a-fA-F]{4,8}:?\s+((?:(?:[0-9a-fA-F]{2}){1,4} {1,2}){0,15}(?:[0-9a-fA-F]{2}){1,4})(?:\s{2}.*)?$"
)


def read(text: str) -> bytes:
    """The octets in `text`, in order. Raises ValueError."""
    text = _MASKED.sub(_asterisks, text)
    plain = _SPACING.sub("", _PREFIX.sub("", text))
    if not plain:
        raise ValueError("nothing to decode")
    lines = [line for line in text.splitlines() if line.strip()]
    dumped = _read_dump(lines)
    if dumped is not None:
        return dumped
    wrong = _NOT_HEX.search(plain)
    if wrong is None:
        if len(plain) % 2:
            raise ValueError(f"{len(plain)} hex digits are no whole number of octets: one is missing, or one too many")
        return bytes.fromhex(plain)
    found = [digits for line in lines for digits in _in_line(line)]
    if found:
        return bytes.fromhex("".join(found))
    at = text.index(wrong.group())
    line = text.count("\n", 0, at) + 1
    raise ValueError(f"line {line}: {wrong.group()!r} is no hex digit, and no line holds 16 octets of hex")


def _asterisks(masked: re.Match[str]) -> str:
    return "2a" * (len(masked.group()) // 2)


def _in_line(line: str) -> list[str]:
    words = [word for word in _WORD.findall(line) if len(word) % 2 == 0]
    if words:
        # a log line may hold a hexadecimal name before the PDU; the PDU comes last
        return words[-1:]
    return [re.sub(r"[ :]", "", pairs) for pairs in _PAIRS.findall(line)[-1:]]


def _read_dump(lines: list[str]) -> bytes | None:
    """The octets of a hex dump (as `xxd` and `hexdump -C` write it): offsets that count up; None where it is none."""
    octets = bytearray()
    for line in lines:
        match = _DUMP.match(line)
        offset = re.match(r"\s*(?:0x)?([0-9a-fA-F]{4,8})", line)
        if match is None or offset is None or int(offset.group(1), 16) != len(octets):
            # the last line of `hexdump -C` is the length alone
            if (
                octets
                and offset is not None
                and line.strip() == offset.group(1)
                and int(offset.group(1), 16) == len(octets)
            ):
                continue
            return None
        octets += bytes.fromhex(match.group(1).replace(" ", ""))
    # one line that begins with zeros may as well be the PDU itself
    return bytes(octets) if len(octets) >= 16 or len(lines) > 1 else None
