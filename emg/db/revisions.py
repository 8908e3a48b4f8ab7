"""How the gateway learns that a table was changed: a number for each subject, raised in the transaction of the change."""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from emg.db.models import Revision

SUBJECTS: Final = ("account", "connector", "route", "price", "network", "blacklist", "plugin", "setting")
"""`account` is also for customers and access rows, `connector` for options."""


def touch(session: Session, subject: str) -> None:
    """The rows of this subject have changed. The row stays locked until the transaction ends, so that numbers go up in the order of commits."""
    assert subject in SUBJECTS, f"nobody reads {subject}"
    changed = session.execute(
        update(Revision).where(Revision.subject == subject).values(number=Revision.number + 1),
        execution_options={"synchronize_session": False},
    )
    if not changed.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result has it
        session.add(Revision(subject=subject, number=1))
        session.flush()


def current(session: Session) -> dict[str, int]:
    """The number of each subject, 0 where it was never changed."""
    found = dict(session.execute(select(Revision.subject, Revision.number)).tuples().all())
    return {subject: found.get(subject, 0) for subject in SUBJECTS}
