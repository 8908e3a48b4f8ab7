"""The shape of the keyword table. Pure.

The table itself is the dataclasses of `emg.config.model`: each field is declared with `keyword(…)`, and its name in upper case is the
keyword. Parser, checker, comparison, documentation and `emg check -v` all walk `table(cls)`; there is no second list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from emg.config.values import ConnectorType

T = TypeVar("T")
D = TypeVar("D")


class Apply(StrEnum):
    """When a changed keyword takes effect, as far as it can without disturbing what it does not concern."""

    LIVE = "at once"
    SESSIONS = "sessions are rebuilt"
    RESTART = "restart"
    PORTAL = "restart of the portal"
    WATCHDOG = "restart of the watchdog"
    """These two disturb nothing: the other programs run on."""


class Reads(StrEnum):
    """Whether a value names something on disk. Relative names are resolved; a FILE must be readable, a PLACE is made at start."""

    NOTHING = ""
    FILE = "file"
    PLACE = "place"
    URL = "url"
    """A URL; the file that an SQLite one names is resolved."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value.

    `parse` raises ValueError with a sentence that says what is allowed and never holds the value itself (it may be a secret).
    `show` writes a value back as it could stand in the file.
    """

    name: str
    says: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    reads: Reads = Reads.NOTHING
    bare: bool = False
    """May stand without a value: `KEY` alone means yes."""
    choices: tuple[str, ...] = ()
    """All there are, as `show` writes them, where they are few: a form offers them."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """One row of the table; see `keyword` for the columns."""

    name: str
    kind: Kind[Any]
    default: Any
    about: str
    group: str
    example: str
    unit: str
    apply: Apply
    secret: bool
    needed: bool | ConnectorType
    only: ConnectorType | None
    inherits: str
    incoming: Any
    otherwise: str

    @property
    def attribute(self) -> str:
        """Name of the field in the model."""
        return self.name.lower()


def keyword(
    kind: Kind[T],
    default: D,
    about: str,
    *,
    group: str,
    example: str = "",
    unit: str = "",
    apply: Apply = Apply.LIVE,
    secret: bool = False,
    needed: bool | ConnectorType = False,
    only: ConnectorType | None = None,
    inherits: str = "",
    incoming: D | None = None,
    otherwise: str = "",
) -> T | D:
    """Declare a field of the model as a keyword.

    `needed`: it must be given, always or in connectors of one TYPE. `only`: it has no effect in connectors of the other TYPE.
    `inherits`: the general keyword whose value it takes when not given. `incoming`: another default for INCOMING connectors.
    `otherwise`: what the documentation says of the default where the value alone doesn't tell ("no limit").
    """
    row = {
        "kind": kind, "default": default, "about": about, "group": group, "example": example, "unit": unit, "apply": apply,
        "secret": secret, "needed": needed, "only": only, "inherits": inherits, "incoming": incoming, "otherwise": otherwise,
    }  # fmt: skip
    return cast(T | D, field(default=default, repr=not secret, metadata={"keyword": row}))


def table(cls: type) -> MappingProxyType[str, Keyword]:
    """The keywords of a section of the model, by name, in the order of declaration."""
    rows = (
        Keyword(name=item.name.upper(), **item.metadata["keyword"])
        for item in fields(cls)
        if "keyword" in item.metadata
    )
    return MappingProxyType({row.name: row for row in rows})
