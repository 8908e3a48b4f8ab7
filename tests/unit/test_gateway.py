"""What the gateway says of itself."""

from emg.gateway import NAMED, in_words


def test_a_reload_is_told_in_words() -> None:
    told = {
        "connectors_added": ["op1", "op2"],
        "connectors_removed": [],
        "users_changed": ["acme"],
        "after_restart": [],
    }
    assert in_words(told) == "connectors added op1, op2; users changed acme"


def test_a_reload_without_a_change_is_no_line() -> None:
    assert in_words({"connectors_added": [], "general": []}) == ""


def test_a_reload_of_many_accounts_is_no_long_line() -> None:
    names = [f"a{number}" for number in range(NAMED + 3)]
    assert in_words({"users_added": names}).endswith(f"a{NAMED - 1} and 3 more")
