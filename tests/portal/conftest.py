"""A portal over a database of its own, people of every role, and two customers who must not see each other.

`ann` is the owner, `erik` an engineer, `fia` finance; `alice` (administrator) and `alf` (user) are of the customer Acme, `charlie` (administrator) and `chris` (user) of Charlie Ltd.
Each is a `Visitor` that is logged in. Tests of pages run on SQLite; those that ask for `both` run on MariaDB too.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from emg.config import hashes
from emg.config.load import load
from emg.db import accounts, customers, people
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Role
from portal.app import create_app
from tests.portal_visitor import Visitor

HOUSE = Actor("shell:test")
PASSWORD = "a password for tests"
HASH = hashes.make(PASSWORD.encode())
PEOPLE = {
    "ann": (Role.OWNER, None),
    "erik": (Role.ENGINEER, None),
    "fia": (Role.FINANCE, None),
    "alice": (Role.CUSTOMER_ADMIN, "Acme"),
    "alf": (Role.CUSTOMER_USER, "Acme"),
    "charlie": (Role.CUSTOMER_ADMIN, "Charlie Ltd"),
    "chris": (Role.CUSTOMER_USER, "Charlie Ltd"),
}
CONFIG = """\
SERVERNAME=emgtest
CONTROL={folder}/emg.sock
SPOOLDIR={folder}/spool
LOGDIR={folder}/log
DATABASE={url}
CONNECTOR customers <
PROTOCOL=SMPP
TYPE=INCOMING
ADDRESS=127.0.0.1:2775
>
CONNECTOR operator <
PROTOCOL=SMPP
TYPE=OUTGOING
ADDRESS=127.0.0.1:2776
USERNAME=emg
PASSWORD=not-to-be-seen
>
"""


def fill(database: Database) -> None:
    """People, customers and their accounts."""
    with database.session() as session:
        for customer in ("Acme", "Charlie Ltd"):
            customers.add(session, HOUSE, {"name": customer})
        for account, customer in (("acme", "Acme"), ("acme2", "Acme"), ("charlie", "Charlie Ltd"), ("house", None)):
            accounts.add(session, HOUSE, {"name": account, **({"customer": customer} if customer else {})})
        for name, (role, customer) in PEOPLE.items():
            given = {
                "name": name,
                "full_name": name.title(),
                "role": role.value,
                "customer": customer,
                "email": f"{name}@example.com",
            }
            people.add(session, HOUSE, given, HASH)


@pytest.fixture(scope="session")
def filled_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the schema and `fill`, to be copied."""
    file = tmp_path_factory.mktemp("portal") / "filled.db"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    fill(database)
    database.close()
    return file


@pytest.fixture
def portal_database(filled_template: Path, tmp_path: Path) -> Iterator[Database]:
    """What the portal under test works with, filled."""
    shutil.copyfile(filled_template, tmp_path / "emg.db")
    made = Database(f"sqlite:///{tmp_path / 'emg.db'}")
    yield made
    made.close()


@pytest.fixture
def config_text() -> str:
    """The configuration file; a test module may have its own. `{folder}` and `{url}` are filled in."""
    return CONFIG


@pytest.fixture
def app(portal_database: Database, config_text: str, tmp_path: Path) -> Flask:
    """The portal."""
    file = tmp_path / "server.cfg"
    url = portal_database.url.render_as_string(hide_password=False)
    file.write_text(config_text.format(folder=tmp_path, url=url), encoding="utf-8")
    file.chmod(0o600)
    return create_app(load(str(file)), portal_database, b"0" * 32)


@pytest.fixture
def visitor(app: Flask) -> Callable[[str], Visitor]:
    """Somebody of `PEOPLE`, logged in; the empty name: nobody."""
    made: dict[str, Visitor] = {}

    def of(name: str) -> Visitor:
        if name not in made:
            made[name] = Visitor(app)
            if name:
                made[name].log_in(name, PASSWORD)
        return made[name]

    return of


def _person(name: str) -> Callable[..., Visitor]:
    def person(visitor: Callable[[str], Visitor]) -> Visitor:
        return visitor(name)

    person.__doc__ = f"{name.title()}, logged in."
    return pytest.fixture(person, name=name)


ann, erik, fia, alice, alf, charlie, chris = (_person(name) for name in PEOPLE)
