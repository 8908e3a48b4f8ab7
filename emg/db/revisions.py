"""How the gateway learns that a table was changed: a number for each subject, raised in the transaction of the change."""

from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from emg.db.models import Revision

SUBJECTS: Final = ("account", "connector", "route", "price", "network", "blacklist", "plugin", "setting")
"""`account` is also for customers and access rows, `connector` for options."""


def touch(session: Session, subject: str) -> None:
    """The rows of this subject have changed. The row stays locked until the transaction ends, so that numbers go up in the order of commits."""
    assert subject in SUBJECTS, f"nobody reads {subject}"
    if not _is_first(session, subject):
        return
    session.flush()  # from here on others wait for us: all that can be done before is
    first = {"subject": subject, "number": 1}
    raised = {"number": Revision.number + 1}
    if session.get_bind().dialect.name == "sqlite":
        insert = sqlite.insert(Revision).values(first)
        session.execute(insert.on_conflict_do_update(index_elements=[Revision.subject], set_=raised))
    else:
        session.execute(mysql.insert(Revision).values(first).on_duplicate_key_update(raised))


def _is_first(session: Session, subject: str) -> bool:
    """Once is enough for a transaction; in a savepoint, which may be taken back alone, each time counts."""
    if session.in_nested_transaction():
        return True
    transaction, touched = session.info.get("touched", (None, set()))
    if transaction is not session.get_transaction():
        touched = set()
    if subject in touched:
        return False
    touched.add(subject)
    session.info["touched"] = (session.get_transaction(), touched)
    return True


def current(session: Session) -> dict[str, int]:
    """The number of each subject, 0 where it was never changed."""
    found = session.execute(select(Revision.subject, Revision.number))
    return dict.fromkeys(SUBJECTS, 0) | {subject: number for subject, number in found if subject in SUBJECTS}
