"""What the watchdog takes from the configuration, and what `emg check` says of keywords that lack something."""

import pytest

from emg.config.changes import compare
from emg.config.faults import ConfigFaults
from emg.config.load import load_text
from emg.config.model import AlertLevel, Endpoint, MailTls
from watchdog.settings import MailSettings, Settings, SmsSettings, settings

CUSTOMERS = "CONNECTOR customers <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=0.0.0.0:2775\n>\n"
TLS = "CONNECTOR tls <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=[::]:3550\nSSL\nSSL_KEYFILE=k.pem\n>\n"
USER = "USER watchdog <\nPASSWORD=secret77\n>\n"
HASHED = (
    "USER watchdog <\nPASSWORD=$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$h8YF3zLl2T4dYJ5tRr0wGdGZk0m0s0d7Jm1p6b0m0bQ\n>\n"
)


def take(text: str) -> Settings:
    return settings(load_text(text), "gw1")


def test_nothing_is_told_unless_it_is_said_to_whom() -> None:
    found = take(CUSTOMERS)
    assert (found.mail, found.webhook, found.sms) == (None, None, None)
    assert found.api == Endpoint("127.0.0.1", 3000)
    assert [str(network) for network in found.access] == ["127.0.0.0/8", "::1/128"]
    assert found.alert_file == "/var/spool/emg/alerts.json"
    assert found.token_file == "/var/spool/emg/watchdog.token"
    assert (found.repeat, found.clear, found.patience, found.disk_percent) == (21600, 30, 2.5, 80)


def test_one_keyword_is_enough_for_mails() -> None:
    assert take("ALERT_MAIL=ann@example.com, bob@example.com,ann@example.com\n").mail == MailSettings(
        ("ann@example.com", "bob@example.com"), "emg@gw1", Endpoint("127.0.0.1", 25), MailTls.NONE
    )


def test_an_sms_logs_in_where_the_account_may() -> None:
    base = "ALERT_SMS=+46701234567\nALERT_SMS_USER=watchdog\n"
    assert take(base + CUSTOMERS + USER).sms == SmsSettings(
        ("+46701234567",), AlertLevel.WARNING, "watchdog", "secret77", "emg", Endpoint("127.0.0.1", 2775)
    )
    only = USER.replace("PASSWORD", "CONNECTOR=tls\nPASSWORD")
    found = take("ALERT_SMS_FROM=ALARM\nALERT_SMS_LEVEL=critical\n" + base + CUSTOMERS + TLS + only).sms
    assert found is not None
    assert (found.address, found.tls, found.sender) == (Endpoint("::1", 3550), True, "ALARM")
    assert found.level is AlertLevel.CRITICAL
    found = take("ALERT_SMS_ADDRESS=192.0.2.9:2775\nALERT_SMS_PASSWORD=pw\n" + base + CUSTOMERS + HASHED).sms
    assert found is not None
    assert (found.address, found.password) == (Endpoint("192.0.2.9", 2775), "pw")


def test_limits_of_single_programs() -> None:
    assert take("WATCHDOG_MEMORY=gateway:2G,recorder:512M\n").memory == {"gateway": 2 << 30, "recorder": 512 << 20}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("ALERT_WEBHOOK=https://h/x", "ALERT_WEBHOOK needs ALERT_WEBHOOK_SECRET"),
        ("ALERT_SMTP_USER=emg", "ALERT_SMTP_USER needs ALERT_SMTP_PASSWORD"),
        ("ALERT_SMS=123456", "ALERT_SMS needs ALERT_SMS_USER"),
        ("ALERT_SMS=123456\nALERT_SMS_USER=nobody", "ALERT_SMS_USER is no USER"),
        ("ALERT_SMS=123456\nALERT_SMS_USER=watchdog\n" + USER, "ALERT_SMS needs ALERT_SMS_ADDRESS"),
        ("ALERT_SMS=123456\nALERT_SMS_USER=watchdog\n" + CUSTOMERS + HASHED, "ALERT_SMS needs ALERT_SMS_PASSWORD"),
        ("WATCHDOG=127.0.0.1:2775\n" + CUSTOMERS, "that WATCHDOG listens on already"),
        ("ALERT_MAIL=ann", "must be a mail address"),
        ("ALERT_MAIL=ann@example.com\\r\\nBcc:x@y", "must be a mail address"),
        ("ALERT_MAIL_FROM=a@b,c@d", "must be a mail address"),
        ("ALERT_MAIL=" + ",".join(f"a{n}@b" for n in range(21)), "must be at most 20"),
        ("ALERT_SMS=12", "must be telephone numbers"),
        ("ALERT_WEBHOOK=ftp://h/x", "must be a URL"),
        ("ALERT_WEBHOOK=https://user:pw@h/x", "must be a URL"),
        ("ALERT_WEBHOOK=http://[::1/x", "must be a URL"),
        ("ALERT_WEBHOOK=http://h:99999/x", "must be a URL"),
        ("ALERT_WEBHOOK_SECRET=short", "must be text of 16 to 256"),
        ("WATCHDOG_TOKEN=short", "must be text of 16 to 256"),
        ("WATCHDOG_MEMORY=gateway", "must be PROGRAM:SIZE"),
        ("WATCHDOG_MEMORY=gateway:1K", "must be a number of bytes"),
        ("WATCHDOG_MEMORY=gateway:1G,gateway:2G", "must be PROGRAM:SIZE"),
        ("WATCHDOG_DISK=101", "must be a whole number"),
    ],
)
def test_what_can_not_work_is_a_fault(lines: str, reason: str) -> None:
    with pytest.raises(ConfigFaults) as faults:
        load_text(lines + "\n")
    assert reason in str(faults.value)
    for secret in ("user:pw", "https://h/x", "secret77"):
        assert secret not in str(faults.value)


def test_the_account_may_stand_in_the_database() -> None:
    text = "DATABASE=sqlite:///emg.db\nALERT_SMS=123456\nALERT_SMS_USER=w\nALERT_SMS_PASSWORD=pw\nALERT_SMS_ADDRESS=127.0.0.1:2775\n"
    assert take(text).sms is not None


def test_the_words_that_no_alert_may_hold() -> None:
    text = (
        "DATABASE=mysql+pymysql://emg:p%40ssword@127.0.0.1/emg\nWATCHDOG_TOKEN=0123456789abcdef\n"
        "ALERT_WEBHOOK=https://h/k3y\nALERT_WEBHOOK_SECRET=fedcba9876543210\n"
    )
    operator = "CONNECTOR o <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nUSERNAME=u\nPASSWORD=operpass\n>\n"
    short = "USER x <\nPASSWORD=abc\n>\n"
    found = take(text + CUSTOMERS + operator + USER + short).secrets
    assert set(found) == {
        "mysql+pymysql://emg:p%40ssword@127.0.0.1/emg", "p%40ssword", "p@ssword", "0123456789abcdef", "https://h/k3y",
        "fedcba9876543210", "operpass", "secret77",
    }  # fmt: skip
    assert list(found) == sorted(found, key=len, reverse=True)


def test_a_mail_password_in_the_clear_is_a_warning() -> None:
    text = "ALERT_SMTP_USER=emg\nALERT_SMTP_PASSWORD=pw\n" + CUSTOMERS + USER
    assert load_text(text).warnings == ()
    assert "in the clear" in str(load_text("ALERT_SMTP=mail.example.com:25\n" + text).warnings[0])
    assert load_text("ALERT_SMTP=mail.example.com:587\nALERT_SMTP_TLS=STARTTLS\n" + text).warnings == ()


def test_the_gateway_s_reload_says_that_the_watchdog_must_be_restarted() -> None:
    changes = compare(load_text(CUSTOMERS), load_text("ALERT_MAIL=ann@example.com\n" + CUSTOMERS))
    assert (changes.general_live, changes.general_restart) == ((), ("ALERT_MAIL",))
