"""`emg db`: everything is made once, the first administrator's password is shown once, and looking changes nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from emg.config import hashes
from emg.db import schema
from emg.db.engine import Database
from emg.db.models import AuditLog, Role, WebUser
from emg.shell import db

Output = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, empty_url: str) -> str:
    file = tmp_path / "server.cfg"
    file.write_text(f"DATABASE={empty_url}\nSPOOLDIR={tmp_path}\n")
    return str(file)


def start(config: str, *argv: str) -> int:
    return db.main(["-c", config, *argv])


def test_upgrade_makes_everything_and_the_first_administrator_once(config: str, empty_url: str, capsys: Output) -> None:
    assert start(config, "upgrade") == 0
    out = capsys.readouterr().out
    password = re.search(r"first administrator: admin, password: (\S+) ", out)
    assert password is not None
    database = Database(empty_url)
    assert schema.check(database) is None
    with database.session() as session:
        user = session.scalars(select(WebUser)).one()
        assert (user.name, user.role, user.must_change_password) == ("admin", Role.OWNER, False)
        assert hashes.matches(user.password_hash, password[1].encode())
        rows = session.scalars(select(AuditLog)).all()
        assert [(row.action, row.subject, row.name) for row in rows] == [("add", "web_user", "admin")]
        assert password[1] not in rows[0].after
    assert start(config, "upgrade", "--json") == 0
    head = schema.known()[-1]
    assert json.loads(capsys.readouterr().out) == {"before": head, "after": head, "administrator": None}
    with database.session() as session:
        assert len(session.scalars(select(WebUser)).all()) == 1
        assert len(session.scalars(select(AuditLog)).all()) == 1
    database.close()


def test_the_password_as_json(config: str, capsys: Output) -> None:
    start(config, "upgrade", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["before"] is None
    assert told["administrator"]["name"] == "admin"
    assert len(told["administrator"]["password"]) >= 16


def test_check_says_it_by_its_exit_code(config: str, capsys: Output) -> None:
    assert start(config, "check") == 1
    assert "run `emg db upgrade`" in capsys.readouterr().out
    start(config, "upgrade")
    capsys.readouterr()
    assert start(config, "check", "--json") == 0
    head = schema.known()[-1]
    assert json.loads(capsys.readouterr().out) == {"usable": True, "schema": head, "needed": head, "fault": None}


def test_show_tells_where_it_is_and_what_is_in_it(config: str, database_kind: str, capsys: Output) -> None:
    assert start(config, "show") == 1, "there is nothing yet"
    start(config, "upgrade")
    capsys.readouterr()
    assert start(config, "show") == 0
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "web_user" in out
    start(config, "show", "--json")
    told = json.loads(capsys.readouterr().out)
    log = next(row for row in told["tables"] if row["table"] == "routelog")
    assert log["rows"] == 0 if database_kind == "sqlite" else log["rows"] < 100, (
        "a server guesses one in each partition"
    )
    assert log.get("partitions") == (None if database_kind == "sqlite" else db.DAYS_AHEAD + 3)


def test_by_the_door(config: str) -> None:
    """As people start it."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "db", "check", "-c", config],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
