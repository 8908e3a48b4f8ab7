"""Turns alone: what they promise to each account, against the plainest queue there is."""

import heapq
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from emg.engine.turns import FEW, QUANTUM, Turns
from emg.message import TURN_BITS

RANK = 3


class Plain:
    """A queue of (order, number, account): what `Lane` makes of turns, without its head and its disk."""

    def __init__(self):
        self.turns = Turns()
        self.heap = []
        self.count = 0

    def add(self, account, count=1, rank=RANK):
        """Gives the number of the last one."""
        for _ in range(count):
            self.count += 1
            order = rank << TURN_BITS | self.turns.take(rank, account)
            heapq.heappush(self.heap, (order, self.count, account))
        return self.count

    def leave(self, count=1):
        left = []
        for _ in range(min(count, len(self.heap))):
            entry = heapq.heappop(self.heap)
            self.turns.left(entry[0])
            left.append(entry)
        return left


def place_of(left, number):
    """How many left before this one."""
    return [entry[1] for entry in left].index(number)


def test_a_single_message_waits_for_at_most_a_quantum_of_each_account():
    for gone in range(3 * QUANTUM):
        queue = Plain()
        queue.add("bulk", 10_000)
        queue.leave(gone)
        single = queue.add("single")
        assert place_of(queue.leave(10_000), single) <= QUANTUM


def test_a_single_message_waits_for_a_quantum_of_each_of_many():
    queue = Plain()
    for number in range(20):
        queue.add(f"bulk{number}", 500)
    queue.leave(1234)
    single = queue.add("single")
    assert place_of(queue.leave(10_000), single) <= 20 * QUANTUM


def test_accounts_share_a_queue_evenly_while_they_wait():
    queue = Plain()
    queue.add("early", 1000)
    queue.leave(500)
    queue.add("late", 1000)
    shares = Counter(account for _, _, account in queue.leave(800))
    assert abs(shares["early"] - shares["late"]) <= 2 * QUANTUM


def test_who_was_idle_saves_nothing_up():
    queue = Plain()
    queue.add("idle", 1)
    queue.add("busy", 5000)
    queue.leave(4000)
    queue.add("idle", 1000)
    shares = Counter(account for _, _, account in queue.leave(400))
    assert shares["busy"] >= 200 - QUANTUM


def test_what_comes_back_goes_before_nobody_elses_turn():
    """Ten thousand retries of one account come back at once, from turns long gone by."""
    queue = Plain()
    queue.add("bulk", 10_000)
    retries = queue.leave(9_000)
    for order, number, account in retries:
        turn = queue.turns.again(RANK, account, order & (1 << TURN_BITS) - 1)
        heapq.heappush(queue.heap, (RANK << TURN_BITS | turn, number, account))
    single = queue.add("single")
    left = queue.leave(20_000)
    assert place_of(left, single) <= 2 * QUANTUM, "a quantum of new ones and one of those that come back"
    old = 9_000 - QUANTUM  # the last ones are of the present turn still
    assert [number for _, number, _ in left if number <= old] == list(range(1, old + 1))


def test_one_that_comes_back_soon_keeps_its_turn():
    queue = Plain()
    queue.add("bulk", 100)
    order = queue.leave(1)[0][0]
    turn = order & (1 << TURN_BITS) - 1
    assert queue.turns.again(RANK, "bulk", turn) == turn


def test_accounts_are_forgotten_when_they_are_through():
    queue = Plain()
    for number in range(10_000):
        queue.add(f"account{number}", 3)
        queue.leave(3)
        queue.add("always", QUANTUM)
        queue.leave(QUANTUM)
    assert queue.turns.remembered <= FEW + 2


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abcd"), st.integers(1, 40), st.sampled_from([RANK, RANK, 0])),
            st.tuples(st.just("leave"), st.just(""), st.integers(1, 60), st.just(0)),
        ),
        max_size=40,
    )
)
def test_the_order_of_an_account_is_never_changed(steps):
    """Whatever comes and goes: of one account and priority, who came first leaves first, and nobody waits for more than the others' quanta."""
    queue = Plain()
    left, ahead = [], {}
    for verb, account, count, rank in steps:
        if verb == "leave":
            left += queue.leave(count)
            continue
        if not any(entry[2] == account and entry[0] >> TURN_BITS == rank for entry in queue.heap):
            ahead[queue.count + 1] = (len(left), rank, len({e[2] for e in queue.heap if e[0] >> TURN_BITS == rank}))
        queue.add(account, count, rank)
    left += queue.leave(len(queue.heap))
    last = defaultdict(int)
    for order, number, account in left:
        key = (account, order >> TURN_BITS)
        assert number > last[key]
        last[key] = number
    for number, (before, rank, others) in ahead.items():
        passed = [
            entry for entry in left[before : before + place_of(left[before:], number)] if entry[0] >> TURN_BITS == rank
        ]
        fresh = len({entry[2] for entry in passed} - {""})
        assert len(passed) <= QUANTUM * max(others, fresh)


@given(st.data())
def test_nobody_overtakes_himself_over_a_restart(data):
    """What stands on disk is known by its turns alone at first, and by account when it was read."""
    queue = Plain()
    for account in data.draw(st.lists(st.sampled_from("abc"), max_size=8)):
        queue.add(account, data.draw(st.integers(1, 50)))
        queue.leave(data.draw(st.integers(0, 30)))
    again = Plain()
    again.heap, again.count = queue.heap, queue.count
    standing = sorted(queue.heap)
    cut = data.draw(st.integers(0, len(standing)))
    mask = (1 << TURN_BITS) - 1
    for order, _, account in standing[:cut]:
        again.turns.stood(RANK, account, order & mask, in_flight=data.draw(st.booleans()))
    found = {}
    for order, _, account in standing[cut:]:
        found[account] = order & mask
    if found:
        again.turns.on_disk(RANK, standing[cut][0] & mask, standing[-1][0] & mask)
    left = []
    learnt = not found
    for account in data.draw(st.lists(st.sampled_from("abcd"), max_size=8)):
        again.add(account, data.draw(st.integers(1, 20)))
        left += again.leave(data.draw(st.integers(0, 20)))
        if not learnt and data.draw(st.booleans()):
            again.turns.learn({RANK: found})
            learnt = True
    left += again.leave(len(again.heap))
    last = defaultdict(int)
    for _, number, account in left:
        assert number > last[account]
        last[account] = number
