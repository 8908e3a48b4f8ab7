"""What a customer, an account and an access row may hold: one table of fields each, for the shell, CSV files, the portal and the gateway. Pure.

`rows.read(ACCOUNT, …)` takes texts, `rows.check(ACCOUNT, …)` values as the database holds them. Fields that a USER section of the configuration
has too are of the very kind that its keyword is. An access row is written `NETWORK` or `NETWORK@CONNECTOR`, several with blanks or commas
between them; `*` is every address, and without a connector it is for all of them.

As CSV an account is a line with the columns `COLUMNS`, in any order; only `name` is needed. A column that is missing changes nothing of an account
that is there, an empty cell means the default, but an empty cell of `KEPT` says nothing. `balance` is the first
top-up of a new account and stays empty for one that is there; what is written has no such column.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from emg.config import hashes, kinds
from emg.config.keywords import Kind, table
from emg.config.model import UserConfig
from emg.config.values import LogContent
from emg.rules import countries, csv_rows, rows
from emg.rules.faults import Fault
from emg.rules.rows import AMOUNT, CURRENCY, LIMIT, MAILS, Field, Fields, Known, RowFaults
from emg.rules.snapshot import AccountRow

ANY: Final = "*"
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
AUTO: Final = 0
"""`windowsize` of an account: WINDOWSIZE=auto."""
NAME: Final = kinds.GROUP_NAME
"""What a login is made of; never a `~`, which marks deleted accounts."""
LARGEST_COUNT: Final = 2**31 - 1
"""What a column of the table holds."""
LONGEST_LIST: Final = 10_000
LONGEST_LOGIN: Final = 15
LONGEST_SMPP_PASSWORD: Final = 8
LONGEST_PASSWORD: Final = 256
LOGIN, BALANCE, LIMITS, MESSAGES, OTHER = "login", "balance", "limits", "messages", "other"

_USER: Final = table(UserConfig)
_PASSWORD: Final = re.compile(r"[\x20-\x7e]+")
_PERCENT: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")


def _window(given: str) -> int:
    window = kinds.WINDOW.parse(given)
    return AUTO if window == "auto" else window


def _show_window(window: int) -> str:
    return "auto" if window == AUTO else str(window)


def _hash(given: str) -> str:
    if not hashes.is_sound(given) or len(given) > 255:
        raise ValueError("must be an argon2 hash, which `emg password` makes")
    return given


def _one_or_any(given: str) -> str:
    return given if given == ANY else NAME.parse(given)


def _percent(given: str) -> int:
    found = _PERCENT.fullmatch(given)
    hundredths = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else -1
    if not 0 <= hundredths <= 10000:
        raise ValueError("must be a percentage from 0 to 100 with at most two decimals, such as 25")
    return hundredths


def _show_percent(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _user(
    name: str, default: Any = "", *, keyword: str = "", kind: Kind[Any] | None = None, group: str, refers: str = ""
) -> Field:
    """A field that is a keyword of a USER section too."""
    row = _USER[keyword or name.upper()]
    return Field(name, kind or row.kind, default, row.about, group=group, refers=refers)


def _from_user(name: str, longest: int) -> Kind[str]:
    return rows.stored(_USER[name.upper()].kind, longest)


ACCOUNT: Final[Fields] = rows.table(
    Field("name", NAME, "", "The login.", needed=True),
    Field("customer", rows.words(128), None, "Whose account it is.", refers="customers", group=LOGIN),
    Field("password_hash", Kind("hash", "an argon2 hash", _hash), "", "The password's argon2 hash.", secret=True),
    Field("locked", kinds.FLAG, False, "Nobody can log in with it."),
    Field("prepaid", kinds.FLAG, False, "It spends what is credited to it, and no more.", group=BALANCE),
    Field("credit_limit", LIMIT, None, "How far below zero an account that is not prepaid may go; nothing: no limit.", group=BALANCE),
    Field("currency", CURRENCY, "EUR", "The currency that it is charged in.", group=BALANCE),
    Field("low_balance", AMOUNT, None, "Its customer is mailed when the balance falls below.", group=BALANCE),
    _user("sessions", 10, group=LIMITS),
    _user("throughput", 0.0, group=LIMITS),
    _user("windowsize", None, kind=Kind("window", kinds.WINDOW.says, _window, _show_window), group=LIMITS),
    _user("maxqueuesize", 0, kind=kinds.whole(0, LARGEST_COUNT), group=LIMITS),
    _user("daily_limit", 0, keyword="DAILYLIMIT", group=LIMITS),
    _user("maxparts", None, group=LIMITS),
    _user("operations", kind=_from_user("operations", 255), group=LIMITS),
    _user("force_sourceaddr", group=MESSAGES),
    _user("sourceaddr", kind=_from_user("sourceaddr", LONGEST_LIST), group=MESSAGES),
    _user("route", group=MESSAGES, refers="connectors"),
    _user("routedlr", group=MESSAGES, refers="connectors"),
    _user("perpartdlr", None, group=MESSAGES),
    _user("content", "full", keyword="LOGCONTENT", kind=rows.one_of(*LogContent), group=MESSAGES),
    Field("note", rows.words(2000, lines=True), "", "For people's eyes.", group=OTHER),
)  # fmt: skip

CUSTOMER: Final[Fields] = rows.table(
    Field("name", rows.words(128), "", "The company.", needed=True),
    Field("number", rows.words(32), None, "Customer number, as on his invoices.", group=OTHER),
    Field("organisation_number", rows.words(32), "", "The company's registration number.", group=OTHER),
    Field("vat_number", rows.words(32), "", "Its VAT number, such as SE556000000001.", group=OTHER),
    Field("reference", rows.words(128), "", "What he wants to read on his invoices: an order, a person.", group=OTHER),
    Field("address", rows.words(1000, lines=True), "", "Where invoices go, in lines, without the country.", group=OTHER),
    Field("country", Kind("country", "an ISO 3166 code such as SE", countries.code), "", "The country.", group=OTHER),
    Field("email", MAILS, "", "Where invoices and daily reports go.", group=OTHER),
    Field("technical_contact", rows.words(255), "", "Whom to call when something does not work.", group=OTHER),
    Field("currency", CURRENCY, "EUR", "The currency that he is invoiced in.", group=OTHER),
    Field("vat", Kind("percentage", "a percentage such as 25", _percent, _show_percent), 0, "VAT.", group=OTHER),
    Field("payment_days", kinds.whole(0, 365), 30, "Days until an invoice is due.", group=OTHER),
    Field("daily_report", kinds.FLAG, False, "He gets a mail with yesterday's traffic.", group=OTHER),
    Field("locked", kinds.FLAG, False, "None of his accounts can log in."),
    Field("note", rows.words(2000, lines=True), "", "For people's eyes.", group=OTHER),
)  # fmt: skip

CHECKED: Final = {
    name: field for name, field in ACCOUNT.items() if name in AccountRow.__struct_fields__ and name != "customer"
}
"""What the gateway checks of an account of the table. Not its customer's name: who is told of it did not choose that."""

ACCESS_ROW: Final[Fields] = rows.table(
    Field("network", rows.stored(kinds.NETWORK, 43), "", "From where.", needed=True),
    Field("connector", Kind("connector", "a connector or *", _one_or_any), ANY, "At which.", refers="connectors"),
)

COLUMNS: Final = (*ACCOUNT, "access")
READ: Final = (*COLUMNS, "balance")
KEPT: Final = frozenset({"password_hash", "currency"})
"""Columns whose empty cells say nothing: nobody loses his password, or his currency, by a spreadsheet."""


class Access(NamedTuple):
    """From where, and at which connector (`*`: any), an account may log in."""

    network: str
    connector: str = ANY

    def __str__(self) -> str:
        return self.network if self.connector == ANY else f"{self.network}@{self.connector}"


def access(text: str, known: Known) -> list[Access]:
    """Access rows as people write them, each once. Raises RowFaults."""
    found: dict[Access, None] = {}
    faults: list[Fault] = []
    for word in text.replace(",", " ").split():
        network, _, connector = word.partition("@")
        given = {"network": network, "connector": connector}
        for one in EVERYWHERE if network == ANY else (network,):
            values, wrong = rows.values_of(ACCESS_ROW, given | {"network": one}, known, whole=True)
            if wrong:
                faults += [Fault(0, "access", f"{word}: {fault.field} {fault.reason}") for fault in wrong]
                break  # the other network of `*` has the same fault
            found[Access(**values)] = None
    if faults:
        raise RowFaults(faults)
    return list(found)


def stored_faults(row: AccountRow, known: Known) -> list[Fault]:
    """What is wrong with an account of the table, but for its access rows. With any fault the gateway does not use it."""
    return rows.check(CHECKED, msgspec.structs.asdict(row), known)


def password(text: str) -> bytes:
    """The octets of an account's password. Raises RowFaults: clients disagree about the octets of letters beyond ASCII."""
    if not _PASSWORD.fullmatch(text) or len(text) > LONGEST_PASSWORD or hashes.is_hash(text):
        reason = f"must be 1 to {LONGEST_PASSWORD} letters, digits and signs of ASCII, and no hash"
        raise rows.fault("password", reason)
    return text.encode()


def remarks(values: Mapping[str, Any]) -> list[str]:
    """What can be kept, but is probably not as meant."""
    found = []
    if len(values["name"]) > LONGEST_LOGIN:
        found.append(f"the name is longer than the {LONGEST_LOGIN} characters that SMPP allows")
    if values["prepaid"] and values["credit_limit"] is not None:
        found.append("a credit limit is of no meaning to a prepaid account")
    if values["force_sourceaddr"] and values["sourceaddr"]:
        found.append("sourceaddr is of no meaning beside force_sourceaddr")
    return found


class _Reader(csv_rows.CsvReader):
    columns = READ
    required = ("name",)


class Line(NamedTuple):
    """One account of a file: what it says, and nothing that it does not say."""

    line: int
    values: Mapping[str, Any]
    """Without what is in `KEPT` where that is empty."""
    access: list[Access] | None
    balance: int | None


def parse(text: str, known: Known) -> list[Line]:
    """Accounts of a CSV file. Raises RowFaults with every fault that can be seen in it."""
    lines, faults = examine(text, known)
    if faults:
        raise RowFaults(faults)
    return lines


def examine(text: str, known: Known) -> tuple[list[Line], list[Fault]]:
    """The lines without a fault, and the faults of all others: whoever knows more than the file can go on looking for those that he alone can find."""
    reader = _Reader()
    faults = reader.faults
    lines: list[Line] = []
    names: dict[str, int] = {}
    for line, cells in reader.lines(text):
        made, wrong = _line(line, cells, known)
        faults += wrong
        first = names.setdefault(made.values.get("name", f" {line}"), line)
        if first != line:
            faults.append(Fault(line, "name", f"this account stands in line {first} already"))
        lines.append(made)
    faulty = {fault.line for fault in faults}
    return [line for line in lines if line.line not in faulty], in_order(faults)


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """By their lines."""
    return sorted(faults, key=lambda fault: fault.line)


def _line(line: int, cells: Mapping[str, str], known: Known) -> tuple[Line, list[Fault]]:
    given = {name: cell for name, cell in cells.items() if name in ACCOUNT and (cell or name not in KEPT)}
    values, faults = rows.values_of(ACCOUNT, given, known, whole=False, line=line)
    pairs = balance = None
    if "access" in cells:
        try:
            pairs = access(cells["access"], known)
        except RowFaults as found:
            faults += [Fault(line, fault.field, fault.reason) for fault in found.faults]
    if cells.get("balance"):
        try:
            balance = LIMIT.parse(cells["balance"])
        except ValueError as reason:
            faults.append(Fault(line, "balance", str(reason)))
    return Line(line, values, pairs, balance), faults


def format_accounts(accounts: Iterable[tuple[Mapping[str, Any], Collection[Access]]]) -> str:
    """Accounts as CSV; `parse` reads it back."""
    made = (rows.write(ACCOUNT, values) | {"access": " ".join(map(str, pairs))} for values, pairs in accounts)
    return csv_rows.text_of(COLUMNS, ([texts[column] for column in COLUMNS] for texts in made))
