"""The second factor of a web user: what is kept of it, and that nothing of it counts twice. Its codes are made by `portal.second`.

Each change leaves an audit row. Raises `NotFound`.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from emg.db import changes, people
from emg.db.audit import Actor
from emg.db.keys import digest
from emg.db.models import WebUser
from emg.db.people import TABLE

_SET: Final = "***"
"""What the audit log shows of a secret."""


def set_up(session: Session, actor: Actor, name: str, secret: str, step: int, codes: Sequence[str]) -> None:
    """From now on he is asked for it. `step`: of the code that he has shown; `codes`: the recovery codes, of which the digests are kept."""
    user = people.find(session, name, lock=True)
    before = {"totp_secret": _SET if user.totp_secret else ""}
    user.totp_secret, user.totp_step, user.updated = secret, step, changes.now()
    user.recovery_codes = _digests(codes)
    changes.tell(session, actor, "second factor", TABLE, name, before, {"totp_secret": _SET, "recovery_codes": _SET})


def remove(session: Session, actor: Actor, name: str) -> bool:
    """He is not asked for one any more; False: he had none."""
    user = people.find(session, name, lock=True)
    if user.totp_secret is None:
        return False
    user.totp_secret, user.totp_step, user.recovery_codes, user.updated = None, 0, "", changes.now()
    changes.tell(session, actor, "no second factor", TABLE, name, {"totp_secret": _SET}, {"totp_secret": ""})
    return True


def renew_codes(session: Session, actor: Actor, name: str, codes: Sequence[str]) -> None:
    """Other recovery codes; the old ones are of no use any more."""
    user = people.find(session, name, lock=True)
    user.recovery_codes, user.updated = _digests(codes), changes.now()
    changes.tell(session, actor, "recovery codes", TABLE, name, None, {"recovery_codes": _SET})


def take_step(session: Session, name: str, step: int) -> bool:
    """The code of this step was shown; False: it, or a later one, was before. The row is locked: two at once are one."""
    user = people.find(session, name, lock=True)
    if step <= user.totp_step:
        return False
    user.totp_step = step
    return True


def take_recovery(session: Session, actor: Actor, name: str, code: str) -> bool:
    """This recovery code was shown; False: it is none, or was used."""
    user = people.find(session, name, lock=True)
    kept, shown = user.recovery_codes.split(), digest(code)
    if shown not in kept:
        return False
    user.recovery_codes = "\n".join(one for one in kept if one != shown)
    changes.tell(session, actor, "recovery used", TABLE, name, None, {"left": len(kept) - 1})
    return True


def left(user: WebUser) -> int:
    """Recovery codes that he has not used."""
    return len(user.recovery_codes.split())


def _digests(codes: Sequence[str]) -> str:
    """80 random bits each: as with keys, nobody guesses them however fast he hashes."""
    return "\n".join(digest(code) for code in codes)
