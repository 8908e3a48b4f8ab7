"""Alerts by mail over SMTP (RFC 5321), with the watchdog's own keywords: they need no database.

One mail to all recipients. A recipient that the server refuses does not keep the others from it. Raises NotTold, OSError, SMTPException.
"""

import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from emg.config.model import MailTls
from watchdog.alerts import Notice
from watchdog.channels import words
from watchdog.channels.channel import DEADLINE, NotTold
from watchdog.model import Severity
from watchdog.settings import MailSettings


class Mail:
    """See the module's text. `repeat`: how often what stands is told again (s)."""

    name = "mail"
    level = Severity.WARNING
    summary = True
    longest_pause = 600.0

    def __init__(self, settings: MailSettings, host: str, repeat: float) -> None:
        self._settings = settings
        self._host = host
        self._repeat = repeat

    def send(self, notices: Sequence[Notice], more: int, at: float) -> str:
        """Hand one mail to the server; a sentence about recipients that it refuses."""
        chosen = self._settings
        try:
            server = self._connected()
            try:
                refused = server.sendmail(chosen.sender, chosen.recipients, self._letter(notices, more, at))
                server.putcmd(
                    "quit"
                )  # its answer is not waited for: the mail is taken, and nothing may make a second one of it
            finally:
                server.close()
        except smtplib.SMTPRecipientsRefused as error:
            raise NotTold(f"{chosen.server}: {_refusals(error.recipients)}") from None
        except smtplib.SMTPResponseException as error:
            raise NotTold(f"{chosen.server}: {error.smtp_code} {_said(error.smtp_error)}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotTold(f"{chosen.server}: {str(error) or type(error).__name__}") from None
        return _refusals(refused)

    def _connected(self) -> smtplib.SMTP:
        """A session, encrypted and logged in as the settings say."""
        chosen = self._settings
        host, port = chosen.server
        # our name is given, or the library would ask the name service for it, which may be down
        if chosen.tls is MailTls.TLS:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, self._host, timeout=DEADLINE, context=context)
        else:
            server = smtplib.SMTP(host, port, self._host, timeout=DEADLINE)
        try:
            if chosen.tls is MailTls.STARTTLS:
                server.starttls(context=ssl.create_default_context())
            server.ehlo_or_helo_if_needed()
            if chosen.user:
                server.login(chosen.user, chosen.password)
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, notices: Sequence[Notice], more: int, at: float) -> bytes:
        made = EmailMessage()
        made["From"], made["To"] = self._settings.sender, ", ".join(self._settings.recipients)
        made["Subject"] = words.subject(self._host, notices, more)
        made["Date"] = formatdate(at)
        # the same for the same news: a mail that was taken though we never heard so is no second one
        made["Message-ID"] = f"<{words.letter_id(self._host, notices)}@{self._settings.sender.rpartition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(words.body(self._host, notices, more, at, self._repeat), cte="quoted-printable")
        return made.as_bytes(policy=SMTP)


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{recipient}: {code} {_said(text)}" for recipient, (code, text) in refused.items())


def _said(text: bytes | str) -> str:
    return text.decode("ascii", "replace") if isinstance(text, bytes) else text
