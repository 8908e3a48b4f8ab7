"""The memory of where earlier parts went."""

from emg.rules.concat import RouteMemory

KEY = ("acme", "ACME", "46701", 7, 3)


def test_s49_parts_follow_the_first_one_while_it_is_remembered() -> None:
    memory = RouteMemory(60.0)
    assert memory.recall(KEY, 0.0) is None
    memory.remember(KEY, "op1", 0.0)
    assert memory.recall(KEY, 59.9) == "op1"
    assert memory.recall(KEY, 60.0) is None


def test_another_account_number_reference_or_total_is_another_message() -> None:
    memory = RouteMemory()
    memory.remember(KEY, "op1", 0.0)
    for place, value in enumerate(("other", "X", "46702", 8, 4)):
        assert memory.recall((*KEY[:place], value, *KEY[place + 1 :]), 1.0) is None  # type: ignore[arg-type]


def test_every_part_renews_the_memory_and_may_change_it() -> None:
    memory = RouteMemory(60.0)
    memory.remember(KEY, "op1", 0.0)
    memory.remember(KEY, "op2", 50.0)
    assert memory.recall(KEY, 100.0) == "op2"


def test_old_entries_leave_by_themselves() -> None:
    memory = RouteMemory(60.0)
    for number in range(100):
        memory.remember(("", "", "", number, 2), "op1", float(number))
    assert len(memory) == 60
    assert memory.forgotten == 0


def test_it_is_bounded_and_counts_what_gave_way() -> None:
    memory = RouteMemory(60.0, size=10)
    for number in range(25):
        memory.remember(("", "", "", number, 2), "op1", 0.0)
    assert (len(memory), memory.forgotten) == (10, 15)
    assert memory.recall(("", "", "", 24, 2), 0.0) == "op1"


def test_no_time_switches_it_off() -> None:
    memory = RouteMemory(0.0)
    memory.remember(KEY, "op1", 0.0)
    assert len(memory) == 0
