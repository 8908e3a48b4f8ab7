"""The routes of the API, made of its operations; the document, and the page that shows it."""

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from flask import Blueprint, Response, render_template

from portal.api import accounts, customers, gateway, messages, openapi, reports, tables, taking
from portal.api.caller import needs_key
from portal.api.operations import BASE, CSV, JSON, Call, Nothing, Operation
from portal.guard import open_to_all

OPERATIONS: Final[tuple[Operation, ...]] = (
    *accounts.OPERATIONS,
    *messages.OPERATIONS,
    *gateway.OPERATIONS,
    *tables.OPERATIONS,
    *customers.OPERATIONS,
    *reports.OPERATIONS,
)

pages = Blueprint("api", __name__, template_folder="templates")


def _view(operation: Operation) -> Any:
    @needs_key(operation.scope)
    def view(**path: Any) -> Response:
        call = Call(path, taking.query(operation.query), taking.body(operation))
        made = operation.run(call)
        status, answer = made if isinstance(made, tuple) else (operation.status, made)
        if operation.gives is CSV:
            return Response(answer, status, mimetype=CSV)
        return Response(msgspec.json.encode(answer), status, mimetype=JSON)

    view.__name__ = operation.name
    view.__doc__ = operation.summary
    return view


for _one in OPERATIONS:
    pages.add_url_rule(BASE + _one.path, endpoint=_one.name, view_func=_view(_one), methods=[_one.method])


@cache
def _octets() -> bytes:
    return msgspec.json.encode(openapi.document(OPERATIONS))


@pages.get(f"{BASE}/openapi.json")
@open_to_all("what there is to ask for is no secret; it holds no row of anybody")
def document() -> Response:
    """For tools."""
    return Response(_octets(), mimetype=JSON)


# -- for people


class Described(NamedTuple):
    """A field of a table on the page."""

    name: str
    kind: str
    needed: bool
    about: str


class Shown(NamedTuple):
    """An operation on the page."""

    method: str
    path: str
    summary: str
    about: str
    scope: str
    tables: list[tuple[str, list[Described]]]


@pages.get(BASE)
@open_to_all("the same as the document, for people")
def index() -> str:
    """What programs can do."""
    return render_template("api/index.html", groups=_groups(), base=BASE)


@cache
def _groups() -> list[tuple[str, list[Shown]]]:
    made = openapi.document(OPERATIONS)
    groups: dict[str, list[Shown]] = {}
    for operation in OPERATIONS:
        groups.setdefault(operation.path.split("/")[1].partition(".")[0], []).append(_shown(operation, made))
    return list(groups.items())


def _shown(operation: Operation, made: dict[str, Any]) -> Shown:
    parts = made["components"]["schemas"]
    query = [
        Described(row["name"], _kind(row["schema"]), row["required"], row["description"])
        for row in openapi.parameters(operation)
    ]
    tables = [("Parameters", query)]
    for title, shape in (("Body", operation.takes), ("Answer", operation.gives)):
        if shape is not Nothing and shape is not CSV:
            tables.append((title, _fields(parts[shape.__name__])))
    return Shown(
        operation.method, openapi.path_of(operation), operation.summary, operation.about, operation.scope,
        [(title, fields) for title, fields in tables if fields],
    )  # fmt: skip


def _fields(schema: dict[str, Any]) -> list[Described]:
    needed = schema.get("required", ())
    return [
        Described(name, _kind(one), name in needed, one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """In a word or two."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    word = {"string": "text", "integer": "whole number", "boolean": "true or false", "date-time": "time"}
    kind = schema.get("format") or schema.get("type", "anything")
    return word.get(kind, str(kind))
