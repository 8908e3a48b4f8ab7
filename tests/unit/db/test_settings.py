"""Settings: known ones only, each of its kind, a default where nothing is set."""

import datetime as dt

import pytest

from emg.db import revisions, settings
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Setting
from emg.rules.rows import RowFaults
from emg.rules.setting_rows import SETTINGS

ANN = Actor("shell:ann")


def test_what_is_not_set_has_its_default(database: Database) -> None:
    with database.session() as session:
        assert settings.read(session) == {name: field.default for name, field in SETTINGS.items()}


def test_what_is_set_reads_back_and_an_empty_text_is_the_default_again(database: Database) -> None:
    given = {"keep_messages": "30", "mail_from": "emg@example.com", "invoice_text": "Zeile 1\nZeile 2"}
    with database.session() as session:
        assert settings.write(session, ANN, given)
        assert not settings.write(session, ANN, given)
        assert revisions.current(session)["setting"] == 1
    with database.session() as session:
        found = settings.read(session)
        assert (found["keep_messages"], found["mail_from"], found["invoice_text"]) == (
            30,
            "emg@example.com",
            "Zeile 1\nZeile 2",
        )
        assert settings.write(session, ANN, {"keep_messages": ""})
        assert settings.read(session)["keep_messages"] == SETTINGS["keep_messages"].default


def test_faults_are_named_and_nothing_is_set(database: Database) -> None:
    with pytest.raises(RowFaults) as caught, database.session() as session:
        settings.write(session, ANN, {"keep_messages": "0", "mail_from": "x", "flavour": "y", "company_name": "fine"})
    assert {fault.field for fault in caught.value.faults} == {"keep_messages", "mail_from", "flavour"}
    with database.session() as session:
        assert settings.read(session)["company_name"] == ""


def test_what_a_hand_has_put_there_wrongly_counts_as_not_set(database: Database) -> None:
    moment = dt.datetime.now(dt.UTC)
    with database.session() as session:
        session.add(Setting(name="keep_messages", value="for ever", updated=moment))
        session.add(Setting(name="flavour", value="sweet", updated=moment))
        session.add(Setting(name="company_name", value="We", updated=moment))
    with database.session() as session:
        found = settings.read(session)
        assert (found["keep_messages"], found["company_name"]) == (SETTINGS["keep_messages"].default, "We")
        assert "flavour" not in found
        assert [str(row) for row in settings.examine(session.connection())[1]] == [
            "setting (flavour): there is no such setting",
            "setting (keep_messages): must be a whole number from 1 to 36500; 400 holds in its place",
        ]


def test_what_is_said_of_a_wrong_secret_does_not_hold_it(database: Database) -> None:
    with database.session() as session:
        session.add(Setting(name="smtp_password", value="s3cret\x01", updated=dt.datetime.now(dt.UTC)))
    with database.session() as session:
        (row,) = settings.examine(session.connection())[1]
    assert str(row) == "setting (smtp_password): its value can't be used; nothing holds in its place"
