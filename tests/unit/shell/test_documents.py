"""docs/accounts.md names every command and every column, and none that there is not."""

import re
from pathlib import Path

from emg.rules.account_rows import READ
from emg.shell import account, customer, key, setting, user

TEXT = (Path(__file__).parents[3] / "docs/accounts.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_column_of_the_csv_is_described_in_its_order() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("Accounts as CSV"), re.MULTILINE) == list(READ)


def test_every_command_is_described() -> None:
    told = set(
        re.findall(r"`([a-z]+)\b", " ".join(re.findall(r"^\| (`.*?) \|", section("`emg account`"), re.MULTILINE)))
    )
    assert told == set(account.COMMANDS)
    for commands, title in (
        (customer.COMMANDS, "`emg customer`"), (user.COMMANDS, "`emg user`"), (key.COMMANDS, "`emg key`"), (setting.COMMANDS, "`emg setting`"),
    ):  # fmt: skip
        assert set(commands) <= set(re.findall(r"`([a-z]+)\b", section(title)))
