"""What is put into the wheel comes out when it is due, in order, never early."""

from hypothesis import given
from hypothesis import strategies as st

from emg.tools.wheel import TICK, Wheel


def test_nothing_comes_out_early_and_nothing_stays_a_bucket_too_long():
    wheel = Wheel()
    wheel.put(10.005, "report")
    assert wheel.take(10.0049) == []
    assert wheel.take(10.005 + TICK + 1e-9) == ["report"]
    assert len(wheel) == 0
    assert wheel.next_due() is None


def test_things_of_one_moment_keep_their_order():
    wheel = Wheel()
    for number in range(5):
        wheel.put(1.0, number)
    wheel.put(0.5, "first")
    assert wheel.take(2.0) == ["first", 0, 1, 2, 3, 4]


@given(st.lists(st.floats(0, 1e6), max_size=30), st.floats(0, 1e6))
def test_taken_and_kept_are_everything(dues, now):
    wheel = Wheel()
    for due in dues:
        wheel.put(due, due)
    taken = wheel.take(now)
    assert all(due <= now for due in taken)
    assert sorted(taken + wheel.take_all()) == sorted(dues)


def test_the_next_due_time_is_when_take_gives_something():
    wheel = Wheel()
    wheel.put(3.333, "a")
    due = wheel.next_due()
    assert due is not None
    assert due >= 3.333
    assert wheel.take(due + 1e-9) == ["a"]
