"""Accounts in the database: added, found, changed, locked, deleted; access rows; a file of them."""

import datetime as dt

import pytest
from sqlalchemy import select, update

from emg.db import account_lines, accounts, customers, ledger, people, revisions
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.engine import Database
from emg.db.models import Account, AccountAccess, AuditLog, WebUser
from emg.rules import account_rows
from emg.rules.account_rows import Access
from emg.rules.rows import Known, RowFaults

ANN = Actor("shell:ann")
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
OTHER_HASH = HASH.replace("YWFh", "YmJi")


def fields(caught: pytest.ExceptionInfo[RowFaults]) -> list[str]:
    return [fault.field for fault in caught.value.faults]


def test_an_account_reads_back_with_its_access_rows(database: Database) -> None:
    pairs = [Access("127.0.0.0/8"), Access("2001:db8::/32", "customers")]
    with database.session() as session:
        accounts.add(
            session, ANN, {"name": "acme", "throughput": 1234.567, "content": "masked", "prepaid": True}, pairs
        )
    with database.session() as session:
        account = accounts.find(session, "acme")
        values = accounts.values(account)
        assert (values["name"], values["throughput"], values["content"]) == ("acme", 1234.567, "masked")
        assert (account.credited, account.charged, account.locked, account.prepaid) == (0, 0, False, True)
        assert accounts.access_of(account) == pairs
        assert account.created <= dt.datetime.now(dt.UTC)


def test_an_account_has_its_customers_currency_unless_it_says_another(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme", "currency": "SEK"})
        accounts.add(session, ANN, {"name": "a", "customer": "Acme"})
        accounts.add(session, ANN, {"name": "b", "customer": "Acme", "currency": "USD"})
    with database.session() as session:
        assert [row.currency for row in accounts.listing(session)] == ["SEK", "USD"]


FAULTY = [
    ({"name": "a~b"}, "name"), ({"name": ""}, "name"), ({"name": "b", "throughput": float("nan")}, "throughput"),
    ({"name": "b", "credit_limit": 2**63 - 1}, "credit_limit"), ({"name": "b", "customer": "Nobody"}, "customer"),
    ({"name": "b", "password_hash": "secret"}, "password_hash"), ({"name": "taken"}, "name"),
]  # fmt: skip


def test_an_account_that_can_not_be_is_not_added(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "taken"})
    for given, field in FAULTY:
        with pytest.raises(RowFaults) as caught, database.session() as session:
            accounts.add(session, ANN, given)
        assert fields(caught) == [field]
    with database.session() as session:
        assert accounts.names(session) == ["taken"]


def test_names_that_differ_in_capitals_are_two(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
        accounts.add(session, ANN, {"name": "Acme"})
        assert accounts.find(session, "Acme").name == "Acme"
        with pytest.raises(NotFound):
            accounts.find(session, "ACME")


def test_a_change_sets_what_is_given_and_nothing_else(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme", "sessions": 3, "note": "old"}, [Access("10.0.0.0/8")])
    with database.session() as session:
        assert accounts.change(session, ANN, "acme", {"note": "new"})
    with database.session() as session:
        account = accounts.find(session, "acme")
        assert (account.sessions, account.note, accounts.access_of(account)) == (3, "new", [Access("10.0.0.0/8")])


def test_a_change_that_changes_nothing_leaves_nothing(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme", "locked": True, "throughput": 0.1}, [Access("10.0.0.0/8")])
        updated = accounts.find(session, "acme").updated
    with database.session() as session:
        before = revisions.current(session)
        assert not accounts.lock(session, ANN, "acme")
        assert not accounts.change(session, ANN, "acme", {"throughput": 0.1}, [Access("10.0.0.0/8")])
        assert not accounts.add_access(session, ANN, "acme", [Access("10.0.0.0/8")])
    with database.session() as session:
        assert revisions.current(session) == before
        assert len(list(session.scalars(select(AuditLog)))) == 1
        assert accounts.find(session, "acme").updated == updated


def test_access_rows_come_and_go_one_by_one(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"}, [Access("10.0.0.0/8")])
    with database.session() as session:
        assert accounts.add_access(session, ANN, "acme", [Access("10.0.0.0/8", "customers"), Access("::/0")])
        kept = session.scalar(select(AccountAccess.id).where(AccountAccess.connector == "customers"))
    with database.session() as session:
        assert accounts.remove_access(session, ANN, "acme", [Access("10.0.0.0/8")])
    with database.session() as session:
        found = accounts.access_of(accounts.find(session, "acme"))
        assert found == [Access("10.0.0.0/8", "customers"), Access("::/0")]
        assert session.scalar(select(AccountAccess.id).where(AccountAccess.connector == "customers")) == kept
        with pytest.raises(RowFaults) as caught:
            accounts.remove_access(session, ANN, "acme", [Access("10.0.0.0/8")])
        assert "10.0.0.0/8@customers" in str(caught.value)


def test_a_faulty_access_row_is_refused(database: Database) -> None:
    with pytest.raises(RowFaults) as caught, database.session() as session:
        accounts.add(session, ANN, {"name": "acme"}, [Access("10.0.0.1/8"), Access("10.0.0.0/8", "no name")])
    assert fields(caught) == ["network", "connector"]


def test_an_account_has_a_bounded_number_of_access_rows(database: Database) -> None:
    many = [Access(f"10.0.{number // 256}.{number % 256}/32") for number in range(accounts.MOST_ACCESS + 1)]
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"}, many[:-1])
    with pytest.raises(RowFaults) as caught, database.session() as session:
        accounts.add_access(session, ANN, "acme", many)
    assert fields(caught) == ["access"]


def test_an_account_that_a_hand_has_spoilt_can_still_be_locked_and_mended(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
        session.execute(update(Account).values(operations="FLY", sessions=-5))
    with database.session() as session:
        assert accounts.lock(session, ANN, "acme")
        assert accounts.change(session, ANN, "acme", {"sessions": None, "operations": "SUBMIT"})
    with database.session() as session:
        account = accounts.find(session, "acme")
        assert (account.locked, account.sessions, account.operations) == (True, 10, "SUBMIT")


def test_the_currency_stays_once_there_is_money(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme"})
        assert accounts.change(session, ANN, "acme", {"currency": "SEK"})
        ledger.topup(session, ANN, "acme", 1)
    with pytest.raises(RowFaults) as caught, database.session() as session:
        accounts.change(session, ANN, "acme", {"currency": "EUR"})
    assert fields(caught) == ["currency"]


def test_a_deleted_account_stays_for_its_ledger_and_its_name_is_free(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        account = accounts.add(
            session, ANN, {"name": "acme", "customer": "Acme", "password_hash": HASH}, [Access("::/0")]
        )
        ledger.topup(session, ANN, "acme", 5)
        people.add(session, ANN, {"name": "bob", "role": "customer_user", "customer": "Acme", "account": "acme"}, HASH)
        number = account.id
    with database.session() as session:
        accounts.delete(session, ANN, "acme")
    with database.session() as session:
        gone = accounts.find(session, f"acme~{number}", deleted=True)
        assert gone.deleted is not None
        assert (gone.locked, gone.password_hash, accounts.access_of(gone)) == (True, "", [])
        assert ledger.total(session, gone.id) == 5
        assert list(session.scalars(select(WebUser.account_id))) == [None]
        assert (accounts.names(session), accounts.count(session), accounts.listing(session)) == ([], 0, [])
        assert [row.id for row in accounts.listing(session, deleted=True)] == [number]
        with pytest.raises(NotFound):
            accounts.find(session, f"acme~{number}")
        assert accounts.add(session, ANN, {"name": "acme"}).id != number


def test_the_longest_name_can_be_deleted_twice(database: Database) -> None:
    name = "a" * 64
    for _ in range(2):
        with database.session() as session:
            accounts.add(session, ANN, {"name": name})
            accounts.delete(session, ANN, name)
    with database.session() as session:
        found = list(session.scalars(select(Account.name)))
        assert len(set(found)) == 2
        assert all(len(one) == 64 and "~" in one for one in found)


def test_accounts_are_listed_by_name_in_pages_and_filtered(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Müller 100%"})
        for number in range(5):
            accounts.add(session, ANN, {"name": f"a{number}", "locked": number == 3})
        accounts.add(session, ANN, {"name": "zz", "customer": "Müller 100%", "note": "Über alles"}, [Access("::/0")])

    def found(**filters: object) -> list[str]:
        return [row.name for row in accounts.listing(session, **filters)]  # type: ignore[arg-type]

    with database.session() as session:
        assert found(limit=2, offset=2) == ["a2", "a3"]
        assert found(locked=True) == ["a3"]
        assert found(customer="Müller 100%") == ["zz"] == found(text="100%") == found(text="ALLES")
        assert found(text="A1") == ["a1"]
        assert found(text="0_") == found(text="%%") == []
        assert (accounts.count(session), accounts.count(session, text="a")) == (6, 6)
        assert accounts.count(session, locked=False) == 5
    (row,) = [row for row in accounts_of(database) if row.name == "zz"]
    assert row.customer is not None
    assert (row.customer.name, len(row.access)) == ("Müller 100%", 1)  # without another question to the database


def accounts_of(database: Database) -> list[Account]:
    with database.session() as session:
        return accounts.listing(session)


# -- files


def test_a_file_adds_and_changes_by_name_and_a_second_time_nothing(database: Database) -> None:
    text = "name,sessions,access,balance\nacme,4,10.0.0.0/8,12.5\nother,5,*,\n"
    lines = account_rows.parse(text, Known())
    with database.session() as session:
        accounts.add(session, ANN, {"name": "other", "note": "kept"})
        assert account_lines.put(session, ANN, lines) == (1, 1, 0)
    with database.session() as session:
        acme, other = accounts.listing(session)
        assert (acme.sessions, acme.credited, ledger.total(session, acme.id)) == (4, 12_500_000, 12_500_000)
        assert (other.sessions, other.note, len(other.access)) == (5, "kept", 2)
        again = account_rows.parse(text.replace(",12.5", ","), Known())
        assert account_lines.put(session, ANN, again) == (0, 0, 2)


def test_what_is_exported_imports_unchanged(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme, Inc."})
        given = {"name": "acme", "customer": "Acme, Inc.", "password_hash": HASH, "credit_limit": 1, "windowsize": 0,
                 "throughput": 1234.567, "perpartdlr": False, "note": 'a\n"b"', "content": "none"}  # fmt: skip
        accounts.add(session, ANN, given, [Access("10.0.0.0/8", "customers"), Access("::/0")])
        accounts.add(session, ANN, {"name": "plain"})
    with database.session() as session:
        rows = [(accounts.values(row), accounts.access_of(row)) for row in accounts.listing(session)]
        text = account_rows.format_accounts(rows)
        assert account_lines.put(session, ANN, account_rows.parse(text, Known())) == (0, 0, 2)
        accounts.delete(session, ANN, "acme")
        assert account_lines.put(session, ANN, account_rows.parse(text, Known())) == (1, 0, 1)
        assert (
            account_rows.format_accounts(
                (accounts.values(row), accounts.access_of(row)) for row in accounts.listing(session)
            )
            == text
        )


def test_a_password_stays_where_a_file_has_none(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "acme", "password_hash": HASH})
        lines = account_rows.parse("name,password_hash\nacme,\n", Known())
        assert account_lines.put(session, ANN, lines) == (0, 0, 1)
        lines = account_rows.parse(f'name,password_hash\nacme,"{OTHER_HASH}"\n', Known())
        assert account_lines.put(session, ANN, lines) == (0, 1, 0)
        assert accounts.find(session, "acme").password_hash == OTHER_HASH


def test_an_empty_currency_of_a_file_is_the_customers_or_as_it_was(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme", "currency": "SEK"})
        lines = account_rows.parse("name,customer,currency\na,Acme,\nb,Acme,USD\n", Known())
        assert account_lines.put(session, ANN, lines) == (2, 0, 0)
        lines = account_rows.parse("name,currency\na,\nb,\n", Known())
        assert account_lines.put(session, ANN, lines) == (0, 0, 2)
        assert [row.currency for row in accounts.listing(session)] == ["SEK", "USD"]


def test_one_faulty_line_keeps_a_whole_file_out_and_all_are_named(database: Database) -> None:
    with database.session() as session:
        accounts.add(session, ANN, {"name": "rich"})
        ledger.topup(session, ANN, "rich", 1)
    text = "name,customer,currency,balance\nnew,,,\nb,Nobody,,\nrich,,SEK,\nrich2,,,1\n"
    lines = account_rows.parse(text, Known())
    with pytest.raises(RowFaults) as caught, database.session() as session:
        account_lines.put(session, ANN, lines)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [(3, "customer"), (4, "currency")]
    with database.session() as session:
        assert accounts.names(session) == ["rich"]
    with pytest.raises(RowFaults) as caught, database.session() as session:
        account_lines.put(session, ANN, account_rows.parse("name,balance\nrich,5\n", Known()))
    assert fields(caught) == ["balance"]


def test_accounts_are_listed_in_any_order_and_by_what_they_are(database: Database) -> None:
    with database.session() as session:
        customers.add(session, ANN, {"name": "Acme"})
        accounts.add(session, ANN, {"name": "a", "customer": "Acme", "prepaid": True, "note": "secret plan"})
        accounts.add(session, ANN, {"name": "b", "throughput": 5.0})
        accounts.add(session, ANN, {"name": "c", "customer": "Acme", "locked": True})
        for name, amount in (("a", 5), ("b", 20), ("c", 10)):
            ledger.topup(session, ANN, name, amount)
    with database.session() as session:
        for order, names in (
            ("name", "abc"),
            ("-name", "cba"),
            ("balance", "acb"),
            ("-balance", "bca"),
            ("-customer", "acb"),
        ):
            assert [account.name for account in accounts.listing(session, order=order)] == list(names), order
        for order in accounts.SORTS:
            assert len(accounts.listing(session, order=f"-{order}")) == 3
        assert [account.name for account in accounts.listing(session, prepaid=True)] == ["a"]
        assert accounts.count(session, prepaid=False) == 2
        assert accounts.count(session, text="plan") == 1
        assert accounts.count(session, text="plan", notes=False) == 0
        acme = customers.find(session, "Acme")
        assert [account.name for account in accounts.of_customers(session, [acme.id])] == ["a", "c"]
        assert accounts.of_customers(session, []) == []
