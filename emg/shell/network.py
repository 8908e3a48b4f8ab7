"""`emg network`: the numbering table of the database: which country and network a prefix belongs to."""

from typing import Final

from emg.db.networks import NETWORKS
from emg.rules.numbering import network_of, parse_networks
from emg.shell import tables
from emg.shell.common import run
from emg.shell.tables import Subject

HELPS: Final = {
    "prefix": "digits that numbers of the network begin with",
    "country": "two letters, such as SE",
    "name": "of the network",
    "mcc": "mobile country code, three digits",
    "mnc": "mobile network code, two or three digits",
}
SUBJECT: Final = Subject(
    NETWORKS, "networks", lambda _call, text, _known: parse_networks(text), lambda cells, _known: network_of(cells), HELPS,
    ("prefix", "country", "name", "mcc", "mnc"),
)  # fmt: skip
COMMANDS: Final = tables.commands(SUBJECT)


def main(argv: list[str]) -> int:
    """Run `emg network`."""
    return run("network", "Numbering: the country and network of each prefix.", COMMANDS, argv)
