"""Black and white lists: what they hold, what they say, and their faults."""

import msgspec
import pytest

from emg.rules.block_rows import Entry, entry_of, format_entries, is_csv, parse_entries, parse_file
from emg.rules.blocklist import Action, AddressList, BlockListFaults, BlockLists
from emg.rules.snapshot import BlockRow

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


# -- the database's rows, and the CSV form


def test_rows_of_the_database_are_checked_as_those_of_a_file_are() -> None:
    rows = [
        BlockRow(4, False, "SOURCEADDR", "spam", "REJECT"),
        BlockRow(5, False, "DESTADDR", "4670*", "LOG"),
        BlockRow(6, True, "SOURCEADDR", "4671*", "REJECT"),
        BlockRow(7, False, "SOURCEADDR", "4*6", "REJECT"),
        BlockRow(8, False, "BODY", "46", "REJECT"),
        BlockRow(9, False, "SOURCEADDR", "46", "EAT"),
        BlockRow(10, False, "SOURCEADDR", "SPAM", "LOG"),
    ]
    lists, faults = BlockLists.of(rows)
    assert lists.find("Spam", "461").line == 4
    assert lists.find("461", "4670").line == 5
    assert lists.find("4671", "4670") is None
    assert [(fault.line, fault.field) for fault in faults] == [
        (7, "address"),
        (8, "type"),
        (9, "action"),
        (10, "address"),
    ]
    assert faults[-1].reason == "row 4 speaks for this SOURCEADDR already"


def test_entries_as_they_are_read() -> None:
    text = "Address;List;Note\n+46 70;black;\n4671*;White;asked, by mail\n"
    with pytest.raises(BlockListFaults) as caught:
        parse_entries(text + "46;grey;\n4671*;white;\n")
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [(4, "list"), (5, "address")]
    assert parse_entries(text.replace(" 70", "70")) == [
        Entry(2, False, "SOURCEADDR", "4670"), Entry(3, True, "SOURCEADDR", "4671*", note="asked, by mail"),
    ]  # fmt: skip


def test_all_faults_of_entries_are_reported_with_line_and_field() -> None:
    rows = (
        ",,,,",
        "46*7,,,,",
        "46,eat,,,",
        "46,,body,,",
        "46,log,,white,",
        "47,,,," + "x" * 256,
        "a\x07b,,,,",
        "48,,,,",
        "+48,log,,,",
    )
    with pytest.raises(BlockListFaults) as caught:
        parse_entries("address,action,field,list,note\n" + "\n".join(rows).replace(",,,,\n46*7", " ,log,,,\n46*7", 1))
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [
        (2, "address"), (3, "address"), (4, "action"), (5, "field"), (6, "action"), (7, "note"), (8, "address"), (10, "address"),
    ]  # fmt: skip


def test_files_of_one_list_are_told_from_the_csv_form() -> None:
    assert not is_csv(BLACK)
    assert is_csv("# ours\n\ufeffnote,Address\n") is is_csv("address;list\n") is True
    entries = parse_file(BLACK, white=False)
    assert [(entry.address, entry.action, entry.field) for entry in entries][2] == ("4671*", "LOG", "SOURCEADDR")
    assert [entry.white for entry in parse_file("4670*\n", white=True)] == [True]
    assert parse_entries(format_entries(entries)) == [
        msgspec.structs.replace(entry, id=line) for line, entry in enumerate(entries, 2)
    ]


def test_an_entry_by_its_columns() -> None:
    assert entry_of({"address": " Spam ", "action": "log"}) == Entry(0, False, "SOURCEADDR", "spam", "LOG")
    with pytest.raises(BlockListFaults, match=r"^colour: no such column"):
        entry_of({"colour": "red", "address": "46"})
