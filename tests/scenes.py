"""A gateway on a database, with an operator: what tests of the two together start from."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from emg.config import hashes
from emg.db import accounts, revisions
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.rules.account_rows import Access
from tests.gateways import Esme, GatewayProcess, Smsc, incoming, message, outgoing

ANN = Actor("shell:ann")
ANYWHERE = (Access("127.0.0.0/8"),)
LIMIT = 2.0
"""Seconds in which a change has reached the gateway."""


@cache
def secret() -> str:
    """The hash of `secret`."""
    return hashes.make(b"secret")


def add_account(session: Session, name: str = "acme", access: tuple[Access, ...] = ANYWHERE, **more: Any) -> None:
    """An account with the password `secret`."""
    accounts.add(session, ANN, {"name": name, "password_hash": secret(), **more}, access)


def add_route(session: Session, prefix: str, connector: str, **more: Any) -> None:
    """A row of the routing table, whatever it says."""
    values = {
        "prefix": prefix, "account": "", "connector_in": "", "connector_out": connector, "priority": 10, "weight": 1, "enabled": 1,
        **more, "updated": "2026-01-01 00:00:00",
    }  # fmt: skip
    session.execute(
        text(f"INSERT INTO route ({', '.join(values)}) VALUES ({', '.join(':' + name for name in values)})"), values
    )
    revisions.touch(session, "route")


class Scene:
    """A gateway on a database, and an operator."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.database = database
        self.operator = Smsc()
        self.clients: list[Esme] = []
        self.url = database.url.render_as_string(hide_password=False)
        self.gateway = GatewayProcess(folder, self.config(), start=False)

    def config(self, more: str = "") -> str:
        return f"DATABASE={self.url}\n{more}{incoming()}{outgoing('operator', self.operator.address)}"

    def change(self, make: Callable[[Session], Any]) -> float:
        """In one transaction, and the gateway is told; when that was."""
        with self.database.session() as session:
            make(session)
        began = time.monotonic()
        self.gateway.control("POST", "/reload")
        return began

    def subject(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(row for row in self.status()["tables"] if row["subject"] == name)
        return found

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = self.gateway.control("GET", "/status")
        return told

    def reader(self) -> dict[str, Any]:
        told: dict[str, Any] = self.status()["database"]
        return told

    def bind(self, name: str = "acme", password: str = "secret") -> Esme:
        self.clients.append(Esme.bound(self.gateway.port(), name, password))
        return self.clients[-1]

    def refused(self, name: str = "acme") -> int:
        """Status of a bind that is refused."""
        with Esme(self.gateway.port()) as client:
            return int(client.bind(name, "secret").status)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.gateway.close()
        self.operator.close()


@contextmanager
def scene_on(database: Database, folder: Path) -> Iterator[Scene]:
    """A scene with an account `acme` and a route for 46; its gateway is not started."""
    with database.session() as session:
        add_account(session)
        add_route(session, "46", "operator")
    made = Scene(folder, database)
    try:
        yield made
    finally:
        made.close()


def started(scene: Scene) -> Scene:
    """The same, its gateway up."""
    scene.gateway.start()
    return scene


def send(client: Esme, dest: str = "46701234567") -> int:
    """The status that a message gets."""
    return int(client.request(message(dest=dest)).status)
