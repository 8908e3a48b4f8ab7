"""Texts for people: no secret, no control characters, not too long. Pure."""

import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 600
"""Characters of one text."""
_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\u200b-\u200f\u202a-\u202e\u2066-\u2069]+"
)
_LOGIN: Final = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*(?=@)")
_HIDDEN: Final = "***"


class Cleaner:
    """Call it with a text. `secrets` are the words that are hidden wherever they stand alone."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words = sorted((re.escape(word) for word in secrets if word), key=len, reverse=True)
        # as a whole only: a password that is a common word shall not take parts out of others
        self._secrets = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        if self._secrets is not None:
            text = self._secrets.sub(_HIDDEN, text)
        text = _LOGIN.sub(_HIDDEN, text)
        return cut(_CONTROL.sub(" ", text).strip(), LONGEST)


def cut(text: str, longest: int) -> str:
    """The text, or as much of its beginning as fits, with dots."""
    return text if len(text) <= longest else text[: max(0, longest - 3)].rstrip() + "..."
