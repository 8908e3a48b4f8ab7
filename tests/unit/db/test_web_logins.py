"""Links for passwords, second factors, the lists of people and of changes, versions of the configuration."""

import datetime as dt

import pytest

from emg.db import audit, audit_log, config_versions, customers, people, second_factor, web_sessions, web_tokens
from emg.db.audit import Actor
from emg.db.audit_log import Wanted
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.db.models import Promise, WebUser

ANN = Actor("ann", "192.0.2.1")
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def house(database: Database) -> Database:
    """An owner, and two people of a customer of whom one was invited."""
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        people.add(
            session, ANN, {"name": "olga", "role": "owner", "full_name": "Zora Olga", "email": "Olga@example.com"}, HASH
        )
        people.invite(session, ANN, {"name": "bob", "role": "customer_user", "customer": "Acme", "full_name": "Bob"})
        people.add(
            session, ANN, {"name": "cara", "role": "customer_admin", "customer": "Acme", "full_name": "Ann"}, HASH
        )
    return database


def names(database: Database, **wanted: str) -> list[str]:
    with database.looking() as session:
        found = [user.name for user, _customer, _account in people.listing(session, **wanted)]
        wanted.pop("order", None)
        assert people.count(session, **wanted) == len(found)
    return found


def test_people_are_listed_in_any_order_and_by_state(house: Database) -> None:
    assert names(house) == ["bob", "cara", "olga"]
    assert names(house, order="-name") == ["olga", "cara", "bob"]
    assert names(house, order="full_name") == ["cara", "bob", "olga"]
    assert names(house, order="customer", customer="Acme") == ["bob", "cara"]
    assert names(house, state="invited") == ["bob"]
    with house.session() as session:
        people.lock(session, ANN, "cara")
        second_factor.set_up(session, ANN, "olga", "SECRET", 7, [])
    assert names(house, state="locked") == ["cara"]
    assert names(house, state="second factor") == ["olga"]
    assert names(house, state="no second factor") == ["bob", "cara"]


def test_people_are_found_by_their_mail_address(house: Database) -> None:
    with house.looking() as session:
        assert [user.name for user in people.by_mail(session, "olga@EXAMPLE.com")] == ["olga"]
        assert people.by_mail(session, "") == []


def find(database: Database, token: str, moment: dt.datetime = NOW) -> str | None:
    with database.looking() as session:
        found = web_tokens.find(session, token, moment)
        return found[1].name if found else None


def test_a_link_is_good_until_its_time_is_over_or_it_was_used(house: Database) -> None:
    with house.session() as session:
        _row, token = web_tokens.make(session, ANN, people.find(session, "bob"), Promise.INVITATION, NOW)
    assert find(house, token) == find(house, token) == "bob"
    assert find(house, token + "x") is None
    assert find(house, token, NOW + web_tokens.VALID[Promise.INVITATION]) is None
    with house.session() as session:
        assert web_tokens.waiting(session, NOW).keys() == {people.find(session, "bob").id}
        web_tokens.drop(session, people.find(session, "bob").id)
    assert find(house, token) is None


def test_another_invitation_replaces_the_first_and_a_lock_makes_it_useless(house: Database) -> None:
    with house.session() as session:
        first, second = (
            web_tokens.make(session, ANN, people.find(session, "bob"), Promise.INVITATION, NOW)[1] for _ in range(2)
        )
    assert (find(house, first), find(house, second)) == (None, "bob")
    with house.session() as session:
        people.lock(session, ANN, "bob")
    assert find(house, second) is None


def test_resets_are_bounded_and_forgotten(house: Database) -> None:
    with house.session() as session:
        olga = people.find(session, "olga")
        for number in range(web_tokens.MOST):
            assert web_tokens.room(session, olga, NOW), number
            web_tokens.make(session, ANN, olga, Promise.RESET, NOW)
        assert not web_tokens.room(session, olga, NOW)
        later = NOW + web_tokens.VALID[Promise.RESET]
        assert web_tokens.room(session, olga, later)
        assert web_tokens.forget(session, NOW) == 0
        assert web_tokens.forget(session, later) == web_tokens.MOST


def test_no_code_is_taken_twice(house: Database) -> None:
    with house.session() as session:
        second_factor.set_up(session, ANN, "olga", "SECRET", 7, ["one", "two"])
        assert not second_factor.take_step(session, "olga", 7)
        assert second_factor.take_step(session, "olga", 8)
        assert not second_factor.take_step(session, "olga", 8)
        assert second_factor.take_recovery(session, ANN, "olga", "two")
        assert not second_factor.take_recovery(session, ANN, "olga", "two")
        assert not second_factor.take_recovery(session, ANN, "olga", "three")
        olga = people.find(session, "olga")
        assert second_factor.left(olga) == 1
        assert "one" not in olga.recovery_codes
        second_factor.renew_codes(session, ANN, "olga", ["four", "five"])
        assert not second_factor.take_recovery(session, ANN, "olga", "one")
        assert second_factor.remove(session, ANN, "olga")
        assert not second_factor.remove(session, ANN, "olga")
        assert (olga.totp_secret, olga.recovery_codes, olga.totp_step) == (None, "", 0)


def test_nothing_secret_is_in_the_audit_log(house: Database) -> None:
    with house.session() as session:
        second_factor.set_up(session, ANN, "olga", "TOTPSECRET", 7, ["codecode"])
        second_factor.take_recovery(session, ANN, "olga", "codecode")
    with house.looking() as session:
        told = "".join(f"{row.action} {row.before} {row.after}" for row in audit_log.listing(session, Wanted()))
    assert "TOTPSECRET" not in told
    assert "codecode" not in told
    assert "second factor" in told


def test_logging_out_everywhere_ends_every_login(house: Database) -> None:
    hour = dt.timedelta(hours=1)
    with house.session() as session:
        olga = people.find(session, "olga")
        tokens = [web_sessions.begin(session, olga, NOW, ip="::1", agent="test", proven=True) for _ in range(2)]
    with house.session() as session:
        people.log_out(session, ANN, "olga")
    with house.looking() as session:
        assert [web_sessions.find(session, token, NOW, hour) for token in tokens] == [None, None]


def test_the_audit_log_is_filtered(house: Database) -> None:
    with house.session() as session:
        audit.note(
            session,
            Actor("erik", "192.0.2.9"),
            "topup",
            "account",
            "acme_1",
            {"balance": "1"},
            {"balance": "2", "reason": "ü"},
        )
    with house.looking() as session:

        def found(**wanted: object) -> list[str]:
            rows = audit_log.listing(session, Wanted(**wanted))
            assert audit_log.count(session, Wanted(**wanted)) == len(rows)
            return [row.name for row in rows]

        assert found()[0] == "acme_1"
        assert (
            found(who="erik")
            == found(who="192.0.2.9")
            == found(action="topup")
            == found(subject="account")
            == ["acme_1"]
        )
        assert found(name="e_1") == ["acme_1"]
        assert found(name="e%1") == []
        assert found(since=NOW + dt.timedelta(hours=1)) == found(until=NOW - dt.timedelta(hours=1)) == []
        [row] = audit_log.listing(session, Wanted(action="topup"))
        assert audit_log.differences(row) == [("balance", "1", "2"), ("reason", "", "ü")]
        assert audit_log.listing(session, Wanted(), falling=False)[-1].name == "acme_1"
        actions, subjects = audit_log.words(session)
        assert "topup" in actions
        assert "account" in subjects


def test_versions_of_the_configuration_are_kept_and_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_versions, "MOST", 3)
    with database.session() as session:
        for number in range(5):
            assert config_versions.keep(session, ANN, "/etc/emg/server.cfg", f"# {number}", "why")
        assert config_versions.keep(session, ANN, "/etc/emg/server.cfg", "# 4", "the same") is None
        config_versions.keep(session, ANN, "/elsewhere", "# 4", "another file")
        found = config_versions.listing(session, "/etc/emg/server.cfg")
        assert [version.text for version in found] == ["# 4", "# 3", "# 2"]
        assert config_versions.count(session, "/etc/emg/server.cfg") == 3
        assert config_versions.find(session, found[0].id).who == "ann"
        with pytest.raises(NotFound):
            config_versions.find(session, 10_000)


def test_who_was_invited_has_no_password(house: Database) -> None:
    with house.looking() as session:
        bob: WebUser = people.find(session, "bob")
        assert bob.password_hash == ""
