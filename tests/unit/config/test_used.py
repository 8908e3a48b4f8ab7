"""Every keyword that the table offers does something: it is read by the gateway, or `emg check` says that it does nothing yet."""

import ast
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from emg.config import notyet
from emg.config.build import TABLES
from emg.config.load import load_text
from emg.config.model import ConnectorConfig, ServerConfig, UserConfig

ROOT = Path(__file__).parents[3]
CLASSES = {"": ServerConfig, "CONNECTOR": ConnectorConfig, "USER": UserConfig}

INSIDE = {
    ("", "warnings"): "emg check prints them",
    ("", "connector_loglevel"): "LOGLEVEL of connectors takes its default from it",
    ("", "control"): "read by the control server",
    ("CONNECTOR", "protocol"): "emg check refuses what this version does not speak",
    ("CONNECTOR", "removeplus"): "its text says that it changes nothing",
    ("CONNECTOR", "users"): "the USER sections of that file are joined to the configuration as it is read",
}
"""Attributes whose work is done inside emg/config."""


@cache
def read_outside() -> frozenset[str]:
    """Names of attributes that any module outside emg/config looks at."""
    return frozenset(
        node.attr
        for folder in ("emg", "portal", "watchdog")
        for file in (ROOT / folder).rglob("*.py")
        if ROOT / "emg" / "config" not in file.parents
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
    )


@pytest.mark.parametrize("place", CLASSES, ids=lambda place: place or "general")
def test_every_keyword_is_used_or_said_to_be_without_effect(place: str) -> None:
    names = [item.name for item in fields(CLASSES[place])]
    idle = [
        name
        for name in names
        if name not in read_outside() and (place, name) not in INSIDE and name.upper() not in notyet.INERT[place]
    ]
    assert not idle, "make them work, or list them in emg.config.notyet.INERT"


def test_the_lists_name_keywords_that_exist() -> None:
    for place, rows in notyet.INERT.items():
        assert rows.keys() <= TABLES[place].keys()
    for place, name in INSIDE:
        assert name in {item.name for item in fields(CLASSES[place])}


def test_a_keyword_without_effect_is_a_warning() -> None:
    config = load_text(
        "CONNECTOR c <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nALLOWROUTE\n>\nUSER u <\nPASSWORD=p\n>\n"
    )
    found = [warning.reason for warning in config.warnings]
    assert [reason.partition(" is not available yet")[0] for reason in found] == ["ALLOWROUTE"]
