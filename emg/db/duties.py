"""Who does a duty of which there may be only one, and how jobs went.

A lease is a row that its owner renews; whoever finds it out of date takes it over. Time is the database's, so that clocks of different machines can't
make two owners. How a job went stands in `job_run`, one row a job, for the watchdog and for people. Raises DatabaseError.
"""

import datetime as dt
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from emg.db.models import JobRun, Lease

LONGEST_LEASE: Final = dt.timedelta(minutes=10)
"""Nobody takes one for longer: who seems to have, had it before the clock was set back, and is not waited for."""
_PLAIN: Final = {"synchronize_session": False}


def now(session: Session) -> dt.datetime:
    """The database's clock."""
    if session.get_bind().dialect.name == "sqlite":
        return dt.datetime.now(dt.UTC)
    found: Any = session.scalar(select(func.utc_timestamp(6)))
    return dt.datetime.fromisoformat(str(found)).replace(tzinfo=dt.UTC)


def take(session: Session, name: str, owner: str, seconds: float) -> bool:
    """Take this lease, or renew it, for so long, at most `LONGEST_LEASE`; False: another has it."""
    assert seconds <= LONGEST_LEASE.total_seconds(), "a lease that others would not believe"
    moment = now(session)
    until = moment + dt.timedelta(seconds=seconds)
    free = (Lease.owner == owner) | (Lease.until <= moment) | (Lease.until > moment + LONGEST_LEASE)
    taken = session.execute(
        update(Lease).where(Lease.name == name, free).values(owner=owner, until=until), execution_options=_PLAIN
    )
    if taken.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result has it
        return True
    if session.scalar(select(Lease.name).where(Lease.name == name)) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(Lease(name=name, owner=owner, until=until))
    except IntegrityError:  # another was quicker: his
        return False
    return True


def give_back(session: Session, name: str, owner: str) -> None:
    """Let another have it at once."""
    session.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner), execution_options=_PLAIN)


def started(session: Session, name: str) -> None:
    """A job begins."""
    _row(session, name).started = dt.datetime.now(dt.UTC)


def ended(session: Session, name: str, result: str, error: str) -> None:
    """It has ended: what it did, or why it failed."""
    row, moment = _row(session, name), dt.datetime.now(dt.UTC)
    row.ended = moment
    row.error = error
    if error:
        row.failures += 1
    else:
        row.success, row.result, row.failures = moment, result[:255], 0


def runs(session: Session) -> list[JobRun]:
    """How all jobs went."""
    return list(session.scalars(select(JobRun).order_by(JobRun.name)))


def _row(session: Session, name: str) -> JobRun:
    found = session.get(JobRun, name)
    if found is None:
        found = JobRun(name=name, result="", error="", failures=0)
        session.add(found)
    return found
