"""Versions of the configuration file: as the portal has written it, or found it before it wrote. The newest `MOST` of a file are kept.

Texts hold `***` for passwords (`emg.config.masking`): whoever reads the database, or a backup of it, reads none here.
"""

from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from emg.db import changes
from emg.db.audit import Actor
from emg.db.changes import NotFound
from emg.db.models import ConfigVersion

MOST: Final = 200
LARGEST: Final = 60_000
"""Octets of one text; the column has 65,535."""


def keep(session: Session, actor: Actor, file: str, text: str, why: str) -> ConfigVersion | None:
    """Another version; None where the last one has the same text."""
    assert len(text.encode()) <= LARGEST, "a configuration that is too large for a version"
    last = session.scalar(
        select(ConfigVersion.text).where(ConfigVersion.file == file[:255]).order_by(ConfigVersion.id.desc()).limit(1)
    )
    if last == text:
        return None
    made = ConfigVersion(at=changes.now(), who=actor.who[:128], why=why[:255], file=file[:255], text=text)
    session.add(made)
    session.flush()
    older = select(ConfigVersion.id).where(ConfigVersion.file == file[:255]).order_by(ConfigVersion.id.desc())
    if spare := list(session.scalars(older.offset(MOST).limit(1000))):
        session.execute(delete(ConfigVersion).where(ConfigVersion.id.in_(spare)))
    return made


def find(session: Session, number: int) -> ConfigVersion:
    """The version of this number. Raises NotFound."""
    found = session.get(ConfigVersion, number)
    if found is None:
        raise NotFound("version", str(number))
    return found


def listing(session: Session, file: str, *, offset: int = 0, limit: int = 50) -> list[ConfigVersion]:
    """Those of a file, the newest first."""
    wanted = select(ConfigVersion).where(ConfigVersion.file == file[:255]).order_by(ConfigVersion.id.desc())
    return list(session.scalars(wanted.offset(offset).limit(limit)))


def count(session: Session, file: str) -> int:
    """How many `listing` has on all pages."""
    return session.scalar(select(func.count(ConfigVersion.id)).where(ConfigVersion.file == file[:255])) or 0
