"""The first characters of a message, for a log line, a receipt's `text:` or a list in the portal. Never raises.

Control characters become spaces: a text must not be able to write a second log line.
"""

from typing import Final

from emg.message import Encoding
from emg.text.coding import to_text

_OCTETS: Final = {Encoding.GSM7: 2, Encoding.UCS2: 4, Encoding.LATIN1: 1, Encoding.ASCII: 1}
"""At most so many octets a character."""


def describe(body: bytes, encoding: Encoding, udh: bytes = b"", limit: int = 20) -> str:
    """At most `limit` characters: of the text; of header and body in hexadecimal digits, for binary.

    Octets that are not in the encoding show as U+FFFD. OPAQUE shows as text if it is plain ASCII. An encoding that is
    none shows as binary does.
    """
    limit = max(limit, 0)
    octets = _OCTETS.get(encoding)
    if octets is not None:
        text = to_text(body[: limit * octets], encoding, "replace")[:limit]
    elif encoding == Encoding.OPAQUE and body[:limit].isascii():
        text = body[:limit].decode("ascii")
    else:
        return (udh[:limit] + body[:limit]).hex().upper()[:limit]
    return text if text.isprintable() else "".join([_shown(character) for character in text])


def _shown(character: str) -> str:
    return character if character.isprintable() else " "
