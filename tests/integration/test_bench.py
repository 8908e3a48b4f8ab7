"""The generator of docs/performance.md on tiny counts: that every figure can be measured and stands on the page, not how good it is."""

import re
from pathlib import Path

import pytest

from tests.bench import billed, page

SCALE = 0.002


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_page_has_the_machine_and_a_table_of_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    page.write(path, scale=SCALE)
    text = path.read_text()
    for said in ("| CPU | ", "| cores | ", "| Python | ", "| date | ", "`make bench`", "## In short", "bare relay"):
        assert said in text
    for figure in page.FIGURES:
        head, _, rest = text.partition(f"## {figure.TITLE}\n")[2].partition("\n| ")
        assert head.strip() == figure.how(SCALE)
        lines = rest.partition("\n\n")[0].splitlines()
        assert len(lines) > 2, f"{figure.TITLE} has no rows"
        assert {line.count("|") for line in lines[1:]} == {len(figure.HEAD) + 1}
    assert "100.00%" in text
    assert text.count(f" {billed.AGREED} ") == len(billed.RATES)
    shown = text.partition("## In short")[2].partition("\n## ")[0]
    for said in (
        "recorder and mariadbd",
        "Recorder: ",
        "Hourly summary: ",
        "routes and prices changed",
        "search in a log",
    ):
        assert said in shown


def test_a_figure_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["codec", "codex"]) == 5
    assert re.search(r"no figure is called codex; there are .*codec", capsys.readouterr().err)


def test_every_module_with_a_figure_is_on_the_page() -> None:
    modules = {path.stem for path in Path(page.__file__).parent.glob("*.py")}
    assert modules - {"page", "stand", "relay"} == {page.name_of(figure) for figure in page.FIGURES}
