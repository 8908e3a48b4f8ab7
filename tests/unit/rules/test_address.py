"""Addresses: one form inside, and the rewriting that a connector's settings ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.config.connector import ConnectorConfig
from emg.errors import Cause, Rejected
from emg.rules.address import Addressing, normal_dest, normal_source


def connector(**settings: object) -> Addressing:
    return Addressing(ConnectorConfig(name="op", **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_", "normal"),
    [
        (("46701234567", 1, 1), ("46701234567", 1, 1)),
        (("+46701234567", 0, 0), ("46701234567", 1, 1)),
        (("+46701234567", 1, 8), ("46701234567", 1, 8)),
        (("0046701234567", 0, 0), ("46701234567", 1, 1)),
        (("0046701234567", 1, 1), ("46701234567", 1, 1)),
        (("+0046701234567", 2, 1), ("46701234567", 1, 1)),
        (("0046701234567", 2, 1), ("0046701234567", 2, 1)),
        (("0701234567", 2, 1), ("0701234567", 2, 1)),
        (("+46 (70) 123-45.67", 0, 0), ("46701234567", 1, 1)),
        ((" 46701234567", 0, 0), ("46701234567", 0, 0)),
        (("72345", 3, 0), ("72345", 3, 0)),
        (("00123", 3, 0), ("00123", 3, 0)),
        (("00123", 0, 0), ("00123", 0, 0)),
        (("1" * 20, 1, 1), ("1" * 20, 1, 1)),
    ],
)
def test_s51_numbers_have_one_form_on_both_sides(given_: tuple[str, int, int], normal: tuple[str, int, int]) -> None:
    assert normal_source(*given_) == normal
    assert normal_dest(*given_) == normal


@pytest.mark.parametrize(
    ("given_", "normal"),
    [
        (("ACME", 5, 0), ("ACME", 5, 0)),
        (("ACME", 5, 1), ("ACME", 5, 0)),
        (("Acme Sweden", 5, 0), ("Acme Sweden", 5, 0)),
        (("Åhléns_&Co.", 5, 0), ("Åhléns_&Co.", 5, 0)),
        (("Acme", 0, 0), ("Acme", 5, 0)),
        (("12345", 5, 0), ("12345", 5, 0)),
        (("46701234567", 5, 0), ("46701234567", 5, 0)),
        (("447012345678", 5, 0), ("447012345678", 0, 0)),
        (("+46701234567", 5, 0), ("46701234567", 1, 1)),
        (("{abcdefgh}", 5, 0), None),
        (("{abcdefg}", 5, 0), ("{abcdefg}", 5, 0)),
        (("", 0, 0), ("", 0, 0)),
        (("", 5, 1), ("", 0, 0)),
        (("\0 ", 1, 1), ("", 0, 0)),
        (("twelve chars", 5, 0), None),
        (("Acme", 1, 1), None),
        (("Acme`", 5, 0), None),
        (("Ac\nme", 5, 0), None),
        (("日本", 5, 0), None),
        (("٣٤٥", 1, 1), None),
        (("1" * 21, 1, 1), None),
        (("1" * 21, 5, 0), None),
        (("+", 1, 1), None),
    ],
)
def test_s51_senders(given_: tuple[str, int, int], normal: tuple[str, int, int] | None) -> None:
    if normal is not None:
        assert normal_source(*given_) == normal
        return
    with pytest.raises(Rejected) as raised:
        normal_source(*given_)
    assert raised.value.cause is Cause.BAD_SOURCE


@pytest.mark.parametrize("address", ["", " ", "+", "Acme", "4670x", "1" * 21, "٣٤٥", "00", "46;70", "++46701234567"])
def test_s51_destinations_that_are_no_number_are_refused(address: str) -> None:
    if address == "00":
        assert normal_dest(address, 0, 0) == ("00", 0, 0)
        return
    for ton in (0, 1, 5):
        with pytest.raises(Rejected) as raised:
            normal_dest(address, ton, 0)
        assert raised.value.cause is Cause.BAD_DESTINATION


def test_a_destination_of_digits_is_a_number_even_with_the_ton_of_a_name() -> None:
    assert normal_dest("46701234567", 5, 0) == ("46701234567", 0, 0)


@given(st.text("+0046 -7aÅ{", max_size=22) | st.text(max_size=22), st.integers(0, 6), st.integers(0, 2))
def test_normalising_twice_changes_nothing(address: str, ton: int, npi: int) -> None:
    for normalise in (normal_source, normal_dest):
        try:
            once = normalise(address, ton, npi)
        except Rejected:
            continue
        assert normalise(*once) == once
        assert len(once[0]) <= 20


def test_nothing_set_is_the_identity() -> None:
    assert connector().is_identity
    assert connector(removeplus=True).is_identity
    assert connector(removeprefix="+,00").is_identity
    for settings in (
        {"force_sourceaddrton": 0},
        {"default_destaddrnpi": 1},
        {"removeprefix": "46"},
        {"requireprefix_sourceaddr": "46"},
        {"default_sourceaddr": "ACME"},
    ):
        assert not connector(**settings).is_identity


def test_defaults_fill_what_was_not_given() -> None:
    rules = connector(
        default_sourceaddr="+46700",
        default_sourceaddrton=2,
        default_sourceaddrnpi=8,
        default_destaddrton=1,
        default_destaddrnpi=1,
    )
    assert rules.source("", 0, 0) == ("46700", 1, 1)
    assert rules.source("4680", 0, 0) == ("4680", 2, 8)
    assert rules.source("4680", 3, 9) == ("4680", 3, 9)
    assert rules.source("Acme", 0, 0) == ("Acme", 5, 0)
    assert rules.dest("4680", 0, 0) == ("4680", 1, 1)
    assert rules.dest("4680", 3, 8) == ("4680", 3, 8)


def test_forced_values_replace_what_was_given() -> None:
    rules = connector(force_sourceaddr="ACME", force_destaddrton=2, force_destaddrnpi=0)
    assert rules.source("46701234567", 1, 1) == ("ACME", 5, 0)
    assert rules.dest("46701234567", 1, 1) == ("46701234567", 2, 0)
    assert connector(force_sourceaddrton=1, force_sourceaddrnpi=1).source("Acme", 5, 0) == ("Acme", 1, 1)


def test_a_forced_ton_of_names_lets_names_in_whatever_ton_they_came_with() -> None:
    rules = connector(force_sourceaddrton=5)
    assert rules.source("Acme", 1, 1) == ("Acme", 5, 0)
    assert rules.source("447012345678", 1, 1)[1] == 5


def test_prefixes_are_replaced_then_removed_then_required() -> None:
    rules = connector(replaceprefix="07/467,0/46", removeprefix="46,+4670", requireprefix="+")
    assert rules.dest("0701234567", 2, 1) == ("+1234567", 2, 1)
    assert rules.dest("081234567", 2, 1) == ("+81234567", 2, 1)
    assert rules.dest("4670", 1, 1) == ("+70", 1, 1), "a prefix that is the whole address stays, a shorter one is taken"
    assert rules.dest("46", 1, 1) == ("+46", 1, 1)
    assert connector(requireprefix="46").dest("4670", 1, 1) == ("4670", 1, 1)
    assert connector(replaceprefix="0046/0").dest("+46701234567", 0, 0) == ("0701234567", 1, 1)
    assert rules.source("0701234567", 2, 1) == ("0701234567", 2, 1)


def test_prefixes_of_the_source_leave_names_alone() -> None:
    rules = connector(removeprefix_sourceaddr="46", requireprefix_sourceaddr="+", replaceprefix_sourceaddr="A/B")
    assert rules.source("4670", 1, 1) == ("+70", 1, 1)
    assert rules.source("ACME", 5, 0) == ("ACME", 5, 0)
    assert rules.source("", 0, 0) == ("", 0, 0)


def test_a_replacement_without_a_slash_is_a_fault_with_its_keyword() -> None:
    with pytest.raises(ValueError, match="REPLACEPREFIX: '07' is not old/new"):
        connector(replaceprefix="0/46,07")


def test_a_sender_in_the_settings_that_is_none_is_a_fault_with_its_keyword() -> None:
    with pytest.raises(ValueError, match="FORCE_SOURCEADDR: "):
        connector(force_sourceaddr="much too long a name")
