"""What an account, a customer, an access row and a web user may hold: one table of rules, whatever way a row comes."""

from typing import Any

import pytest

from emg.config import hashes
from emg.config.keywords import table
from emg.config.model import UserConfig
from emg.rules import account_rows, people_rows, rows
from emg.rules.account_rows import ACCOUNT, CUSTOMER, Access
from emg.rules.people_rows import WEB_USER
from emg.rules.rows import Fields, Known, RowFaults

KNOWN = Known(connectors=("operator1", "customers"), customers=("Acme Ltd",))
HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21l$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"


def faults_of(fields: Fields, **given: str) -> dict[str, str]:
    needed = {name: "x" for name, field in fields.items() if field.needed and name != "role"}
    if "role" in fields:
        needed["role"] = "owner"
    with pytest.raises(RowFaults) as caught:
        rows.read(fields, needed | given, KNOWN, whole=True)
    return {fault.field: fault.reason for fault in caught.value.faults}


def test_an_account_of_which_nothing_but_the_name_is_given_has_the_defaults_of_its_table() -> None:
    values = rows.read(ACCOUNT, {"name": "acme"}, KNOWN, whole=True)
    assert values.pop("name") == "acme"
    assert values == {name: field.default for name, field in ACCOUNT.items() if name != "name"}


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("name", "acme.test@example-1", "acme.test@example-1"),
        ("customer", "Acme Ltd", "Acme Ltd"),
        ("prepaid", "yes", True),
        ("credit_limit", "10.5", 10_500_000),
        ("credit_limit", "", None),
        ("low_balance", "-3", -3_000_000),
        ("currency", "sek", "SEK"),
        ("throughput", "0.5", 0.5),
        ("throughput", "1000000", 1e6),
        ("windowsize", "auto", 0),
        ("windowsize", "", None),
        ("operations", "query,submit", "SUBMIT,QUERY"),
        ("force_sourceaddr", "ACME", "ACME"),
        ("sourceaddr", "ACME, 4670*", "ACME,4670*"),
        ("route", "operator1", "operator1"),
        ("perpartdlr", "no", False),
        ("perpartdlr", "", None),
        ("content", "MASKED", "masked"),
        ("note", "zwei\r\nZeilen € 🙂", "zwei\nZeilen € 🙂"),
        ("password_hash", HASH, HASH),
    ],
)
def test_a_text_becomes_the_value_of_the_table_and_reads_back(field: str, text: str, value: Any) -> None:
    given = {"name": "acme", field: text}
    values = rows.read(ACCOUNT, given, KNOWN, whole=False)
    assert values[field] == value
    assert rows.read(ACCOUNT, rows.write(ACCOUNT, values), KNOWN, whole=False) == values
    assert rows.check(ACCOUNT, rows.read(ACCOUNT, given, KNOWN, whole=True), KNOWN) == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""), ("name", "acme~1"), ("name", "a b"), ("name", "-acme"), ("name", "a:b"), ("name", "ä"), ("name", "a" * 65),
        ("customer", "Nobody Ltd"), ("password_hash", "secret"), ("password_hash", "$argon2id$half"), ("locked", "perhaps"),
        ("credit_limit", "-1"), ("credit_limit", "nan"), ("credit_limit", "inf"), ("credit_limit", "1e3"), ("credit_limit", "1.0000001"),
        ("credit_limit", "999999999999999999"), ("low_balance", "1,5"), ("currency", "Euro"), ("currency", "E1R"),
        ("sessions", "-1"), ("sessions", "10001"), ("sessions", "1.5"), ("sessions", "٣"), ("throughput", "nan"), ("throughput", "-0.1"),
        ("throughput", "1e3"), ("throughput", "inf"), ("throughput", "1000001"), ("windowsize", "0"), ("windowsize", "1001"),
        ("maxqueuesize", "-1"), ("maxqueuesize", "2147483648"), ("daily_limit", "2147483648"), ("maxparts", "0"), ("maxparts", "256"), ("operations", "FLY"),
        ("operations", "SUBMIT,,QUERY"), ("force_sourceaddr", "a name that is far too long"), ("sourceaddr", "a b"), ("route", "operator9"),
        ("routedlr", "operator9"), ("perpartdlr", "2"), ("content", "half"), ("note", "\x00"), ("note", "x" * 2001), ("note", "\ud800"),
    ],
)  # fmt: skip
def test_what_no_account_may_hold_is_refused_with_its_field(field: str, text: str) -> None:
    assert list(faults_of(ACCOUNT, **{field: text})) == [field]


def test_all_faults_come_at_once() -> None:
    assert list(faults_of(ACCOUNT, sessions="-1", throughput="nan", flavour="x")) == [
        "flavour",
        "sessions",
        "throughput",
    ]


def test_a_fault_does_not_repeat_a_hash() -> None:
    assert "$argon2id$half" not in str(faults_of(ACCOUNT, password_hash="$argon2id$half"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("throughput", float("nan")), ("throughput", float("inf")), ("throughput", -1.0), ("sessions", -1), ("credit_limit", -1),
        ("credit_limit", 2**62), ("windowsize", 5000), ("operations", "SUBMIT,FLY"), ("route", "operator9"), ("name", "acme~7"),
        ("name", None), ("content", "half"), ("maxparts", 0),
    ],
)  # fmt: skip
def test_the_same_rules_hold_for_a_row_that_a_hand_has_put_into_the_database(field: str, value: Any) -> None:
    whole = rows.read(ACCOUNT, {"name": "acme"}, KNOWN, whole=True)
    assert [fault.field for fault in rows.check(ACCOUNT, whole | {field: value}, KNOWN)] == [field]


def test_fields_that_a_user_section_has_too_are_of_the_very_same_kind() -> None:
    names = {"DAILYLIMIT": "daily_limit", "LOGCONTENT": "content"}
    elsewhere = {"PASSWORD", "ACCESS", "CONNECTOR", "DISABLED"}
    another_form = {"WINDOWSIZE", "OPERATIONS", "SOURCEADDR", "LOGCONTENT", "MAXQUEUESIZE"}
    for keyword in table(UserConfig).values():
        if keyword.name not in elsewhere:
            field = ACCOUNT[names.get(keyword.name, keyword.attribute)]
            assert field.about == keyword.about
            assert field.kind is keyword.kind or keyword.name in another_form


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("127.0.0.0/8", [("127.0.0.0/8", "*")]),
        ("192.0.2.7@customers, 2001:db8::/32", [("192.0.2.7/32", "customers"), ("2001:db8::/32", "*")]),
        ("*", [("0.0.0.0/0", "*"), ("::/0", "*")]),
        ("*@customers", [("0.0.0.0/0", "customers"), ("::/0", "customers")]),
        ("10.0.0.1 10.0.0.1/32@*", [("10.0.0.1/32", "*")]),
    ],
)
def test_access_rows(text: str, pairs: list[tuple[str, str]]) -> None:
    found = account_rows.access(text, KNOWN)
    assert found == [Access(*pair) for pair in pairs]
    assert account_rows.access(" ".join(map(str, found)), KNOWN) == found


def test_faulty_access_rows_are_named() -> None:
    with pytest.raises(RowFaults) as caught:
        account_rows.access("10.0.0.1/8 300.1.1.1 10.0.0.1@nowhere *@", KNOWN)
    assert [fault.reason.partition(":")[0] for fault in caught.value.faults] == [
        "10.0.0.1/8",
        "300.1.1.1",
        "10.0.0.1@nowhere",
    ]


def test_passwords_of_accounts_are_ascii() -> None:
    assert account_rows.password("p4ss word") == b"p4ss word"
    for text in ("", "pässword", "a\tb", "x" * 257, HASH):
        with pytest.raises(RowFaults) as caught:
            account_rows.password(text)
        assert not text or text not in str(caught.value)


def test_what_is_probably_not_meant_is_remarked() -> None:
    values = rows.read(
        ACCOUNT,
        {"name": "a" * 16, "prepaid": "yes", "credit_limit": "1", "force_sourceaddr": "A", "sourceaddr": "B"},
        KNOWN,
        whole=True,
    )
    assert len(account_rows.remarks(values)) == 3


def test_accounts_as_csv_read_back() -> None:
    first = rows.read(ACCOUNT, {"name": "acme", "note": 'a "b",\nc', "password_hash": HASH}, KNOWN, whole=True)
    second = rows.read(ACCOUNT, {"name": "other", "customer": "Acme Ltd", "windowsize": "auto"}, KNOWN, whole=True)
    text = account_rows.format_accounts([(first, [Access("10.0.0.0/8", "customers")]), (second, [])])
    lines = account_rows.parse(text, KNOWN)
    assert [dict(line.values) for line in lines] == [
        first,
        {name: value for name, value in second.items() if name != "password_hash"},
    ]
    assert [line.access for line in lines] == [[Access("10.0.0.0/8", "customers")], []]


def test_a_csv_says_nothing_of_columns_that_it_does_not_have() -> None:
    (line,) = account_rows.parse("name;sessions;balance\nacme;;12.50\n", KNOWN)
    assert line.values == {"name": "acme", "sessions": 10}
    assert (line.access, line.balance) == (None, 12_500_000)


def test_a_csv_shows_all_its_faults_with_their_lines() -> None:
    text = "name,sessions,access,balance\nacme,-1,10.0.0.1/8,-3\nother,4,,\nacme,4,,\n,4,,\n"
    with pytest.raises(RowFaults) as caught:
        account_rows.parse(text, KNOWN)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == [
        (2, "sessions"),
        (2, "access"),
        (2, "balance"),
        (4, "name"),
        (5, "name"),
    ]


@pytest.mark.parametrize("text", ["", "sessions\n4\n", "name,password\nacme,secret\n", "name,name\na,b\n"])
def test_a_csv_whose_header_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(RowFaults) as caught:
        account_rows.parse(text, KNOWN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""), ("name", "x" * 129), ("name", "a\nb"), ("country", "Sweden"), ("country", "1E"), ("email", "no address"),
        ("email", "a@b.example\r\nBcc: c@d.example"), ("currency", "kr"), ("vat", "101"), ("vat", "-1"), ("vat", "12.345"), ("vat", "nan"),
        ("payment_days", "366"), ("number", "x" * 33), ("daily_report", "often"),
    ],
)  # fmt: skip
def test_what_no_customer_may_hold_is_refused_with_its_field(field: str, text: str) -> None:
    assert list(faults_of(CUSTOMER, **{field: text})) == [field]


def test_a_customer_reads_back() -> None:
    given = {
        "name": "Åkes Bläck AB",
        "country": "se",
        "vat": "25",
        "email": "a@b.example,c@d.example",
        "address": "Gata 1\nStad",
    }
    values = rows.read(CUSTOMER, given, KNOWN, whole=True)
    assert (values["vat"], values["country"]) == (2500, "SE")
    assert rows.read(CUSTOMER, rows.write(CUSTOMER, values), KNOWN, whole=True) == values
    assert [rows.text(CUSTOMER["vat"], hundredths) for hundredths in (0, 2500, 650, 1, 1000)] == [
        "0", "25", "6.5", "0.01", "10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", "a b"),
        ("name", "a~b"),
        ("email", "a@b, c@d"),
        ("role", "king"),
        ("account", "a~1"),
        ("customer", "Nobody"),
    ],
)
def test_what_no_web_user_may_hold_is_refused_with_its_field(field: str, text: str) -> None:
    assert list(faults_of(WEB_USER, **{field: text})) == [field]


@pytest.mark.parametrize(
    ("role", "customer", "sound"),
    [
        ("owner", "", True),
        ("owner", "Acme Ltd", False),
        ("customer_user", "", False),
        ("customer_admin", "Acme Ltd", True),
    ],
)
def test_people_of_a_customer_have_one_and_people_of_the_house_have_none(role: str, customer: str, sound: bool) -> None:
    values = rows.read(WEB_USER, {"name": "ann", "role": role, "customer": customer}, KNOWN, whole=True)
    assert [fault.field for fault in people_rows.contradictions(values)] == ([] if sound else ["customer"])


def test_passwords_of_people_have_a_length() -> None:
    assert people_rows.password("zehn Zeichen ü").decode() == "zehn Zeichen ü"
    for text in ("too short", "x" * 257, "with a\ttabulator"):
        with pytest.raises(RowFaults):
            people_rows.password(text)


def test_the_hash_of_these_tests_is_sound() -> None:
    assert hashes.is_sound(HASH)
