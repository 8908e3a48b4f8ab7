"""Every page of the portal in a real browser: nothing on the console, nothing that axe-core finds serious, nothing wider than a phone; and its picture, wide and narrow, light and dark."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import SIZES, Person, Site

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LOOKS = [("wide", "light"), ("narrow", "dark"), ("wide", "dark"), ("narrow", "light")]
OWNER = (
    "/", "/connectors", "/connectors/operator", "/connectors/new", "/queues", "/routes", "/routes/test", "/prices", "/customers", "/customers/new", "/accounts",
    "/accounts/acme", "/accounts/new", "/messages", "/server", "/server/logs", "/server/configuration", "/server/settings", "/server/licences",
    "/people", "/people/audit", "/me", "/reports", "/reports?by=account", "/invoices", "/api/v1", "/customers/keys", "/accounts/retail", "/customers/Acme",
    "/routes/history", "/routes/import", "/prices/import", "/messages/exports", "/connectors/customers/sheet", "/connectors/operator/log", "/queues/operator",
    "/server/about", "/send", "/send/batches",
)  # fmt: skip
"""What the owner opens; a customer's people see theirs besides."""
CUSTOMER = ("/", "/accounts", "/messages", "/me")


def look_at(person: Person, path: str, name: str, size: str) -> list[str]:
    """Go there, take the picture; what is wrong with the page."""
    page = person.go(path)
    page.wait_for_load_state("networkidle")
    person.picture(name)
    faults = [f"{path}: {fault}" for fault in person.accessibility()]
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    if wide > SIZES[size][0]:
        faults.append(f"{path} is {wide} wide on a screen of {SIZES[size][0]}")
    return faults


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("size", "scheme"), LOOKS, ids=["-".join(look) for look in LOOKS])
def test_the_owner_opens_every_page(site: Site, person: Callable[..., Person], size: str, scheme: str) -> None:
    stranger = person("", size, scheme)
    faults = look_at(stranger, "/login", f"login-{size}-{scheme}", size)
    ann = person("ann", size, scheme)
    for path in OWNER:
        faults += look_at(ann, path, f"{path.strip('/') or 'dashboard'}-{size}-{scheme}", size)
    assert not faults, "\n".join(faults)


@pytest.mark.timeout(120)
def test_a_customer_opens_what_is_his(site: Site, person: Callable[..., Any]) -> None:
    alice = person("alice", "narrow", "light")
    faults: list[str] = []
    for path in CUSTOMER:
        faults += look_at(alice, path, f"customer-{path.strip('/') or 'dashboard'}-narrow-light", "narrow")
    assert not faults, "\n".join(faults)
