"""`emg invoice` from preparing to the file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emg.db.engine import Database
from emg.shell import invoice
from tests.log_rows import NOON, customer, row, write


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> str:
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={database_url}\n")
    return str(file)


@pytest.fixture
def draft(database: Database, config: str, capsys: pytest.CaptureFixture[str]) -> int:
    owner = customer(database, "Acme", vat=2500)
    write(database, [row(1, NOON, customer_id=owner, price=10_000)])
    (made,) = said(config, capsys, "prepare", "--month", "2026-10")
    return int(made["id"])


def said(config: str, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert invoice.main([arguments[0], "-c", config, "--json", *arguments[1:]]) == code
    return json.loads(capsys.readouterr().out)


def test_from_draft_to_credit_note(config: str, draft: int, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = said(config, capsys, "list", "--status", "draft")
    assert (listed["name"], listed["net"], listed["total"], listed["issued"]) == (
        f"draft:{draft}",
        "0.01",
        "0.01",
        None,
    )
    assert said(config, capsys, "issue", f"draft:{draft}") == {"numbers": [1]}
    shown = said(config, capsys, "show", "1")
    assert (shown["customer"], shown["status"], shown["vat"], shown["lines"][0]["unit_price"]) == (
        "Acme",
        "issued",
        "25",
        "0.01",
    )
    assert said(config, capsys, "prepare", "--from", "2026-10-01", "--to", "2026-10-14", code=1)[0]["refused"]
    assert said(config, capsys, "credit", "1", "--note", "wrong") == {"number": 2}
    assert [each["name"] for each in said(config, capsys, "list", "--customer", "Acme")] == ["2", "1"]
    assert invoice.main(["list", "-c", config]) == 0
    credited = next(line for line in capsys.readouterr().out.splitlines() if "credit note" in line)
    assert len(re.findall(r"\d{4}-\d\d-\d\d", credited)) == 3, "its period, its day, and no day to pay at"


@pytest.mark.parametrize("kind", ["csv", "xlsx", "pdf"])
def test_export_writes_a_file_and_none_twice(
    config: str, draft: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    arguments = ("export", f"draft:{draft}", "--format", kind, "-o", str(tmp_path))
    made = Path(said(config, capsys, *arguments)["file"])
    assert made == tmp_path / f"draft-{draft}.{kind}"
    assert made.stat().st_size > 100
    assert invoice.main([*arguments, "-c", config]) == 1
    assert "is there already" in capsys.readouterr().err
    said(config, capsys, *arguments, "--force")


def test_a_draft_is_thrown_away(config: str, draft: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(config, capsys, "drop", str(draft)) == {"dropped": draft}
    assert said(config, capsys, "list") == []


def test_tables_for_people(config: str, draft: int, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("list",), ("show", f"draft:{draft}"), ("prepare", "--month", "2026-10"), ("issue", str(draft))):
        assert invoice.main([arguments[0], "-c", config, *arguments[1:]]) == 0
    assert "is now invoice 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("show", "7"), 1, "there is no invoice 7"),
        (("show", "draft:7"), 1, "no invoice or draft with the id 7"),
        (("show", "seven"), 2, "is not an invoice's number"),
        (("issue", "0"), 2, "is not a draft's id"),
        (("issue", "7"), 1, "there is no draft 7"),
        (("prepare", "--month", "October"), 2, "is not a month such as"),
        (("prepare", "--from", "2026-10-01"), 2, "--from and --to belong together"),
        (("prepare", "--month", "2026-10", "--to", "2026-10-01"), 2, "--month goes with neither"),
        (("prepare", "--from", "2026-10-02", "--to", "2026-10-01"), 2, "--from must not be after"),
        (("prepare", "--customer", "nobody"), 1, "there is no customer 'nobody'"),
    ],
)
def test_faults_are_one_sentence(
    config: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    assert invoice.main([arguments[0], "-c", config, *arguments[1:]]) == code
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
