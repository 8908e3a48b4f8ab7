"""Uploads between preview and import: files in a private folder of SPOOLDIR, each its uploader's alone, gone after an hour.

What is imported is what was looked at: the form names the draft by a random token, and the rows come from the file here.
"""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec
from flask import abort
from flask_login import current_user

from portal import house

SECONDS: Final = 3600
MOST: Final = 20
"""Of all people; the oldest go first."""
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")


class Draft(msgspec.Struct, frozen=True):
    """An upload, and what it would do."""

    who: str
    subject: str
    name: str
    """Of the uploaded file."""
    merge: bool
    revision: int
    """Of the table, when it was looked at."""
    counts: dict[str, int]
    differences: list[tuple[dict[str, str] | None, dict[str, str] | None]]
    """The first ones: the row as it is, and as it would be."""
    nobodys: list[str]
    """Accounts that are named and not there."""
    text: str


def _folder() -> Path:
    folder = Path(house.config().spooldir) / "portal" / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def keep(draft: Draft) -> str:
    """Its token."""
    folder = _folder()
    _sweep(folder)
    token = secrets.token_hex(16)
    handle = os.open(folder / token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.msgpack.encode(draft))
    return token


def get(token: str, subject: str) -> Draft:
    """One of this person's; 404 for any other."""
    path = _folder() / token
    if _TOKEN.fullmatch(token) and path.is_file() and path.stat().st_mtime > time.time() - SECONDS:
        draft = msgspec.msgpack.decode(path.read_bytes(), type=Draft)
        if draft.who == current_user.name and draft.subject == subject:
            return draft
    return abort(404, "This upload is gone: uploads are kept for an hour. Upload the file again.")


def drop(token: str) -> None:
    """It was imported, or is not wanted."""
    if _TOKEN.fullmatch(token):
        (_folder() / token).unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    old = time.time() - SECONDS
    for place, path in enumerate(files):
        if path.stat().st_mtime < old or place <= len(files) - MOST:
            path.unlink(missing_ok=True)
