"""Shapes that are made of the tables of fields (`emg.rules.account_rows`), so that a field that comes there is one here; and the way between them and rows.

Flags, whole numbers and decimals are JSON's own; all else is text, as the shell's `--json` has it. A field that is null where it came in is set back to its default; one that is missing stays as it was.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from emg.config import kinds
from emg.rules import rows
from emg.rules.rows import Field, Fields
from portal.api.operations import Shape

_PLAIN: Final[Mapping[str, Any]] = {"decimal": float, "time": float}


def _type(field: Field) -> Any:
    if field.kind is kinds.FLAG:
        return bool
    if field.kind.name == "number" and field.kind.show is str:
        return int
    return _PLAIN.get(field.kind.name, str)


def _about(field: Field) -> Meta:
    return Meta(description=f"{field.about} ({field.kind.says})")


def told(
    name: str,
    fields: Fields,
    more: Iterable[tuple[Any, ...]] = (),
    *,
    house: Collection[str] = (),
    without: Collection[str] = (),
) -> Any:
    """A row that goes out. `house`: fields that a customer's key is not told."""
    made: list[tuple[Any, ...]] = []
    for field in fields.values():
        if field.secret or field.name in without:
            continue
        kind: Any = Annotated[_type(field) | None, _about(field)]
        made.append((field.name, kind | UnsetType, UNSET) if field.name in house else (field.name, kind))
    return msgspec.defstruct(name, [*made, *more], bases=(Shape,), kw_only=True, forbid_unknown_fields=True)


def given(name: str, fields: Fields, more: Iterable[tuple[Any, ...]] = (), *, named: bool) -> Any:
    """A row that comes in; `named`: with the field that it is called by."""
    made: list[tuple[Any, ...]] = []
    for field in fields.values():
        if field.needed and named:
            made.append((field.name, Annotated[_type(field), _about(field)]))
        elif field.group:
            made.append((field.name, Annotated[_type(field) | None, _about(field)] | UnsetType, UNSET))
    return msgspec.defstruct(name, [*made, *more], bases=(Shape,), kw_only=True, forbid_unknown_fields=True)


def texts(fields: Fields, body: Any) -> dict[str, str]:
    """What came, as `rows.read` takes it."""
    found = {name: getattr(body, name, UNSET) for name in fields}
    return {name: _text(fields[name], value) for name, value in found.items() if value is not UNSET}


def _text(field: Field, value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else rows.text(field, value)


def plain(fields: Fields, values: Mapping[str, Any], *, without: Collection[str] = ()) -> dict[str, Any]:
    """A row as it goes out; no secrets."""
    return {
        field.name: _plain(field, values[field.name])
        for field in fields.values()
        if not field.secret and field.name not in without
    }


def _plain(field: Field, value: Any) -> Any:
    return value if value is None or _type(field) is not str else rows.text(field, value)
