"""Comparing configurations: what was added, removed, changed, and what that needs."""

from emg.config.changes import NOTHING, Changed, Changes, compare
from emg.config.load import load_text

BASE = """\
NODEID=1
CONNECTOR in <
TYPE=INCOMING
PROTOCOL=SMPP
ADDRESS=127.0.0.1:1
>
CONNECTOR out <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=h:1
USERNAME=u
PASSWORD=p
KEEPALIVE=60
>
USER joe <
PASSWORD=p
>
USER ann <
PASSWORD=p
>
"""


def changes(old: str, new: str) -> Changes:
    return compare(load_text(BASE), load_text(BASE.replace(old, new)))


def test_nothing_changed() -> None:
    assert not compare(load_text(BASE), load_text(BASE))
    assert changes("KEEPALIVE=60", "# comment\nkeepalive=1m") == NOTHING


def test_connectors_that_come_and_go() -> None:
    found = changes("CONNECTOR out <", "CONNECTOR exit <")
    assert found == Changes(connectors_added=("exit",), connectors_removed=("out",))
    assert found


def test_a_changed_connector_says_what_needs_its_sessions() -> None:
    assert changes("KEEPALIVE=60", "KEEPALIVE=30\nSTATIC").connectors_changed == (
        Changed("out", ("STATIC", "KEEPALIVE"), ()),
    )
    assert changes("USERNAME=u", "USERNAME=v\nMAXTRIES=3").connectors_changed == (
        Changed("out", ("MAXTRIES",), ("USERNAME",)),
    )


def test_users() -> None:
    assert changes("USER joe", "USER jim") == Changes(users_added=("jim",), users_removed=("joe",))
    found = changes("USER joe <\nPASSWORD=p", "USER joe <\nPASSWORD=q\nDISABLED")
    assert found == Changes(users_changed=(Changed("joe", ("PASSWORD",), ("DISABLED",)),))


def test_general_keywords_and_what_connectors_take_over_from_them() -> None:
    assert changes("NODEID=1", "NODEID=2\nDRAINTIME=1") == Changes(
        general_live=("DRAINTIME",), general_restart=("NODEID",)
    )
    found = changes("NODEID=1", "NODEID=1\nLOGPDU")
    assert found.general_live == ("LOGPDU",)
    assert found.connectors_changed == (Changed("in", ("LOGPDU",), ()), Changed("out", ("LOGPDU",), ()))
