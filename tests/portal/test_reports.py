"""Reports: what stands in them, for whom; files; saved and mailed."""

import datetime as dt
import io

import openpyxl
import pytest
from sqlalchemy import select

from emg.db import customers, people, saved_reports
from emg.db.engine import Database
from emg.db.models import AuditLog, HourlySummary, Mail, Role, SavedReport, Status
from emg.jobs import saved_reports as mailing
from portal.permissions import Permission, may
from tests.portal.conftest import HOUSE
from tests.portal_visitor import Visitor

TODAY = dt.datetime.now(dt.UTC).date()
NOW = dt.datetime.combine(TODAY, dt.time(), dt.UTC)


@pytest.fixture(autouse=True)
def counted(portal_database: Database) -> Database:
    """An hour of each customer, in two currencies; one name is a formula."""
    with portal_database.session() as session:
        owners = {name: customers.find(session, name).id for name in ("Acme", "Charlie Ltd")}
        for account, owner, currency, messages in (
            ("acme", "Acme", "EUR", 10), ("=acme2", "Acme", "SEK", 4), ("charlie", "Charlie Ltd", "EUR", 77)
        ):  # fmt: skip
            session.add(
                HourlySummary(
                    hour=NOW, account=account, customer_id=owners[owner], connector_in="customers", connector_out="operator", prefix="46",
                    network="24001", currency=currency, status=Status.DELIVERED, messages=messages, parts=messages, price=messages * 40_000,
                    cost=messages * 30_000, within_10s=messages // 2, within_60s=messages, within_600s=messages, delay_ms=messages * 2500,
                )
            )  # fmt: skip
    return portal_database


def test_the_table_has_figures_and_totals_by_currency(ann: Visitor) -> None:
    page = ann.get("/reports?by=account")
    row = page.row("acme")
    assert (row["Messages"], row["Delivered %"], row["In 10 s %"]) == ("10", "100.0 %", "50.0 %")
    assert (row["Revenue"], row["Cost"], row["Margin"]) == ("0.40 EUR", "0.30 EUR", "0.10 EUR")
    feet = [" ".join(tag.get_text(" ").split()) for tag in page.soup.select("tfoot tr")]
    assert any(foot.startswith("Total EUR 87 ") for foot in feet)
    assert any(foot.startswith("Total SEK 4 ") for foot in feet)
    assert [row["Account"] for row in ann.get("/reports?by=account&sort=-messages").rows()] == [
        "charlie",
        "acme",
        "=acme2",
    ]


@pytest.mark.parametrize(
    "query",
    ["by=nothing", "period=ever", "period=own&from=x", "period=own&from=2026-02-02&to=2026-01-01", "by=hour&period=year", "sort=secret", "status=lost", "customer=Nobody", "measure=x"],
)  # fmt: skip
def test_nonsense_is_answered(ann: Visitor, query: str) -> None:
    ann.get(f"/reports?{query}", code=400)


@pytest.mark.parametrize(
    "by",
    ["hour", "day", "month", "customer", "network", "country", "connector_in", "connector_out", "prefix", "status"],
)
def test_every_way_of_grouping(ann: Visitor, by: str) -> None:
    assert ann.get(f"/reports?by={by}&then=account&measure=margin").rows()


def test_a_filter_that_fits_nothing_says_so(ann: Visitor) -> None:
    assert "No traffic" in ann.get("/reports?account=nobody").text
    assert len(ann.get("/reports?by=account&customer=Acme").rows()) == 2


def test_customers_see_their_own_and_no_operators(alice: Visitor, charlie: Visitor, alf: Visitor) -> None:
    page = charlie.get("/reports?by=account&customer=Acme&connector_out=other")
    assert [row["Account"] for row in page.rows()] == ["charlie"]
    page = charlie.get("/reports?by=account")
    assert "acme" not in page.html.lower()
    assert "operator" not in page.html
    assert "Price" in page.rows()[0]
    assert not {"Revenue", "Cost", "Margin"} & set(page.rows()[0])
    assert "No traffic" in charlie.get("/reports?account=acme").text
    for query in ("by=connector_out", "by=customer", "then=connector_in", "measure=cost", "sort=margin"):
        charlie.get(f"/reports?{query}", code=400)
    for kind in ("csv", "xlsx"):
        assert b"acme" not in charlie.open(f"/reports/report.{kind}?by=account").data
    assert "Price" not in alf.get("/reports?by=account").rows()[0], "prices are for who may see them"
    assert len(alice.get("/reports?by=account").rows()) == 2


def test_rights_are_the_same_here_and_in_mails() -> None:
    for role in Role:
        sees = saved_reports.sees(role)
        assert sees.prices == may(role, Permission.SEE_PRICES)
        assert sees.costs == may(role, Permission.SEE_COSTS)
        assert sees.house == may(role, Permission.SEE_CONNECTORS)


def test_files_have_no_formulas(ann: Visitor) -> None:
    text = ann.open("/reports/report.csv?by=account").data.decode("utf-8-sig")
    assert "'=acme2,4," in text
    assert "0.16" in text
    sheet = openpyxl.load_workbook(io.BytesIO(ann.open("/reports/report.xlsx?by=account").data)).active
    assert {sheet.cell(row, 1).data_type for row in (2, 3, 4)} == {"s"}
    assert ann.open("/reports/report.doc").status_code == 404


def saved(person: Visitor, **values: str) -> None:
    page = person.get("/reports?by=account&period=7days")
    page = person.submit(page, page.form("/reports/saved"), **values)
    assert "is saved" in page.text


def test_a_report_is_saved_and_deleted(counted: Database, alice: Visitor, charlie: Visitor) -> None:
    saved(alice, name="Mine")
    assert "Mine" in alice.get("/reports").one("main").get_text()
    assert "Mine" not in charlie.get("/reports").one("main").get_text()
    with counted.session() as session:
        number = session.scalars(select(SavedReport.id)).one()
    charlie.get(f"/reports/saved/{number}/delete", code=404)
    page = alice.get(f"/reports/saved/{number}/delete")
    assert "is deleted" in alice.submit(page, page.form("/delete")).text
    with counted.session() as session:
        actions = select(AuditLog.action).where(AuditLog.subject == "saved_report").order_by(AuditLog.id)
        assert list(session.scalars(actions)) == ["save", "delete"]


@pytest.mark.parametrize(
    "values",
    [
        {"name": " "},
        {"name": "A", "schedule": "daily"},
        {"name": "A", "schedule": "daily", "recipients": "a@b.example\nBcc: c"},
    ],
)
def test_a_report_that_can_not_be_mailed_is_not_saved(
    counted: Database, alice: Visitor, values: dict[str, str]
) -> None:
    page = alice.get("/reports")
    assert "Not saved" in alice.submit(page, page.form("/reports/saved"), **values).text
    with counted.session() as session:
        assert not list(session.scalars(select(SavedReport)))


def mails(database: Database) -> list[Mail]:
    with database.session() as session:
        return list(session.scalars(select(Mail).order_by(Mail.id)))


def test_mails_hold_what_the_owner_may_see_then(counted: Database, alice: Visitor) -> None:
    saved(alice, name="Mine", schedule="daily", recipients="x@acme.example, y@acme.example")
    assert mailing.write(counted, TODAY) == "0 reports written", "saved today: it begins tomorrow"
    assert mailing.write(counted, TODAY + dt.timedelta(days=1)) == "1 reports written"
    assert mailing.write(counted, TODAY + dt.timedelta(days=1)) == "0 reports written"
    [mail] = mails(counted)
    assert mail.recipient == "x@acme.example,y@acme.example"
    assert "acme,10" in mail.body
    assert "'=acme2,4" in mail.body
    assert "charlie" not in mail.body
    assert "Margin" not in mail.body
    assert "0.40" in mail.body
    with counted.session() as session:
        people.set_role(session, HOUSE, "alice", "customer_user")
        session.scalars(select(SavedReport)).one().mailed = NOW - dt.timedelta(days=3)
    mailing.write(counted, TODAY + dt.timedelta(days=2))
    assert "0.40" not in mails(counted)[-1].body


def test_who_is_locked_or_gone_gets_no_mails(counted: Database, alice: Visitor, charlie: Visitor) -> None:
    for person in (alice, charlie):
        saved(person, name="Mine", schedule="daily", recipients="x@acme.example")
    with counted.session() as session:
        people.lock(session, HOUSE, "alice")
        people.delete(session, HOUSE, "charlie")
    assert mailing.write(counted, TODAY + dt.timedelta(days=1)) == "0 reports written"
    assert not mails(counted)
