"""Sends the mails that wait, one after the other, over SMTP: settings `smtp_*` and `mail_from`.

Every wait has a deadline. One connection serves a run, so a server that is down costs one try: all mails wait on. What the server said decides: 5xx to
this mail ends it, 4xx and no connection let it wait, and a connection that is lost after the last octet was sent leaves it in doubt (see `emg.db.mail`).
Raises EmgError when nothing could be sent.
"""

import datetime as dt
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Any, Final

from emg.db import mail, settings
from emg.db.engine import Database
from emg.db.mail import Letter
from emg.db.models import MailStatus
from emg.errors import EmgError

ANSWER_SECONDS: Final = 30.0
MOST: Final = 500
"""Mails of one run; the rest goes with the next."""


class MailFailed(EmgError):
    """The mail server can't be used now."""


def send(database: Database) -> str:
    """Send what is due."""
    now = dt.datetime.now(dt.UTC)
    with database.session() as session:
        chosen = settings.read(session)
        lost = mail.doubtful(session, now)  # nobody else sends: this job runs once at a time, under the lease
        letter = mail.claim(session, now) if chosen["mail_from"] else None
    if letter is None:
        return f"nothing to send{f', {lost} in doubt' * (lost > 0)}"
    sent = 0
    try:
        with _connected(chosen) as server:
            while letter is not None:
                status, error = _hand_over(server, chosen, letter)
                sent += status is MailStatus.SENT
                with database.session() as session:
                    mail.settle(session, letter.id, status, error, dt.datetime.now(dt.UTC))
                letter = None
                if sent < MOST and _alive(server):
                    with database.session() as session:
                        letter = mail.claim(session, now)
    except (OSError, smtplib.SMTPException) as error:
        reason = _words(error)
        if letter is not None:  # it was claimed, and the server has not heard of it
            with database.session() as session:
                mail.settle(session, letter.id, MailStatus.QUEUED, reason, dt.datetime.now(dt.UTC))
        if not sent:
            raise MailFailed(f"the mail server {chosen['smtp_host']}:{chosen['smtp_port']}: {reason}") from None
    return f"{sent} mails sent"


def _connected(chosen: dict[str, Any]) -> smtplib.SMTP:
    """A session, greeted, encrypted and logged in as the settings say. Raises OSError, SMTPException."""
    host, port = chosen["smtp_host"], chosen["smtp_port"]
    if chosen["smtp_tls"] == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=ANSWER_SECONDS, context=ssl.create_default_context()
        )
    else:
        server = smtplib.SMTP(host, port, timeout=ANSWER_SECONDS)
    try:
        if chosen["smtp_tls"] == "starttls":
            server.starttls(context=ssl.create_default_context())
        server.ehlo_or_helo_if_needed()
        if chosen["smtp_user"]:
            server.login(chosen["smtp_user"], chosen["smtp_password"])
    except BaseException:
        server.close()
        raise
    return server


def _hand_over(server: smtplib.SMTP, chosen: dict[str, Any], letter: Letter) -> tuple[MailStatus, str]:
    """One mail; what became of it, and why."""
    try:
        message = _message(chosen, letter)
        # by hand, not send_message: which step an error comes from decides whether the mail may have been taken
        for step in (lambda: server.mail(chosen["mail_from"]), *_recipients(server, letter)):
            code, text = step()
            if code >= 400:
                _reset(server)
                return _refused(code, text)
    except smtplib.SMTPServerDisconnected as error:
        return MailStatus.QUEUED, _words(error)
    except (OSError, ValueError) as error:
        return MailStatus.FAILED if isinstance(error, ValueError) else MailStatus.QUEUED, _words(error)
    try:
        code, text = server.data(message)
    except smtplib.SMTPDataError as error:
        _reset(server)
        return _refused(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        return MailStatus.MAYBE, _words(error)
    return (MailStatus.SENT, "") if code == 250 else _refused(code, text)


def _recipients(server: smtplib.SMTP, letter: Letter) -> list[Any]:
    addresses = [address.strip() for address in letter.recipient.split(",")]
    return [lambda address=address: server.rcpt(address) for address in addresses]


def _message(chosen: dict[str, Any], letter: Letter) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = chosen["mail_from"], letter.recipient, letter.subject
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(domain=chosen["mail_from"].rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.body, cte="quoted-printable")
    return made.as_bytes(policy=SMTP)


def _refused(code: int, text: bytes | str) -> tuple[MailStatus, str]:
    said = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    return MailStatus.FAILED if code >= 500 else MailStatus.QUEUED, f"{code} {said}"


def _reset(server: smtplib.SMTP) -> None:
    """Be ready for the next mail, if the server still is."""
    try:
        server.rset()
    except (OSError, smtplib.SMTPException):
        server.close()


def _alive(server: smtplib.SMTP) -> bool:
    return server.sock is not None


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_refused(error.smtp_code, error.smtp_error)[1]}"
    return str(error) or type(error).__name__
