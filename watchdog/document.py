"""supervisord's configurations that stand in the repository: examples, and the place where a change of the table is seen. `make docs` writes them.

`python -m watchdog.document appliance|demo` prints config/supervisord.conf or config/demo/supervisord.conf; a test compares both with the table.
"""

import sys
from pathlib import Path
from typing import Final

from emg.config.load import load_text
from emg.config.model import ServerConfig
from watchdog.render import Place, demo_place, render

ROOT: Final = Path(__file__).parents[1]
CHECKOUT: Final = "/home/me/emg"
"""Where somebody may have cloned the repository."""
MANY: Final = 1 << 20
DATABASE: Final = "mysql+pymysql://127.0.0.1/emg"


def appliance() -> str:
    """As on a server whose server.cfg says no more than where the database is."""
    place = Place(emg=("/opt/emg/bin/emg",), config="/etc/emg/server.cfg", user="emg", most_files=MANY)
    return render(ServerConfig(database=DATABASE), place)


def demo() -> str:
    """As `make run` makes it in var/."""
    file = f"{CHECKOUT}/var/server.cfg"
    config = load_text(
        (ROOT / "config" / "demo" / "server.cfg").read_text(encoding="utf-8"), file=file, folder=f"{CHECKOUT}/var"
    )
    return render(config, demo_place(emg=(f"{CHECKOUT}/.venv/bin/emg",), config=file, most_files=MANY))


DOCUMENTS: Final = {"appliance": appliance, "demo": demo}


def main(argv: list[str]) -> int:
    """Print the one that is named."""
    print(DOCUMENTS[argv[0]](), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
