"""Who gives way when a connector has all the connections that it may have."""

from types import SimpleNamespace

import pytest

from emg.connectors.smpp.incoming import IncomingConnector
from tests.engines import SmallEngine


@pytest.fixture
def connector(tmp_path):
    small = SmallEngine(tmp_path)
    yield IncomingConnector(small.engine, small.engine.ports["customers"])
    small.close()


def stand(connector, *sessions):
    """Sessions from these addresses, the oldest first, bound where the address begins with `=`; gives a list of those that are closed."""
    closed = []
    for number, ip in enumerate(sessions):
        connector._sessions[f"customers#{number}"] = SimpleNamespace(
            ip=ip.lstrip("="), account="acme" if ip.startswith("=") else "", driver=SimpleNamespace(open=True),
            close=lambda _reason, number=number: closed.append(number),
        )  # fmt: skip
    return closed


def test_the_oldest_that_is_not_bound(connector):
    closed = stand(connector, "=1.1.1.1", "2.2.2.2", "3.3.3.3")
    assert connector._make_room()
    assert closed == [1]


def test_a_flood_pushes_out_its_own(connector):
    """A customer whose password is still being compared has waited longest, and stays."""
    closed = stand(connector, "1.1.1.1", "6.6.6.6", "2.2.2.2", "6.6.6.6", "6.6.6.6")
    assert connector._make_room()
    assert closed == [1]


def test_nobody_who_is_bound(connector):
    closed = stand(connector, "=1.1.1.1", "=1.1.1.1")
    assert not connector._make_room()
    assert closed == []
