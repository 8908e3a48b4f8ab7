"""Routes, prices, numbering and black list given at the shell, while the gateway runs. On both databases."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emg.engine.events import Accepted
from emg.wire.smpp.names import Status
from tests.gateways import Esme, GatewayProcess, Smsc, eventually, incoming, message, outgoing

ROOT = Path(__file__).parents[2]
LIMIT = 2.0
"""Seconds in which a change has reached the gateway."""
PRICES = "prefix,account,connector_out,price,cost,currency,refund\n46,,operator,0.05,0.0375,EUR,never\n4670,acme,,0.04,0.0375,EUR,refused\n47,,,1,,SEK,\n"


class House:
    """A gateway with one account, its operator, and a shell."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.operator = Smsc()
        text = f"DATABASE={url}\n{incoming()}{outgoing('operator', self.operator.address)}"
        self.gateway = GatewayProcess(folder, text, start=False)
        self.shell(
            "account",
            "add",
            "acme",
            "--password-stdin",
            "--prepaid",
            "--balance",
            "1.00",
            "--access",
            "127.0.0.0/8",
            stdin="secret\n",
        )
        self.gateway.start()
        self.client = Esme.bound(self.gateway.port(), "acme", "secret")

    def shell(self, *argv: str, stdin: str = "", code: int = 0) -> Any:
        """What `emg …` prints as JSON."""
        command = [sys.executable, str(ROOT / "app.py"), *argv, "--json", "-c", str(self.gateway.config_file)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.stdout else None

    def send(self, dest: str) -> Any:
        return self.client.request(message(dest=dest))

    def becomes(self, dest: str, status: int) -> None:
        """A message to `dest` is answered so within the limit."""
        began = time.monotonic()
        eventually(lambda: self.send(dest).status == status)
        assert time.monotonic() - began < LIMIT

    def accepted(self, dest: str) -> Accepted:
        """The event of one more message."""
        answer = self.send(dest)
        assert answer.status == Status.ROK
        found: Accepted = self.gateway.wait_for_event(Accepted, answer.message_id)
        return found

    def close(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        self.gateway.close()
        self.operator.close()


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    made = House(tmp_path, database_url)
    yield made
    made.close()


def test_tables_changed_at_the_shell_decide_in_the_running_gateway(house: House) -> None:
    assert house.send("46123").status == Status.RINVDSTADR

    route = house.shell("route", "add", "--prefix", "4", "--connector-out", "operator")
    house.becomes("46123", Status.ROK)
    first = house.accepted("46123")
    assert (first.route, first.price, first.price_row) == (f"table {route['id']}", 0, 0)

    (house.folder / "networks.csv").write_text("prefix,country,name,mcc,mnc\n46,SE,,240,\n4670,SE,One,240,01\n")
    house.shell("network", "import", str(house.folder / "networks.csv"))
    (house.folder / "prices.csv").write_text(PRICES)
    assert house.shell("price", "import", str(house.folder / "prices.csv"))["added"] == 3
    ids = {row["prefix"]: row["id"] for row in house.shell("price", "list")["rows"]}
    eventually(lambda: house.accepted("46123").price == 50_000, LIMIT)
    priced = eventually(lambda: (event := house.accepted("46701")).network and event, LIMIT)
    assert (priced.price, priced.cost, priced.currency, priced.price_row, priced.prefix, priced.network) == (
        40_000, 37_500, "EUR", ids["4670"], "4670", "24001",
    )  # fmt: skip
    told = house.shell("price", "explain", "46701", "--account", "acme", "--connector", "customers")
    assert (told["row"]["id"], told["asked"]["connector_out"]) == (ids["4670"], "operator")
    assert house.send("47123").status != Status.ROK, "there is no price in EUR"

    (house.folder / "bad.csv").write_text("prefix,connector_out\n,operator\n46,nowhere\n")
    assert house.shell("route", "import", str(house.folder / "bad.csv"), code=1)["faults"][0]["line"] == 3
    assert house.send("46123").status == Status.ROK

    house.shell("blacklist", "add", "--address", "46123", "--field", "destaddr")
    refused = eventually(lambda: (status := house.send("46123").status) and status, LIMIT)
    assert refused != Status.ROK
    assert house.send("46701").status == Status.ROK

    house.shell("route", "delete", str(route["id"]))
    house.becomes("46701", Status.RINVDSTADR)
