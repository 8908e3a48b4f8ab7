"""A configuration written back: every keyword with the value in effect, secrets left out. Pure.

The text is itself a configuration: read again it gives the same values, but for the secrets, which stand as comments.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from emg.config.connector import ConnectorConfig
from emg.config.keywords import Keyword, table
from emg.config.model import ServerConfig, UserConfig

HIDDEN = "(hidden)"


def values(section: ServerConfig | ConnectorConfig | UserConfig) -> dict[str, str | None]:
    """Each keyword's value as it could be written; None where there is none, HIDDEN for secrets."""
    return {name: _shown(row, getattr(section, row.attribute)) for name, row in table(type(section)).items()}


def _shown(row: Keyword, value: Any) -> str | None:
    if value is None:
        return None
    return HIDDEN if row.secret else row.kind.show(value)


def sections(config: ServerConfig) -> Iterator[tuple[str, str, Mapping[str, str | None]]]:
    """(type, name, values) of every part; the top level has neither type nor name."""
    yield "", "", values(config)
    for connector in config.connectors.values():
        yield "CONNECTOR", connector.name, values(connector)
    for user in config.users.values():
        yield "USER", user.name, values(user)


def written(config: ServerConfig) -> str:
    """The whole configuration in its own syntax."""
    lines = []
    for kind, name, keywords in sections(config):
        if kind:
            lines += ["", f"{kind} {name} <"]
        for keyword, value in keywords.items():
            if value == HIDDEN:
                lines.append(f"# {keyword} {HIDDEN}")
            elif value:
                lines.append(f"{keyword}={quoted(value)}")
        if kind:
            lines.append(">")
    return "\n".join(lines) + "\n"


def quoted(value: str) -> str:
    """The value so that the parser reads exactly this; in quotes only where that is needed."""
    plain = value == value.strip(" \t") and value[:1] not in ('"', "'") and "${" not in value
    if plain and " #" not in value and "\t#" not in value:
        return value
    inside = value.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    return f'"{inside}"'
