"""Names in addresses: `/customers/<name:name>`, for names that people chose freely.

A customer may be called `A/B`, `..`, `new` or `100%`. The web takes the first two apart before we see them, `new` is an address of ours, and only the last is a matter of quoting.
So what can't stand in a path as it is (and every `!`) is written as `!` and two hexadecimal digits an octet; plain names stay plain.
"""

import re
from typing import Final

from flask import Flask
from werkzeug.routing import BaseConverter

OWN: Final = frozenset({"new", "keys", "ledger.csv"})
"""What stands where a name could."""
_ESCAPED: Final = re.compile(r"((?:![0-9A-Fa-f]{2})+)")
_UNSAFE: Final = re.compile(r"[/\\!\x00-\x1f\x7f]")


def written(name: str) -> str:
    """A name as part of a path, before that is quoted."""
    if name in OWN or not name.strip(".") or name != name.strip():
        return "".join(_escape(letter) for letter in name)
    return _UNSAFE.sub(lambda found: _escape(found[0]), name)


def read(part: str) -> str:
    """The name again."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("!", "")).decode("utf-8", "replace"), part)


def _escape(letters: str) -> str:
    return "".join(f"!{octet:02X}" for octet in letters.encode())


class NameConverter(BaseConverter):
    """`<name:…>` in a rule."""

    def to_python(self, value: str) -> str:
        """What the view gets."""
        return read(value)

    def to_url(self, value: str) -> str:
        """What `url_for` writes."""
        return super().to_url(written(value))


def install(app: Flask) -> None:
    """For the rules of this application."""
    app.url_map.converters["name"] = NameConverter
