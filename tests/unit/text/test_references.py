"""References of long messages."""

import sys

import pytest

from emg.text.references import References


def numbers():
    return [f"4670{i:07d}" for i in range(2000)]


@pytest.mark.parametrize("wide", [False, True])
def test_s45_long_messages_to_one_number_never_share_a_reference_with_the_one_before(wide):
    references = References(seed=7)
    bound = 0x10000 if wide else 0x100
    last = references.next("46701234567", wide=wide)
    for _ in range(bound + 10):  # round the wrap
        reference = references.next("46701234567", wide=wide)
        assert 0 <= reference < bound
        assert reference != last
        last = reference


def test_s45_all_256_references_are_used_before_one_comes_back():
    references = References()
    assert len({references.next("46701234567") for _ in range(256)}) == 256


def test_s45_traffic_to_other_numbers_in_between_does_not_bring_the_same_reference():
    references = References()
    last = {number: references.next(number) for number in numbers()}
    for _ in range(5):
        for number in numbers():
            reference = references.next(number)
            assert reference != last[number]
            last[number] = reference


def test_memory_does_not_grow_with_the_numbers_seen():
    references = References()
    before = sys.getsizeof(references._counters)
    for number in numbers():
        references.next(number)
    assert sys.getsizeof(references._counters) == before
    assert before < 64 * 1024


def test_a_restart_with_another_seed_starts_elsewhere():
    first, second = References(seed=1_700_000_000), References(seed=1_700_000_001)
    assert all(first.next(number) != second.next(number) for number in numbers())


def test_any_address_has_a_reference():
    references = References(counters=1)
    assert [references.next(address) for address in ("", "Åsa", "\ud800")] == [1, 2, 3]
