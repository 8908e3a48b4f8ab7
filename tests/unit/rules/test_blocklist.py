"""Black and white lists: what they hold, what they say, and their faults."""

import pytest

from emg.rules.blocklist import Action, AddressList, BlockListFaults, BlockLists

BLACK = """\
# sender, destination
+4670123\tREJECT
Spam\tREJECT
4671*\tLOG\tSOURCEADDR
0046900*\treject\tdestaddr
46900555\tLOG\tDESTADDR

"""


def action(source: str, dest: str, black: str = BLACK, white: str = "") -> Action | None:
    lists = BlockLists(AddressList.parse(black), AddressList.parse(white, white=True) if white else None)
    row = lists.find(source, dest)
    return row.action if row is not None else None


@pytest.mark.parametrize(
    ("source", "dest", "said"),
    [
        ("4670123", "461", Action.REJECT),
        ("46701234", "461", None),
        ("461", "4670123", None),
        ("SPAM", "461", Action.REJECT),
        ("Spammer", "461", None),
        ("4671999", "461", Action.LOG),
        ("461", "46900", Action.REJECT),
        ("461", "46900123", Action.REJECT),
        ("461", "46900555", Action.LOG),
        ("4671999", "46900123", Action.REJECT),
        ("", "461", None),
    ],
)
def test_what_is_said_of_a_message(source: str, dest: str, said: Action | None) -> None:
    assert action(source, dest) is said


def test_the_longest_prefix_counts_and_a_star_is_everything() -> None:
    black = "*\tREJECT\n46*\tLOG\n4670*\tREJECT\n"
    assert [action(source, "1", black) for source in ("1", "461", "4670", "467")] == [
        Action.REJECT, Action.LOG, Action.REJECT, Action.LOG,
    ]  # fmt: skip


def test_the_white_list_lets_through_whatever_the_black_one_says() -> None:
    white = "4670*\n46900777\tDESTADDR\n"
    assert action("4670123", "461", white=white) is None
    assert action("Spam", "46900777", white=white) is None
    assert action("Spam", "46900778", white=white) is Action.REJECT


def test_every_fault_is_told_with_its_line() -> None:
    with pytest.raises(BlockListFaults) as caught:
        AddressList.parse(
            "46 REJECT\n4*6\tREJECT\n46\tDROP\n\tLOG\n46\tLOG\tSENDER\n47\tLOG\n+47\tREJECT\n48\tLOG\tDESTADDR\tx\n"
        )
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [
        (1, "action"), (2, "address"), (3, "action"), (4, "address"), (5, "type"), (7, "address"), (8, ""),
    ]  # fmt: skip


def test_a_white_list_has_no_actions() -> None:
    with pytest.raises(BlockListFaults, match="neither SOURCEADDR nor DESTADDR"):
        AddressList.parse("46\tREJECT\n", white=True)
