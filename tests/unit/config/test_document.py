"""The generated document is fresh and whole."""

import io
from pathlib import Path

import pytest

from emg.config.build import TABLES
from emg.config.document import main, render

DOCUMENT = Path(__file__).parents[3] / "docs/configuration.md"


def test_the_document_is_fresh() -> None:
    assert DOCUMENT.read_text() == render(), "run: python -m emg.config.document > docs/configuration.md"


def test_every_keyword_is_in_it() -> None:
    document = render()
    for rows in TABLES.values():
        assert all(f"| {row.name} " in document or f"| **{row.name}** " in document for row in rows.values())


def test_every_row_has_as_many_cells_as_its_head() -> None:
    lines = [line.replace("\\|", "") for line in render().splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {5, 6}


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == render()
    monkeypatch.setattr("sys.stdin", io.StringIO(render()))
    assert main(["--check"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("old"))
    assert main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
