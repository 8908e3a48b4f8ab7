"""The OpenAPI 3.1 document, made of the table of operations."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from portal.api.operations import BASE, CSV, JSON, Nothing, Operation, Shape
from portal.api.taking import HEADER

VERSION: Final = "1"
"""Of the API: one that breaks what a program relies on gets another address."""
REF: Final = "#/components/schemas/{name}"
_PLACE: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
ERRORS: Final = {
    "400": "What was sent does not fit; `faults` has each field.", "401": "No key, or one that is of no use.", "403": "The key has not the scope.",
    "404": "There is no such row, or not for this key.", "409": "It does not fit what is there now, or this very request was taken before.",
    "413": "The body is too large.", "415": "The body is of another kind.", "429": "Too many requests; `Retry-After` says when to ask again.",
    "503": "The database or the gateway is away; ask again.",
}  # fmt: skip


class Fault(Shape):
    """One thing to put right."""

    field: Annotated[str, Meta(description="Where; empty for the whole.")]
    message: str
    line: Annotated[int | None, Meta(description="Of a file.")] = None


class Details(Shape):
    """What is wrong."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    message: Annotated[str, Meta(description="A sentence for people.")]
    faults: Annotated[list[Fault], Meta(description="What to put right, by field.")]


class Error(Shape):
    """The one shape of all errors."""

    error: Details


def path_of(operation: Operation) -> str:
    """As OpenAPI writes it, behind BASE."""
    return _PLACE.sub(r"{\2}", operation.path)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """All of it."""
    shapes = [Error]
    for operation in operations:
        shapes += [shape for shape in (operation.gives, operation.takes) if shape is not CSV and shape is not Nothing]
    unique = list(dict.fromkeys(shapes))
    schemas, components = msgspec.json.schema_components(unique, ref_template=REF)
    refs = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(path_of(operation), {})[operation.method.lower()] = _row(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "EMG REST API", "version": VERSION, "description": "Accounts, money, routes, prices, connectors, queues, messages and figures of a gateway."},
        "servers": [{"url": BASE}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A key, emg_…"}},
        },
        "security": [{"key": []}],
    }  # fmt: skip


def _row(operation: Operation, refs: dict[Any, Any]) -> dict[str, Any]:
    ok = {"description": "Done.", "content": _content(operation.gives, refs)}
    row: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.about, f"Needs the scope `{operation.scope}`."))),
        "tags": [operation.scope.partition(":")[0]],
        "security": [{"key": [operation.scope]}],
        "parameters": [*_in_path(operation), *parameters(operation)],
        "responses": {
            **{str(status): ok for status in (operation.status, *operation.statuses)},
            **{code: {"description": text, "content": _content(Error, refs)} for code, text in ERRORS.items()},
        },
    }
    if operation.takes is not Nothing:
        row["requestBody"] = {"required": True, "content": _content(operation.takes, refs)}
    return row


def _content(shape: Any, refs: dict[Any, Any]) -> dict[str, Any]:
    return {CSV: {"schema": {"type": "string"}}} if shape is CSV else {JSON: {"schema": refs[shape]}}


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind == "int" else "string"}}
        for kind, name in _PLACE.findall(operation.path)
    ]


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """In the query, and the header of operations that are done once."""
    found: list[dict[str, Any]] = []
    if operation.query is not Nothing:
        _schema, parts = msgspec.json.schema_components([operation.query], ref_template=REF)
        for name, schema in parts[operation.query.__name__]["properties"].items():
            own = {key: value for key, value in schema.items() if key != "description"}
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": False,
                    "description": schema.get("description", ""),
                    "schema": own,
                }
            )
    if operation.once:
        about = "A text of the caller's (8 to 200 characters, such as a UUID): a second request with the same is answered with 409 and does nothing."
        found.append(
            {"name": HEADER, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
        )
    return found
