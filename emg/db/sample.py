"""Traffic of some weeks that never was, for trying the product out: customers, their accounts and top-ups, messages, and all that is counted from them.

`fill` writes what the programs would have written: rows of the log with their texts, one ledger row an account and hour, what the accounts were charged, the hourly
summaries. So the sums agree as they do in earnest: an account's ledger, its balance and the prices of its messages. It is the same for the same seed and time. Only a
database whose log is empty is filled, and before any gateway has worked on it: a gateway takes over what accounts were charged when it first meets them.
"""

import datetime as dt
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from emg.db import accounts, customers, summary
from emg.db.audit import Actor
from emg.db.engine import Database
from emg.db.models import Account, DirtyHour, Entry, Ledger, MessageBody, RouteLog, Status
from emg.errors import EmgError
from emg.message import Encoding
from emg.rules.account_rows import Access
from emg.rules.money import MICRO

HOUR: Final = dt.timedelta(hours=1)
STEP: Final = 5000
IDS_A_SECOND: Final = 100_000
"""As the gateway's own ids grow: those of the past are below all that it will ever give."""
SETTLED: Final = dt.timedelta(minutes=15)
"""Messages of the last minutes would still be on their way: there are none."""


class _Customer(NamedTuple):
    name: str
    number: str
    country: str
    account: str
    prepaid: bool
    share: float
    """Of all messages."""
    night: float
    """How much of its traffic does not sleep: 0 to 1."""
    texts: tuple[str, ...]


class _Network(NamedTuple):
    prefix: str
    digits: int
    code: str
    price: int
    cost: int
    share: float
    delivered: float
    """Share of its messages."""


CUSTOMERS: Final = (
    _Customer("Nordic Retail AB", "10002", "SE", "retail", False, 0.42, 0.05, ("Your parcel is at the counter. Bring your ID.", "Thank you for your order!")),
    _Customer("Blue Bank", "10003", "GB", "bluebank", False, 0.30, 0.5, ("Your code is 481 516. Tell it to nobody.", "New login from a device we do not know.")),
    _Customer("Clinic Söder", "10004", "SE", "clinic", True, 0.18, 0.0, ("Påminnelse: din tid är i morgon kl. 9:30.",)),
    _Customer("Tokyo Tours", "10005", "JP", "tokyo", True, 0.10, 0.3, ("ご予約ありがとうございます。", "Your guide waits at gate 3.")),
)  # fmt: skip
NETWORKS: Final = (
    _Network("4670", 7, "24099", 35_000, 29_000, 0.5, 0.975),
    _Network("46", 9, "240", 40_000, 31_000, 0.15, 0.95),
    _Network("44", 10, "234", 45_000, 34_000, 0.25, 0.965),
    _Network("81", 10, "440", 70_000, 58_000, 0.1, 0.93),
)
"""As the demo's price table and numbering have them."""


class NotEmpty(EmgError):
    """There is something that must not be mixed with it."""


def fill(database: Database, actor: Actor, *, weeks: int, a_day: int, seed: int, until: dt.datetime) -> int:
    """Write it; the number of messages. `a_day`: messages on an average day. Raises NotEmpty, and DatabaseError."""
    chance = random.Random(seed)
    until = until.astimezone(dt.UTC) - SETTLED
    first = summary.hour_of(until - dt.timedelta(weeks=weeks))
    with database.session() as session:
        if session.scalar(select(RouteLog.id).limit(1)) is not None:
            raise NotEmpty("the message log is not empty: sample traffic does not mix with what was")
        payers = _people(session, actor)
        rows = sorted(_messages(chance, payers, first, until, a_day), key=lambda row: row["received"])
        total = _log(session, rows)
        _books(session, actor, payers, rows, first)
    hours = sorted({summary.hour_of(row["received"]) for row in rows})
    with database.session() as session:
        session.execute(insert(DirtyHour), [{"hour": hour, "changed": 1} for hour in hours])
        for dirty in summary.dirty_hours(session):
            summary.count_hour(session, dirty)
    return total


def _people(session: Session, actor: Actor) -> dict[str, Account]:
    found = {}
    for one in CUSTOMERS:
        customers.add(session, actor, {"name": one.name, "number": one.number, "country": one.country, "vat": 2500})
        given = {
            "name": one.account,
            "customer": one.name,
            "prepaid": one.prepaid,
            "low_balance": 25 * MICRO if one.prepaid else None,
        }
        found[one.account] = accounts.add(session, actor, given, [Access("127.0.0.0/8", "*")])
    session.flush()
    return found


def _messages(
    chance: random.Random, payers: Mapping[str, Account], first: dt.datetime, until: dt.datetime, a_day: int
) -> Iterator[dict[str, Any]]:
    hour = first
    while hour < until:
        for one in CUSTOMERS:
            wanted = a_day / 24 * one.share * _rhythm(hour, one.night)
            for _ in range(_poisson(chance, wanted)):
                received = hour + HOUR * chance.random()
                if received < until:
                    yield _message(chance, one, payers[one.account], received)
        hour += HOUR


def _rhythm(hour: dt.datetime, night: float) -> float:
    """How busy an hour is, 1 on average of the day: two humps on working days, half on Saturdays and Sundays."""
    clock = hour.hour
    day = 2.2 * math.exp(-(((clock - 10) / 3) ** 2)) + 1.9 * math.exp(-(((clock - 16) / 3.5) ** 2))
    return (night + (1 - night) * day) * (0.5 if hour.weekday() >= 5 else 1.0)


def _poisson(chance: random.Random, mean: float) -> int:
    count, left = 0, mean
    while (left := left - chance.expovariate(1.0)) > 0:
        count += 1
    return count


def _message(chance: random.Random, one: _Customer, account: Account, received: dt.datetime) -> dict[str, Any]:
    home = {"SE": "46", "GB": "44", "JP": "81"}[one.country]
    near = [network for network in NETWORKS if network.prefix.startswith(home)]
    network = (
        chance.choice(near) if chance.random() < 0.8 else chance.choices(NETWORKS, [each.share for each in NETWORKS])[0]
    )
    text = chance.choice(one.texts)
    encoding = Encoding.LATIN1 if all(ord(sign) < 256 for sign in text) else Encoding.UCS2
    luck = chance.random()
    status = (
        Status.DELIVERED
        if luck < network.delivered
        else Status.FAILED
        if luck < network.delivered + 0.7 * (1 - network.delivered)
        else Status.EXPIRED
    )
    wait = chance.lognormvariate(1.2, 0.9)
    sent = received + dt.timedelta(milliseconds=chance.uniform(4, 60))
    done = sent + dt.timedelta(seconds=wait if status is not Status.EXPIRED else 600)
    refunded = network.price if status is not Status.DELIVERED and network.prefix.startswith("46") else 0
    return {
        "received": received, "account": one.account, "customer_id": account.customer_id, "connector_in": "customers", "connector_out": "operator",
        "source": one.name.split()[0], "dest": network.prefix + "".join(chance.choices("0123456789", k=network.digits)), "encoding": int(encoding),
        "octets": len(text) * (2 if encoding is Encoding.UCS2 else 1), "parts": 1, "status": status, "sent": sent, "done": min(done, received + SETTLED),
        "tries": 1, "maybe_sent": False, "remote_id": f"{chance.getrandbits(40):010x}", "error": "" if status is Status.DELIVERED else "001",
        "cause": "", "route": "table 1", "price_row": 0, "prefix": network.prefix, "network": network.code, "price": network.price - refunded,
        "refunded": refunded, "cost": network.cost, "currency": "EUR", "reference": "", "ip": "127.0.0.1", "node": 0, "text": text,
    }  # fmt: skip


def _log(session: Session, rows: list[dict[str, Any]]) -> int:
    last = 0
    for row in rows:
        last = row["id"] = max(last + 1, int(row["received"].timestamp() * IDS_A_SECOND))
    for start in range(0, len(rows), STEP):
        chunk = rows[start : start + STEP]
        session.execute(
            insert(RouteLog), [{name: value for name, value in row.items() if name != "text"} for row in chunk]
        )
        session.execute(
            insert(MessageBody),
            [
                {
                    "id": row["id"], "received": row["received"], "udh": b"", "text": row["text"], "masked": False,
                    "body": row["text"].encode("utf-16-be" if row["encoding"] == Encoding.UCS2 else "latin-1"),
                }
                for row in chunk
            ],
        )  # fmt: skip
    return len(rows)


def _books(
    session: Session, actor: Actor, payers: Mapping[str, Account], rows: list[dict[str, Any]], first: dt.datetime
) -> None:
    """Ledgers and balances: top-ups as they would have been made, and a row of traffic an hour."""
    spent: dict[str, dict[dt.datetime, tuple[int, int]]] = {name: defaultdict(lambda: (0, 0)) for name in payers}
    for row in rows:
        hours = spent[row["account"]]
        amount, messages = hours[hour := summary.hour_of(row["received"])]
        hours[hour] = amount + row["price"], messages + 1
    for name, account in payers.items():
        entries = []
        credited = balance = 0
        if account.prepaid:
            balance = credited = max(50 * MICRO, 10 * MICRO + sum(amount for amount, _ in spent[name].values()))
            entries.append(_entry(account, first, Entry.TOPUP, credited, balance, who=actor.who, why="Sample data"))
        for hour, (amount, messages) in sorted(spent[name].items()):
            balance -= amount
            entries.append(_entry(account, hour + HOUR, Entry.TRAFFIC, -amount, balance, hour=hour, messages=messages))
        if entries:
            session.execute(insert(Ledger), entries)
        session.execute(
            update(Account).where(Account.id == account.id).values(credited=credited, charged=credited - balance)
        )


def _entry(account: Account, at: dt.datetime, kind: Entry, amount: int, balance: int, **more: Any) -> dict[str, Any]:
    row = {"hour": None, "messages": 0, "who": "", "why": "", "reference": ""} | more
    return row | {
        "account_id": account.id,
        "at": at,
        "kind": kind,
        "amount": amount,
        "balance": balance,
        "currency": account.currency,
    }
