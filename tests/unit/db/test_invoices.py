"""Invoices on both databases: what they add up to, who gets which number, and what never changes."""

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from emg.db import invoices, retention
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.invoices import InvoiceError
from emg.db.models import (
    Account,
    AuditLog,
    Customer,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    Network,
    RouteLog,
)
from emg.db.traffic import Period, month
from tests.log_rows import NOON, customer, random_rows, row, write

ACTOR = Actor("shell:test")
OCTOBER = month(NOON.date())
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)


def drafts(database: Database) -> list[Invoice]:
    with database.session() as session:
        found = invoices.listing(session, status=InvoiceStatus.DRAFT)
        for each in found:
            assert each.lines is not None
        return sorted(found, key=lambda each: (each.customer_name, each.currency))


def one_draft(database: Database) -> Invoice:
    invoices.prepare(database, ACTOR, OCTOBER)
    (draft,) = drafts(database)
    return draft


def issued_one(database: Database, **values: Any) -> int:
    owner = customer(database, "Acme", **values)
    write(database, [row(1, NOON, customer_id=owner, price=10_000)])
    return invoices.issue(database, ACTOR, one_draft(database).id)


def test_a_month_is_whole() -> None:
    assert month(dt.date(2028, 2, 29)) == Period(dt.date(2028, 2, 1), dt.date(2028, 2, 29))
    assert month(dt.date(2026, 12, 31)) == Period(dt.date(2026, 12, 1), dt.date(2026, 12, 31))
    assert len(list(OCTOBER.steps())) == 31 * 4


def test_net_is_the_sum_of_the_log_to_the_micro_unit(database: Database) -> None:
    owners = [customer(database, name, vat=2500) for name in ("Acme", "Beta")]
    rows = write(database, random_rows(2000, FIRST - dt.timedelta(days=2), dt.timedelta(days=35), (*owners, None)))
    done = invoices.prepare(database, ACTOR, OCTOBER)
    for draft in drafts(database):
        wanted = sum(
            each["price"] for each in rows
            if each["customer_id"] == draft.customer_id and each["currency"] == draft.currency
            and OCTOBER.start <= each["received"].date() <= OCTOBER.end
        )  # fmt: skip
        assert draft.net == wanted > 0
        assert sum(line.amount for line in draft.lines) == wanted
        assert draft.total == draft.net + draft.vat_amount + draft.rounding
        assert [line.position for line in draft.lines] == list(range(1, len(draft.lines) + 1))
    assert {(each.customer, each.currency) for each in done} == {
        (name, code) for name in ("Acme", "Beta") for code in ("EUR", "SEK")
    }


def test_the_period_has_its_first_and_last_moment_and_no_more(database: Database) -> None:
    owner = customer(database, "Acme")
    moments = (
        FIRST - dt.timedelta(microseconds=1),
        FIRST,
        dt.datetime(2026, 10, 31, 23, 59, 59, 999999, dt.UTC),
        dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    )
    write(database, [row(number, moment, customer_id=owner, price=10**number) for number, moment in enumerate(moments)])
    assert one_draft(database).net == 110


def test_lines_name_the_network_or_else_the_prefix(database: Database) -> None:
    owner = customer(database, "Acme")
    with database.session() as session:
        session.add(Network(prefix="4670", country="SE", name="Telia", mcc="240", mnc="01"))
    write(database, [
        row(1, NOON, customer_id=owner, price=2), row(2, NOON, customer_id=owner, price=3, network="24099"),
        row(3, NOON, customer_id=owner, price=5, network=""), row(4, NOON, customer_id=owner, price=7, network="", prefix=""),
    ])  # fmt: skip
    assert [(line.description, line.amount) for line in one_draft(database).lines] == [
        ("other destinations", 7), ("prefix 467", 5), ("SE Telia", 2), ("network 24099", 3),
    ]  # fmt: skip


def test_preparing_again_replaces_the_draft_under_its_id(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    first = one_draft(database)
    write(database, [row(2, NOON, customer_id=owner, price=5, account="other")])
    second = one_draft(database)
    assert (second.id, second.net, len(second.lines)) == (first.id, 15, 2)


def test_a_draft_of_traffic_that_is_gone_goes(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    one_draft(database)
    with database.session() as session:
        session.get_one(RouteLog, (10**15 + 1, NOON)).price = 0
    invoices.prepare(database, ACTOR, OCTOBER)
    assert drafts(database) == []


def test_days_that_are_dropped_are_not_invoiced(database: Database) -> None:
    with database.session() as session:
        retention.mark_purged(session, "routelog", dt.date(2026, 10, 2))
    with pytest.raises(InvoiceError, match="before 2026-10-02 are dropped"):
        invoices.prepare(database, ACTOR, OCTOBER)


def test_one_customer_alone(database: Database) -> None:
    owners = [customer(database, name) for name in ("Acme", "Beta")]
    write(database, [row(number, NOON, customer_id=owner, price=10) for number, owner in enumerate(owners)])
    invoices.prepare(database, ACTOR, OCTOBER, customer="Beta")
    assert [each.customer_name for each in drafts(database)] == ["Beta"]
    with pytest.raises(InvoiceError, match="no customer 'Gamma'"):
        invoices.prepare(database, ACTOR, OCTOBER, customer="Gamma")


def test_prepaid_traffic_can_be_left_out(database: Database) -> None:
    owner = customer(database, "Acme")
    with database.session() as session:
        session.scalars(select(Account)).one().prepaid = True
    write(
        database, [row(1, NOON, customer_id=owner, price=10), row(2, NOON, customer_id=owner, price=5, account="later")]
    )
    assert one_draft(database).net == 15
    invoices.prepare(database, ACTOR, OCTOBER, prepaid=False)
    (draft,) = drafts(database)
    assert draft.net == 5
    invoices.issue(database, ACTOR, draft.id, prepaid=False)


def test_issuing_writes_the_customer_the_number_and_the_day_it_is_due(database: Database) -> None:
    number = issued_one(
        database, number="C-7", address="Street 1\nTown", organisation_number="55", vat=2500, payment_days=10, country="SE",
        vat_number="SE55", reference="Order 7",
    )  # fmt: skip
    assert number == 1
    with database.session() as session:
        session.scalars(select(Customer)).one().name = "Renamed"
    with database.session() as session:
        found = invoices.by_number(session, 1)
        assert (found.customer_name, found.customer_number, found.address) == ("Acme", "C-7", "Street 1\nTown")
        assert (found.country, found.vat_number, found.reference, found.payment_days) == ("SE", "SE55", "Order 7", 10)
        assert found.issued
        assert found.due == found.issued.date() + dt.timedelta(days=10)
        assert (found.net, found.vat_amount, found.total) == (10_000, 0, 10_000)
        actions = session.scalars(
            select(AuditLog.action).where(AuditLog.subject == "invoice").order_by(AuditLog.id)
        ).all()
        assert actions == ["prepare", "issue"]


def test_a_draft_that_is_no_longer_what_the_log_says_is_not_issued(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    draft = one_draft(database)
    with database.session() as session:
        session.get_one(RouteLog, (10**15 + 1, NOON)).price = 0
    with pytest.raises(InvoiceError, match="prepare it again"):
        invoices.issue(database, ACTOR, draft.id)


def test_nothing_is_invoiced_twice(database: Database) -> None:
    number = issued_one(database)
    (done,) = invoices.prepare(database, ACTOR, OCTOBER)
    assert done.id is None
    assert done.refused == f"the days are already on invoice {number}"
    (done,) = invoices.prepare(database, ACTOR, Period(dt.date(2026, 10, 10), dt.date(2026, 11, 10)))
    assert done.id is None
    assert drafts(database) == []


def test_a_period_that_is_not_over_is_not_issued(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    draft = one_draft(database)
    with pytest.raises(InvoiceError, match="not over yet"):
        invoices.issue(database, ACTOR, draft.id, today=OCTOBER.end)


@pytest.mark.parametrize("draft", [4711, "issued"])
def test_only_a_draft_is_issued(database: Database, draft: int | str) -> None:
    issued_one(database)
    with database.session() as session:
        number = invoices.by_number(session, 1).id if draft == "issued" else int(draft)
    with pytest.raises(InvoiceError, match=r"no draft 4711|already issued, as number 1"):
        invoices.issue(database, ACTOR, number)


def test_numbers_have_no_gap_however_many_issue_at_once(database: Database) -> None:
    owners = [customer(database, f"C{number}") for number in range(6)]
    write(database, [row(number, NOON, customer_id=owner, price=10) for number, owner in enumerate(owners)])
    invoices.prepare(database, ACTOR, OCTOBER)
    waiting = [draft.id for draft in drafts(database)]
    given: list[int] = []
    refused: list[str] = []

    def issue(draft: int) -> None:
        try:
            given.append(invoices.issue(database, ACTOR, draft, first_number=1000))
        except InvoiceError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=issue, args=(draft,)) for draft in waiting for _twice in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert sorted(given) == list(range(1000, 1006))
    assert len(refused) == 6
    assert all("already issued" in each for each in refused)


def test_a_number_whose_transaction_fails_is_given_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    draft = one_draft(database).id

    def fail(*_arguments: Any) -> None:
        raise RuntimeError("the last step breaks")

    with monkeypatch.context() as patched:
        patched.setattr(invoices.audit, "note", fail)
        with pytest.raises(RuntimeError):
            invoices.issue(database, ACTOR, draft)
    assert invoices.issue(database, ACTOR, draft) == 1


def test_a_credit_note_takes_back_the_whole_invoice_once(database: Database) -> None:
    number = issued_one(database, vat=2500)
    assert invoices.credit(database, ACTOR, number, note="wrong price") == number + 1
    with database.session() as session:
        note, invoice = invoices.by_number(session, number + 1), invoices.by_number(session, number)
        assert note.kind is InvoiceKind.CREDIT_NOTE
        assert note.status is InvoiceStatus.ISSUED
        assert (note.net, note.vat_amount, note.rounding, note.total) == (
            -invoice.net,
            -invoice.vat_amount,
            -invoice.rounding,
            -invoice.total,
        )
        assert [line.amount for line in note.lines] == [-line.amount for line in invoice.lines]
        assert (note.customer_name, note.note) == ("Acme", "Takes back invoice 1: wrong price")
    for wrong, reason in ((number, "already taken back"), (number + 1, "is a credit note"), (99, "no invoice 99")):
        with pytest.raises(InvoiceError, match=reason):
            invoices.credit(database, ACTOR, wrong)


def test_after_a_credit_note_the_period_can_be_invoiced_anew(database: Database) -> None:
    number = issued_one(database)
    invoices.credit(database, ACTOR, number)
    assert invoices.issue(database, ACTOR, one_draft(database).id) == number + 2


CHANGES = {
    "amount": lambda session, invoice: setattr(invoice, "net", 1),
    "status": lambda session, invoice: setattr(invoice, "status", InvoiceStatus.DRAFT),
    "line": lambda session, invoice: setattr(invoice.lines[0], "amount", 1),
    "line gone": lambda session, invoice: invoice.lines.clear(),
    "line more": lambda session, invoice: invoice.lines.append(InvoiceLine(position=99)),
    "delete": lambda session, invoice: session.delete(invoice),
    "many": lambda session, invoice: session.execute(update(Invoice).values(net=1)),
    "lines deleted": lambda session, invoice: session.execute(delete(InvoiceLine)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_issued_invoice_never_changes(database: Database, change: str) -> None:
    number = issued_one(database)
    with pytest.raises(AssertionError, match=r"issued invoice never|one by one"), database.session() as session:
        CHANGES[change](session, invoices.by_number(session, number))
    with database.session() as session:
        found = invoices.by_number(session, number)
        assert (found.net, found.status, [line.amount for line in found.lines]) == (
            10_000,
            InvoiceStatus.ISSUED,
            [10_000],
        )


def test_a_draft_can_be_thrown_away(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10)])
    invoices.drop(database, ACTOR, one_draft(database).id)
    with database.session() as session:
        assert session.scalar(select(func.count(InvoiceLine.id))) == 0


def test_foreseeing_says_what_preparing_does_and_writes_nothing(database: Database) -> None:
    owner = customer(database, "Acme")
    write(database, [row(1, NOON, customer_id=owner, price=10_000), row(2, NOON, customer_id=owner, price=10_000)])
    (seen,) = invoices.foresee(database, OCTOBER)
    assert (seen.customer, seen.messages, seen.net, seen.draft, seen.refused) == ("Acme", 2, 20_000, None, "")
    assert drafts(database) == []
    draft = one_draft(database)
    assert invoices.log_now(database, draft.id) == draft.net == 20_000
    assert invoices.foresee(database, OCTOBER, customer="Acme")[0].draft == draft.id
    number = invoices.issue(database, ACTOR, draft.id)
    assert invoices.foresee(database, OCTOBER)[0].refused == f"the days are already on invoice {number}"
    with database.session() as session:
        assert invoices.count(session, customer="Acme", period=OCTOBER) == 1
        assert invoices.count(session, customer="Acme", status=InvoiceStatus.DRAFT) == 0
        assert [each.number for each in invoices.listing(session, order="-total")] == [number]
