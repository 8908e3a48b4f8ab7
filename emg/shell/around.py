"""What stands around the connectors of the tables, as a command sees it."""

import os
from pathlib import Path

from emg.db.connectors import Around
from emg.shell.common import Call


def around(call: Call) -> Around:
    """The configuration file's sections, its folder, and this shell's environment."""
    folder = os.environ.get("EMGDIR") or str(Path(call.config.file).resolve().parent)
    return Around(call.config, folder)
