"""Web users in the database."""

import threading

import pytest

from emg.db import accounts, customers, people
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.rules.rows import RowFaults

ANN = Actor("shell:ann")
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
OTHER_HASH = HASH.replace("YWFh", "YmJi")


def fields(caught: pytest.ExceptionInfo[RowFaults]) -> list[str]:
    return [fault.field for fault in caught.value.faults]


@pytest.fixture
def house(database: Database) -> Database:
    """Two customers with an account each, an owner, and a user of the first customer."""
    with database.session() as session:
        for name in ("Acme", "Beta"):
            customers.add(session, ANN, {"name": name})
            accounts.add(session, ANN, {"name": name.lower(), "customer": name})
        people.add(session, ANN, {"name": "olga", "role": "owner", "full_name": "Olga Öst"}, HASH)
        given = {
            "name": "bob@acme",
            "role": "customer_user",
            "customer": "Acme",
            "account": "acme",
            "email": "bob@acme.example",
        }
        people.add(session, ANN, given, HASH, must_change=True)
    return database


def epoch(database: Database, name: str) -> int:
    with database.session() as session:
        return people.find(session, name).session_epoch


def test_a_web_user_reads_back(house: Database) -> None:
    with house.session() as session:
        bob = people.find(session, "bob@acme")
        values = people.values(session, bob)
        assert (values["customer"], values["account"], values["role"]) == ("Acme", "acme", "customer_user")
        assert (bob.must_change_password, bob.password_hash, bob.session_epoch) == (True, HASH, 0)


FAULTY = [
    ({"name": "a b", "role": "owner"}, "name"), ({"name": "c", "role": "king"}, "role"), ({"name": "olga", "role": "owner"}, "name"),
    ({"name": "c", "role": "owner", "customer": "Acme"}, "customer"), ({"name": "c", "role": "customer_admin"}, "customer"),
    ({"name": "c", "role": "customer_user", "customer": "Nobody"}, "customer"),
    ({"name": "c", "role": "customer_user", "customer": "Acme", "account": "beta"}, "account"),
    ({"name": "c", "role": "owner", "account": "nobody"}, "account"),
]  # fmt: skip


def test_a_web_user_that_can_not_be_is_not_added(house: Database) -> None:
    for given, field in FAULTY:
        with pytest.raises(RowFaults) as caught, house.session() as session:
            people.add(session, ANN, given, HASH)
        assert fields(caught) == [field]


def test_a_password_comes_as_a_hash_or_not_at_all(house: Database) -> None:
    for text in ("secret of bob", "", "$argon2id$half"):
        for attempt in (people.set_password, people.reset):
            with pytest.raises(RowFaults) as caught, house.session() as session:
                attempt(session, ANN, "olga", text)
            assert not text or text not in str(caught.value)
        with pytest.raises(RowFaults), house.session() as session:
            people.add(session, ANN, {"name": "c", "role": "owner"}, text)


def test_what_changes_his_rights_or_his_password_logs_him_out(house: Database) -> None:
    steps = 0
    with house.session() as session:
        people.change(session, ANN, "bob@acme", {"full_name": "Bob", "email": "b@acme.example"})
    assert epoch(house, "bob@acme") == steps
    for change in (people.lock, people.unlock):
        with house.session() as session:
            assert change(session, ANN, "bob@acme")
            assert not change(session, ANN, "bob@acme")
        steps += 1
        assert epoch(house, "bob@acme") == steps
    with house.session() as session:
        assert people.set_role(session, ANN, "bob@acme", "customer_admin")
        people.set_password(session, ANN, "bob@acme", OTHER_HASH)
        assert people.change(session, ANN, "bob@acme", {"customer": "Beta", "account": None})
    assert epoch(house, "bob@acme") == steps + 3
    with house.session() as session:
        bob = people.find(session, "bob@acme")
        assert (bob.password_hash, bob.must_change_password, bob.account_id) == (OTHER_HASH, False, None)


def test_an_account_of_another_customer_does_not_stay_with_him(house: Database) -> None:
    with pytest.raises(RowFaults) as caught, house.session() as session:
        people.change(session, ANN, "bob@acme", {"customer": "Beta"})
    assert fields(caught) == ["account"]
    with house.session() as session:
        assert people.values(session, people.find(session, "bob@acme"))["customer"] == "Acme"


def test_who_lost_an_account_to_another_customer_does_not_send_with_it(house: Database) -> None:
    with house.session() as session:
        people.change(session, ANN, "olga", {"account": "acme"})
        accounts.change(session, ANN, "acme", {"note": "still his"})
        assert people.values(session, people.find(session, "bob@acme"))["account"] == "acme"
    with house.session() as session:
        accounts.change(session, ANN, "acme", {"customer": "Beta"})
    with house.session() as session:
        assert people.values(session, people.find(session, "bob@acme"))["account"] is None
        assert people.values(session, people.find(session, "olga"))["account"] == "acme", "the house's people stay"
    assert (epoch(house, "bob@acme"), epoch(house, "olga")) == (1, 1)


def test_a_reset_takes_the_second_factor_too(house: Database) -> None:
    with house.session() as session:
        olga = people.find(session, "olga")
        olga.totp_secret, olga.recovery_codes = "SECRET", "hash"
    with house.session() as session:
        people.reset(session, ANN, "olga", OTHER_HASH)
    with house.session() as session:
        olga = people.find(session, "olga")
        assert (olga.totp_secret, olga.recovery_codes, olga.must_change_password) == (None, "", True)
        assert (olga.password_hash, olga.session_epoch) == (OTHER_HASH, 1)


def test_the_last_owner_stays(house: Database) -> None:
    for attempt in (
        lambda session: people.lock(session, ANN, "olga"),
        lambda session: people.set_role(session, ANN, "olga", "engineer"),
        lambda session: people.delete(session, ANN, "olga"),
    ):
        with pytest.raises(RowFaults, match="last owner"), house.session() as session:
            attempt(session)
    with house.session() as session:
        people.add(session, ANN, {"name": "otto", "role": "owner"}, HASH)
        people.delete(session, ANN, "olga")
        with pytest.raises(NotFound):
            people.find(session, "olga")


def test_two_owners_can_not_take_each_other_out(house: Database) -> None:
    with house.session() as session:
        people.add(session, ANN, {"name": "otto", "role": "owner"}, HASH)
    raised = []
    ready = threading.Barrier(2)

    def lock(name: str) -> None:
        ready.wait(10)
        try:
            with house.session() as session:
                people.lock(session, ANN, name)
        except Exception as error:  # noqa: BLE001 -- counted by the test
            raised.append(error)

    threads = [threading.Thread(target=lock, args=(name,), daemon=True) for name in ("olga", "otto")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(raised) == 1
    with house.session() as session:
        assert sorted(user.locked for user, _, _ in people.listing(session, role="owner")) == [False, True]


def test_web_users_are_listed_filtered_and_in_pages(house: Database) -> None:
    with house.session() as session:
        found = [(user.name, customer, account) for user, customer, account in people.listing(session)]
        assert found == [("bob@acme", "Acme", "acme"), ("olga", None, None)]
        assert [user.name for user, _, _ in people.listing(session, text="a Öst")] == ["olga"]
        assert [user.name for user, _, _ in people.listing(session, text="OLGA")] == ["olga"]
        assert [user.name for user, _, _ in people.listing(session, customer="Acme")] == ["bob@acme"]
        assert [user.name for user, _, _ in people.listing(session, offset=1)] == ["olga"]
        assert (people.count(session), people.count(session, role="owner"), people.count(session, text="zz")) == (
            2,
            1,
            0,
        )
