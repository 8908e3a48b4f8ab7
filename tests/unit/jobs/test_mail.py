"""Mails: written once, sent once, tried again where that is right, and never waited for without end. Against a server that speaks SMTP."""

import base64
import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from emg.db import mail, settings
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Account, AuditLog, Mail, MailStatus
from emg.jobs import alerts, daily, post, summary
from emg.jobs.post import MailFailed
from tests.certificates import Authority
from tests.log_rows import NOON, customer, row, write
from tests.mail_server import DROP, HANG, MailServer

ACTOR = Actor("shell:test")
M = 1_000_000


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


def point_to(database: Database, port: int, **more: str) -> None:
    with database.session() as session:
        settings.write(
            session, ACTOR, {"smtp_host": "127.0.0.1", "smtp_port": str(port), "mail_from": "emg@house.example", **more}
        )


def put(database: Database, topic: str = "one", recipient: str = "ann@example.com") -> None:
    with database.session() as session:
        assert mail.put(session, topic, recipient, "Zażółć", "Grüße\n.\nend\n")


def kept(database: Database) -> list[Mail]:
    with database.session() as session:
        return list(session.scalars(select(Mail).order_by(Mail.id)))


def hurry(database: Database) -> None:
    """What waits is due now."""
    with database.session() as session:
        for each in session.scalars(select(Mail)):
            each.due = dt.datetime.now(dt.UTC)


def test_a_mail_arrives_whole_and_once(database: Database, server: MailServer) -> None:
    point_to(database, server.port)
    put(database, recipient="ann@example.com, bob@example.com")
    assert post.send(database) == "1 mails sent"
    assert post.send(database) == "nothing to send"
    (found,) = server.mails
    assert (found["Subject"], found["From"], found["To"]) == (
        "Zażółć",
        "emg@house.example",
        "ann@example.com, bob@example.com",
    )
    assert found.get_content() == "Grüße\r\n.\r\nend\r\n"
    assert server.recipients == ["ann@example.com", "bob@example.com"]
    assert [each.status for each in kept(database)] == [MailStatus.SENT]


def test_many_go_over_one_connection(database: Database, server: MailServer) -> None:
    point_to(database, server.port)
    for number in range(5):
        put(database, f"topic {number}")
    assert post.send(database) == "5 mails sent"
    assert (len(server.mails), server.connections) == (5, 1)


def test_a_topic_is_written_about_once(database: Database) -> None:
    put(database)
    with database.session() as session:
        assert not mail.put(session, "one", "bob@example.com", "again", "")
    assert len(kept(database)) == 1


def test_without_a_sender_nothing_is_sent(database: Database, server: MailServer) -> None:
    point_to(database, server.port, mail_from="")
    put(database)
    assert post.send(database) == "nothing to send"
    assert server.connections == 0


FAULTS = {
    # what the server does: what becomes of the mail, whether the job says so, whether the server has the mail
    "greeting": ({"greeting": "421 not now"}, MailStatus.QUEUED, True, False),
    "sender refused for now": ({"MAIL": "451 later"}, MailStatus.QUEUED, False, False),
    "sender refused": ({"MAIL": "550 not you"}, MailStatus.FAILED, False, False),
    "recipient refused for now": ({"RCPT": "450 later"}, MailStatus.QUEUED, False, False),
    "recipient refused": ({"RCPT": "550 nobody"}, MailStatus.FAILED, False, False),
    "data refused for now": ({"DATA": "451 later"}, MailStatus.QUEUED, False, False),
    "mail refused": ({".": "554 spam"}, MailStatus.FAILED, False, False),
    "mail refused for now": ({".": "452 full"}, MailStatus.QUEUED, False, False),
    "gone before the mail": ({"RCPT": DROP}, MailStatus.QUEUED, False, False),
    "silent before the mail": ({"RCPT": HANG}, MailStatus.QUEUED, False, False),
    "gone after the mail": ({".": DROP}, MailStatus.MAYBE, False, True),
    "silent after the mail": ({".": HANG}, MailStatus.MAYBE, False, True),
    "silent at first": ({"EHLO": HANG, "HELO": HANG}, MailStatus.QUEUED, True, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(database: Database, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    answers, status, told, has_it = FAULTS[fault]
    monkeypatch.setattr(post, "ANSWER_SECONDS", 0.3)
    with MailServer(**answers) as server:
        point_to(database, server.port)
        put(database)
        if told:
            with pytest.raises(MailFailed, match=f"the mail server 127.0.0.1:{server.port}"):
                post.send(database)
        else:
            assert post.send(database) == "0 mails sent"
        assert len(server.mails) == has_it
    (found,) = kept(database)
    assert (found.status, found.tries, bool(found.error)) == (status, 1, True)
    with MailServer() as well:  # and then: what may have been sent is not sent again
        point_to(database, well.port)
        hurry(database)
        post.send(database)
        assert len(well.mails) == (status is MailStatus.QUEUED)


def test_a_server_that_is_down_costs_nothing_but_time(database: Database, server: MailServer) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        nobody = taken.getsockname()[1]
    point_to(database, nobody)
    put(database)
    put(database, "two")
    with pytest.raises(MailFailed):
        post.send(database)
    first, second = kept(database)
    assert (first.status, second.status, second.tries) == (MailStatus.QUEUED, MailStatus.QUEUED, 0)
    assert first.due > dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    point_to(database, server.port)
    hurry(database)
    assert post.send(database) == "2 mails sent"


def test_one_that_nobody_takes_for_days_is_given_up(database: Database) -> None:
    put(database)
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        letter = mail.claim(session, now)
        assert letter
        mail.settle(session, letter.id, MailStatus.QUEUED, "451", now + dt.timedelta(days=4))
    assert kept(database)[0].status is MailStatus.FAILED


def test_one_that_was_handed_over_when_the_program_died_is_not_sent_again(
    database: Database, server: MailServer
) -> None:
    point_to(database, server.port)
    put(database)
    with database.session() as session:
        mail.claim(session, dt.datetime.now(dt.UTC))
    assert post.send(database) == "nothing to send, 1 in doubt"
    assert kept(database)[0].status is MailStatus.MAYBE
    assert server.mails == []


def secured(database: Database, server: MailServer, how: str, **more: str) -> None:
    point_to(
        database, server.port, smtp_host="localhost", smtp_tls=how, smtp_user="emg", smtp_password="secret", **more
    )


@pytest.mark.parametrize("how", ["tls", "starttls"])
def test_over_tls_and_logged_in(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    authority = Authority(tmp_path / "pki")
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    with MailServer(authority.issue("localhost", "localhost"), starttls=how == "starttls") as server:
        secured(database, server, how)
        put(database)
        assert post.send(database) == "1 mails sent"
    assert len(server.mails) == 1
    (login,) = [line for line in server.commands if line.startswith("AUTH")]
    assert base64.b64decode(login.split()[-1]) == b"\0emg\0secret"


@pytest.mark.parametrize("how", ["tls", "starttls"])
def test_a_server_that_nobody_vouches_for_gets_neither_password_nor_mail(
    database: Database, tmp_path: Path, how: str
) -> None:
    stranger = Authority(tmp_path / "pki").issue("localhost", "localhost")
    with MailServer(stranger, starttls=how == "starttls") as server:
        secured(database, server, how)
        put(database)
        with pytest.raises(MailFailed, match="certificate"):
            post.send(database)
    assert not [line for line in server.commands if line.startswith(("AUTH", "MAIL"))]
    assert kept(database)[0].status is MailStatus.QUEUED


def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    with MailServer(AUTH="535 no") as server:
        secured(database, server, "none")
        put(database)
        with pytest.raises(MailFailed, match="535 no") as told:
            post.send(database)
    assert "secret" not in str(told.value)
    assert kept(database)[0].status is MailStatus.QUEUED


def test_the_audit_log_has_no_password(database: Database, server: MailServer) -> None:
    secured(database, server, "none")
    with database.session() as session:
        told = session.scalars(select(AuditLog).where(AuditLog.name == "smtp_password")).one()
    assert "secret" not in told.after
    assert "***" in told.after


def test_old_ones_are_forgotten(database: Database) -> None:
    put(database)
    put(database, "waits")
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        letter = mail.claim(session, now)
        assert letter
        mail.settle(session, letter.id, MailStatus.SENT, "", now - dt.timedelta(days=91))
        assert mail.forget(session, now) == 1
    assert [each.topic for each in kept(database)] == ["waits"]


# -- low balances


def set_account(database: Database, **values: Any) -> None:
    with database.session() as session:
        account = session.scalars(select(Account)).one()
        for name, value in values.items():
            setattr(account, name, value)


def test_a_low_balance_is_told_once_until_it_is_above_again(database: Database) -> None:
    customer(database, "Acme", email="ann@example.com")
    set_account(database, credited=10 * M, charged=5 * M + 1, low_balance=5 * M, prepaid=True)
    assert alerts.look(database) == "1 accounts are low, 0 are well again"
    assert alerts.look(database) == "0 accounts are low, 0 are well again"
    set_account(database, credited=20 * M)
    assert alerts.look(database) == "0 accounts are low, 1 are well again"
    set_account(database, charged=15 * M + 1)
    alerts.look(database)
    bodies = [each.body for each in kept(database)]
    assert bodies[0].startswith("The balance of the account acme is 4.999999 EUR, below 5.00 EUR.\nIt is prepaid")


def test_a_balance_at_its_mark_is_not_low(database: Database) -> None:
    customer(database, "Acme", email="ann@example.com")
    set_account(database, credited=5 * M, low_balance=5 * M)
    alerts.look(database)
    assert kept(database) == []


def test_the_house_is_told_too_and_a_customer_without_address_is_no_fault(database: Database) -> None:
    customer(database, "Acme")
    point_to(database, 25, mail_to="noc@house.example")
    set_account(database, low_balance=1)
    alerts.look(database)
    assert [each.recipient for each in kept(database)] == ["noc@house.example"]


def test_a_mark_that_is_taken_away_is_well_again(database: Database) -> None:
    customer(database, "Acme")
    set_account(database, low_balance=None, low_balance_told=True)
    assert alerts.look(database) == "0 accounts are low, 1 are well again"


# -- daily reports

TODAY = NOON.date() + dt.timedelta(days=1)


def daily_customer(database: Database) -> int:
    return customer(database, "Acme", email="ann@example.com", daily_report=True)


def test_yesterday_is_told_to_who_wants_it_and_once(database: Database) -> None:
    owner = daily_customer(database)
    customer(database, "Beta", email="bob@example.com")
    write(
        database,
        [row(1, NOON, customer_id=owner, price=10_000, cost=1), row(2, NOON, customer_id=None, account="house")],
    )
    summary.count_past(database)
    assert daily.write(database, TODAY) == "1 mails written"
    assert daily.write(database, TODAY) == "0 mails written"
    found = {each.topic: each.body for each in kept(database)}
    assert found[f"daily 2026-10-14 customer {owner}"] == (
        "Traffic of Acme on 2026-10-14, UTC.\n\n"
        "account  messages  parts  delivered  failed  open     price\n"
        "acme            1      1          1       0     0  0.01 EUR\n\n\n"
    )
    assert len(found) == 1


def test_days_that_were_missed_are_made_up_for_where_there_was_a_mail_before(database: Database) -> None:
    owner = daily_customer(database)
    assert daily.write(database, TODAY) == "1 mails written"
    customer(database, "Beta", email="bob@example.com", daily_report=True)
    assert daily.write(database, TODAY + dt.timedelta(days=5)) == "4 mails written"
    topics = [
        f"daily 2026-10-{day} customer {number}"
        for day, number in ((14, owner), (17, owner), (18, owner), (19, owner), (19, owner + 1))
    ]
    assert sorted(each.topic for each in kept(database)) == topics
    assert {each.body.split("\n")[2] for each in kept(database)} == {"No messages."}


def test_the_house_gets_all_customers_with_cost(database: Database) -> None:
    point_to(database, 25, mail_to="boss@house.example")
    write(database, [row(1, NOON, price=10_000, cost=1)])
    summary.count_past(database)
    daily.write(database, TODAY)
    (text,) = [each.body for each in kept(database) if each.topic == "daily 2026-10-14 all"]
    assert text.split("\n")[3].split() == ["acme", "out", "1", "1", "1", "0", "0", "0.01", "EUR", "0.000001", "EUR"]


def test_a_day_is_counted_first_and_its_mail_does_not_change_later(database: Database) -> None:
    """Where reports always come, some hour of yesterday is always dirty: the mail does not wait for quiet."""
    owner = daily_customer(database)
    write(database, [row(1, NOON, customer_id=owner)])
    daily.write(database, TODAY)
    write(database, [row(2, NOON, customer_id=owner)])
    daily.write(database, TODAY)
    (text,) = [each.body for each in kept(database) if each.topic == f"daily 2026-10-14 customer {owner}"]
    assert text.split("\n")[3].split()[:2] == ["acme", "1"]
