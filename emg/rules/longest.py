"""The longest prefix: which entry of a very large table a number belongs to. Routes, prices and networks all begin with this question.

There is a dictionary for each length of prefix that occurs, asked from the longest to the shortest. Going from one to the next is written out: `_compile`
makes one test a length, as `dataclasses` makes its methods. No number has more than 20 digits, so there are never many. Nothing here fails.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

Entry = TypeVar("Entry")

_TEST: Final = """
    found = get{length}(dest[upto{length}])
    if found is not None:
        return found
"""


class Longest(Generic[Entry]):
    """Entries by their prefixes. It never changes."""

    __slots__ = ("_by_length", "find")

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """Of prefixes of digits, the empty one among them; no entry is None."""
        self._by_length: dict[int, dict[str | None, Entry | None]] = {}
        for prefix, entry in entries.items():
            places = self._by_length.get(len(prefix))
            if places is None:
                # With a key that is no text CPython keeps hashes among the entries, and passes over another prefix that is in the way without
                # reading it. Each such reading waits for memory: without this a lookup in 100,000 rows takes a third longer.
                places = self._by_length[len(prefix)] = {None: None}
            places[prefix] = entry
        self.find: Callable[[str], Entry | None] = _compile(self._by_length)
        """The entry with the longest prefix that a number (digits) begins with; None when there is none."""

    def at(self, prefix: str) -> Entry | None:
        """The entry of exactly this prefix."""
        places = self._by_length.get(len(prefix))
        return places.get(prefix) if places is not None else None

    def shorter(self, prefix: str) -> Entry | None:
        """The entry with the longest prefix that this prefix begins with and that is not it."""
        return self.find(prefix[:-1]) if prefix else None


def _compile(by_length: Mapping[int, dict[str | None, Any]]) -> Callable[[str], Any]:
    """`Longest.find`."""
    lengths = sorted(by_length, reverse=True)
    constants: dict[str, Any] = {}
    for length in lengths:
        constants |= {f"get{length}": by_length[length].get, f"upto{length}": slice(length)}
    tests = "".join(_TEST.format(length=length) for length in lengths)
    source = f"def make({', '.join(constants)}):\n  def find(dest):{tests}\n    return None\n  return find"
    scope: dict[str, Any] = {}
    exec(compile(source, "<Longest.find>", "exec"), scope)  # noqa: S102  lengths are the only input
    found: Callable[[str], Any] = scope["make"](**constants)
    return found
