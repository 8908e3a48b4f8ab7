"""Forms that are taken once: whoever clicks twice, or loads the answer again, books nothing twice.

Each such form has a random token, made when the page is. `spend` writes it down in the transaction of what the form does, so that both are kept or neither; of two
that come at the same time the second waits for the first one's end. What is older than `KEPT` is forgotten. Raises `AlreadySent`.
"""

import datetime as dt
import re
import secrets
from typing import Final

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emg.db import changes
from emg.db.models import SentForm
from emg.errors import EmgError

KEPT: Final = dt.timedelta(days=30)
"""Longer than any login lasts, and with it the form."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)


class AlreadySent(EmgError):
    """This very form was taken before."""

    def __init__(self) -> None:
        super().__init__("this form was sent already; it was taken once and not a second time")


def token() -> str:
    """For a form that is shown now."""
    return secrets.token_urlsafe(24)


def spend(session: Session, given: str) -> None:
    """The form is taken, once. The caller's transaction must end without being kept when this raises."""
    if not _TOKEN.fullmatch(given):
        raise EmgError("the form is not whole; load the page again and send it once more")
    moment = changes.now()
    session.execute(
        delete(SentForm).where(SentForm.at < moment - KEPT), execution_options={"synchronize_session": False}
    )
    session.add(SentForm(token=given, at=moment))
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadySent from error
