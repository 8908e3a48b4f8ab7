"""What can be wrong with a text: `TextError` and its kinds, with the neutral `Cause` that a connector makes its own.

The receive path answers with `cause` (as `Rejected`), the deliver path fails the message with it; none of these gets
better by trying again. The sentences name characters and numbers, never the content of a message.
"""

from emg.errors import Cause, EmgError
from emg.message import Encoding


class TextError(EmgError):
    """Base: this text or header can't be carried as asked."""

    def __init__(self, reason: str, cause: Cause = Cause.BAD_TEXT) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


class Unencodable(TextError):
    """A character is not in the wanted alphabet: the first such one, at `position` (from 0) in the text."""

    def __init__(self, character: str, position: int, encoding: Encoding) -> None:
        super().__init__(f"U+{ord(character):04X} at character {position + 1} is not in {encoding.name}")
        self.character = character
        self.position = position
        self.encoding = encoding


class Malformed(TextError):
    """The octets are not in their encoding: an odd number in UCS-2, a septet of eight bits, half a surrogate pair."""


class HeaderError(TextError):
    """A user data header whose lengths lie, or one that can't be built."""


class TooManyParts(TextError):
    """The text needs more parts than the protocol or the account allows. It is refused whole, never cut."""

    def __init__(self, needed: int, limit: int) -> None:
        super().__init__(f"{needed} parts needed, {limit} allowed", Cause.TOO_LONG)
        self.needed = needed
        self.limit = limit


class PartsMissing(TextError):
    """A long message is not complete. `numbers` are those still to come, from 1."""

    def __init__(self, numbers: tuple[int, ...], total: int) -> None:
        super().__init__(f"{len(numbers)} of {total} parts are missing")
        self.numbers = numbers
        self.total = total
