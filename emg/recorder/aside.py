"""What the log could not take: `LOGDIR/recorder-refused.jsonl`, one JSON object a line, for a person to look at.

A line is on disk before the position moves past what it tells of. So nothing is ever dropped without one; after a crash in between a line may stand
there twice, with the same `spool` and `row`.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

from emg.errors import EmgError

FILE = "recorder-refused.jsonl"


class Aside:
    """See the module's text."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / FILE

    def keep(self, told: list[dict[str, Any]]) -> None:
        """Append and flush. Raises EmgError when that is not possible: then nothing may be dropped."""
        if not told:
            return
        lines = "".join(json.dumps(each, default=_plain) + "\n" for each in told)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.write(handle, lines.encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise EmgError(f"{self.path} cannot be written: {error.strerror}") from error


def _plain(value: Any) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else repr(value)
