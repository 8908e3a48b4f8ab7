"""The secret that signs the portal's cookies and forms: in a file of SPOOLDIR that its owner alone can read, made at the first start.

Whoever has it could forge forms, not logins: those are random tokens. When it is lost, everybody logs in once more.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from emg.errors import EmgError

NAME: Final = "portal.key"
OCTETS: Final = 32


def read(folder: Path) -> bytes:
    """The secret of this SPOOLDIR; made when there is none. Raises EmgError."""
    path = folder / NAME
    try:
        try:
            kept = path.read_bytes()
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = secrets.token_bytes(OCTETS)
            draft = folder / f"{NAME}.{os.getpid()}"
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(kept)
                file.flush()
                os.fsync(handle)
            draft.rename(path)
    except OSError as error:
        raise EmgError(f"the portal's secret {path}: {error.strerror or error}") from error
    if len(kept) != OCTETS:
        raise EmgError(f"the portal's secret {path} must have {OCTETS} octets; delete it to have another made")
    return kept
