"""A day of an operator at the shell: accounts, money and passwords, while the gateway runs. On both databases."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emg.wire.smpp.names import Status
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, incoming, message, outgoing
from tests.shells import Run, with_config

LIMIT = 2.0
"""Seconds in which a change has reached the gateway."""


class House:
    """A gateway, its operator, and a shell."""

    def __init__(self, folder: Path, url: str) -> None:
        self.operator = Smsc()
        text = f"DATABASE={url}\n{incoming()}{outgoing('operator', self.operator.address)}"
        self.gateway = GatewayProcess(folder, text, start=False)
        self.run: Run | None = None

    def shell(self, *argv: str, stdin: str = "") -> Any:
        """What `emg …` prints as JSON."""
        assert self.run is not None
        done = self.run(*argv, "--json", stdin=stdin)
        assert done.code == 0, done.err
        return done.json

    def balance(self, name: str) -> tuple[str, str]:
        row = self.shell("account", "show", name)
        return row["balance"], row["balance_from"]

    def bind(self, name: str, password: str) -> Esme:
        return Esme.bound(self.gateway.port(), name, password)

    def close(self) -> None:
        self.gateway.close()
        self.operator.close()


@pytest.fixture
def house(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    made = House(tmp_path, database_url)
    made.run = with_config(made.gateway.config_file, capsys, monkeypatch)
    yield made
    made.close()


def send(client: Esme) -> int:
    return int(client.request(message()).status)


def test_money_locks_and_passwords_given_at_the_shell_hold_in_the_running_gateway(house: House) -> None:
    house.shell("route", "import", "-", stdin="prefix,connector_out\n46,operator\n")
    house.shell("price", "import", "-", stdin="prefix,price,currency\n46,0.01,EUR\n")
    add = ("--password-stdin", "--access", "127.0.0.0/8@customers")
    house.shell("account", "add", "acme", *add, "--prepaid", "--balance", "0.02", stdin="secret")
    house.shell("account", "add", "other", *add, stdin="secret")
    assert house.balance("acme") == ("0.02", "database")
    house.gateway.start()

    other, acme = house.bind("other", "secret"), house.bind("acme", "secret")
    assert [send(acme) for _ in range(3)][:2] == [Status.ROK, Status.ROK]
    refused = send(acme)
    assert refused != Status.ROK
    assert house.balance("acme") == ("0.00", "gateway")

    house.shell("account", "topup", "acme", "0.01", "--why", "paid")
    assert house.balance("acme") == ("0.01", "gateway"), "the command returns when the gateway knows"
    assert [send(acme), send(acme)] == [Status.ROK, refused]
    house.shell("account", "correct", "acme", "0.01", "--why", "typed wrong")
    assert send(acme) == Status.ROK

    house.shell("account", "lock", "acme")
    began = time.monotonic()
    acme.expect_closed(LIMIT)
    assert time.monotonic() - began < LIMIT
    assert send(other) == Status.ROK, "nobody else notices"
    house.shell("account", "unlock", "acme")
    house.shell("account", "password", "acme", "--password-stdin", stdin="another")
    with Esme(house.gateway.port()) as client:
        assert client.bind("acme", "secret").status != Status.ROK
    with house.bind("acme", "another") as acme:
        assert send(acme) == refused

    kept = house.shell("account", "delete", "acme", "--yes")["kept_as"]
    with Esme(house.gateway.port()) as client:
        assert client.bind("acme", "another").status != Status.ROK
    assert [row["amount"] for row in house.shell("account", "ledger", kept) if row["kind"] != "traffic"] == [
        "0.01",
        "0.01",
        "0.02",
    ]
    eventually(lambda: send(other) == Status.ROK)
    other.close()
