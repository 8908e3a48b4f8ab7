"""The longest prefix: agreement with a slow plain reading, and what stands at one prefix or above it."""

from hypothesis import given
from hypothesis import strategies as st

from emg.rules.longest import Longest

# Few digits, so that many prefixes begin with each other.
PREFIXES = st.sets(st.text("012", max_size=7), max_size=60)


@given(PREFIXES, st.lists(st.text("0123", max_size=9), max_size=30))
def test_it_finds_what_a_plain_reading_finds(prefixes: set[str], dests: list[str]) -> None:
    """An entry is found by its place, though it be false."""
    numbers = {prefix: number for number, prefix in enumerate(prefixes)}
    table = Longest(numbers)
    for dest in (*dests, *prefixes):
        fitting = [prefix for prefix in prefixes if dest.startswith(prefix)]
        expected = numbers[max(fitting, key=len)] if fitting else None
        assert table.find(dest) == expected
        assert table.at(dest) == numbers.get(dest)


@given(PREFIXES)
def test_the_next_shorter_one_is_that_which_would_decide_without_this_one(prefixes: set[str]) -> None:
    table = Longest({prefix: prefix for prefix in prefixes})
    for prefix in prefixes:
        assert table.shorter(prefix) == Longest({other: other for other in prefixes - {prefix}}).find(prefix)


def test_nothing_is_found_in_an_empty_table() -> None:
    assert Longest({}).find("46701234567") is None
    assert Longest({}).at("") is None


def test_the_empty_prefix_fits_all() -> None:
    assert Longest({"": "any"}).find("") == "any"
    assert Longest({"": "any", "46": "sweden"}).find("47") == "any"
