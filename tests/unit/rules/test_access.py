"""Lists of networks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.rules.access import CACHED, EVERYBODY, Networks


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("128.0.0.1", False),
        ("10.1.2.3", True),
        ("10.1.2.4", False),
        ("::1", True),
        ("::2", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.1.2.4", False),
        ("::ffff:192.168.3.4", True),
        ("192.168.3.4", True),
        ("fe80::1%eth0", True),
        ("", False),
        ("localhost", False),
        ("10.1.2.3 ", False),
        ("010.1.2.3", False),
    ],
)
def test_addresses_and_networks_of_both_families(ip: str, allowed: bool) -> None:
    networks = Networks.parse("127.0.0.1/8, 10.1.2.3 ::1/128,::ffff:192.168.0.0/112,,fe80::/10")
    assert networks.allows(ip) is allowed
    assert networks.allows(ip) is allowed, "the kept answer is the same"


def test_a_star_is_everybody_and_an_empty_list_nobody() -> None:
    assert Networks.parse("10.0.0.0/8,*").allows("2001:db8::1")
    assert EVERYBODY.allows("anything")
    assert not Networks.parse("").allows("127.0.0.1")


def test_any_ipv4_is_not_any_ipv6() -> None:
    assert Networks.parse("0.0.0.0/0").allows("::ffff:1.2.3.4")
    assert not Networks.parse("0.0.0.0/0").allows("2001:db8::1")
    assert not Networks.parse("::/0").allows("1.2.3.4")


def test_all_faults_are_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0', 'example\.com', '1\.2\.3\.4/33'$"):
        Networks.parse("10.0.0, ::1, example.com, 1.2.3.4/33")


def test_the_kept_answers_are_bounded() -> None:
    networks = Networks.parse("10.0.0.0/8")
    for number in range(3 * CACHED):
        networks.allows(f"10.0.{number // 250}.{number % 250}")
        assert len(networks._answers) <= CACHED


@given(st.text(max_size=50))
def test_no_address_breaks_it(ip: str) -> None:
    assert Networks.parse("10.0.0.0/8").allows(ip) in (True, False)
