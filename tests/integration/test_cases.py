"""Nothing of the lists is forgotten: every case of SMPP has its test on a running gateway, every keyword of a connector too."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from emg.config import notyet
from emg.config.build import TABLES
from tests.integration import cases

HERE = Path(__file__).parent
SMPP = (
    "test_cases_session.py",
    "test_cases_operations.py",
    "test_cases_submit.py",
    "test_cases_reports.py",
    "test_cases_text.py",
)


@cache
def named_in(file):
    """Names of the test functions of a file here."""
    tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.mark.parametrize("number", cases.CASES, ids=lambda number: f"S{number}")
def test_every_case_is_held_on_a_running_gateway(number):
    carrying = [name for file in SMPP for name in named_in(file) if re.match(rf"test_s{number}_", name)]
    assert carrying, f"S{number} ({cases.CASES[number]}): no test of {', '.join(SMPP)} carries its number"


def test_no_test_carries_a_number_that_is_no_case():
    numbers = {
        int(found[1])
        for file in HERE.glob("test_*.py")
        for name in named_in(file.name)
        if (found := re.match(r"test_s(\d+)_", name))
    }
    assert numbers <= cases.CASES.keys()


def test_every_keyword_of_a_connector_is_shown_to_work():
    known = cases.KEYWORDS.keys() | notyet.INERT["CONNECTOR"].keys()
    assert not TABLES["CONNECTOR"].keys() - known, "add a test, and name it in tests/integration/cases.py"
    assert not cases.KEYWORDS.keys() - TABLES["CONNECTOR"].keys(), "there are no such keywords (any more)"


@pytest.mark.parametrize("keyword", cases.KEYWORDS)
def test_the_test_of_a_keyword_exists_and_its_file_sets_it(keyword):
    file, name = cases.KEYWORDS[keyword]
    assert name in named_in(file)
    if keyword not in BY_HELPER:
        assert re.search(rf"\b{keyword}\b", (HERE / file).read_text(encoding="utf-8"))


BY_HELPER = frozenset({"TYPE", "PROTOCOL", "STATIC", "WAITBEFORECONNECT"})
"""Set in every configuration that `tests.gateways` writes."""
