"""docs/control.md says what the tables say."""

from pathlib import Path

from emg.control.ctl import COMMANDS
from emg.control.document import render
from emg.control.metrics import COUNTERS, GAUGES

DOCUMENT = Path(__file__).parents[3] / "docs/control.md"


def test_the_document_is_fresh() -> None:
    assert DOCUMENT.read_text() == render(), "run: make docs"


def test_every_command_and_figure_is_in_it() -> None:
    document = render()
    assert all(f"| `{name}` |" in document for name in COMMANDS)
    assert all(f"`{name}" in document for name in GAUGES)
    assert all(f"`emg_{name}_total`" in document for name in COUNTERS)
