"""What messages cost their senders: prices looked up, balances reserved and given back.

The gateway is the one writer of what an account was *charged*: it stands in memory, and in the spool's table `balance`, written by the very commit that
keeps the message or its end. People's top-ups come with the tables of the database (`configure`). So a balance never goes below its bound however many
sessions send at once, with the database down too, and after a crash it is what the kept messages say. The recorder mirrors it from the events.

A price is looked up when the message is accepted, by the connector that it will leave by, and reserved as a whole; nothing happens to it when it is sent;
when it ends without success it is given back as the price's row says (`emg.rules.billing.refund`). Messages of accounts in the configuration file are
priced for the log, and charged to nobody. What comes in from operators is not priced.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emg.engine.port import Port
from emg.errors import Cause, Rejected
from emg.message import Charge, Message
from emg.rules import money
from emg.rules.billing import Billing
from emg.spool.spool import Spool
from emg.text.errors import TextError
from emg.text.split import SHORT, count_parts

if TYPE_CHECKING:
    from emg.rules.numbering import Numbering
    from emg.rules.prices import PriceExplanation, PriceRow, PriceTable

WHOLE = 134
"""Octets of a part beside the header that numbers it."""

MOST_CHARGED = 4 * 10**18
"""Micro-units, over all years: what 64 bits hold, in the spool and in the database, with room for a message more."""


class Purse:
    """An account's balance. Made once for an account id, and kept: the spool refers to it."""

    __slots__ = ("charged", "credited", "currency", "id", "lowest", "name", "unsure")

    def __init__(self, number: int, charged: int) -> None:
        self.id = number
        self.charged = charged
        self.name = ""
        self.currency = ""
        self.credited = 0
        self.lowest: int | None = None
        self.unsure = 0
        """Of what was given back, what is not kept yet: it may have to be taken back, and nobody may have spent it then."""

    def configure(self, name: str, billing: Billing) -> None:
        """Take what people have changed."""
        self.name = name
        self.currency = billing.currency
        self.credited = billing.credited
        self.lowest = billing.lowest

    @property
    def balance(self) -> int:
        """Micro-units."""
        return self.credited - self.charged

    def seal(self) -> tuple[int, int]:
        """What the commit that is about to start keeps."""
        return self.id, self.charged


class Charging:
    """See the module's text."""

    def __init__(self, spool: Spool, charged: Mapping[int, int]) -> None:
        self.prices: PriceTable | None = None
        self.numbering: Numbering | None = None
        self.by_account: dict[str, Purse] = {}
        self._spool = spool
        self._by_id = {number: Purse(number, amount) for number, amount in charged.items()}

    def configure(self, billing: Mapping[str, Billing]) -> None:
        """Take the accounts as they are now; balances go on where they stand."""
        self.by_account = {}
        for name, facts in billing.items():
            purse = self._by_id.get(facts.id)
            if purse is None:
                purse = self._by_id[facts.id] = Purse(facts.id, facts.charged)
            purse.configure(name, facts)
            self.by_account[name] = purse

    def reserve(self, message: Message, parts: Sequence[Message] | None, origin: Port, port: Port) -> "PriceRow | None":
        """Price a message and take that from its sender's balance. Raises Rejected: no price, or not enough left.

        Sets `charge` of the message, or of its `parts` where we split it. None: nothing is priced here.
        """
        prices = self.prices
        if prices is None or not prices.size or not origin.incoming:
            return None
        purse = self.by_account.get(message.account)
        currency = purse.currency if purse is not None else ""
        row = prices.lookup(message.dest, message.account, origin.name, port.name, currency, message.accepted)
        if row is None:
            if purse is None:
                return None
            raise Rejected(Cause.NO_PRICE, f"no price in {currency} for {message.dest} by {port.name}")
        payer = purse.id if purse is not None else 0
        if parts is None:
            count = _parts_of(message)
            price = row.price * count
            message.charge = Charge(payer, price, row.refund, count, row.cost * count)
            self.take(price, purse)
            return row
        self.take(row.price * len(parts), purse)
        single = Charge(payer, row.price, row.refund, 1, row.cost)
        for part in parts:
            part.charge = single
        return row

    def take(self, price: int, purse: Purse | None) -> None:
        """Reserve an amount. Raises Rejected when there is not enough left."""
        if purse is None or not price:
            return
        charged = purse.charged + price
        if charged > MOST_CHARGED:
            raise Rejected(Cause.NO_CREDIT, f"account {purse.name} was charged all that this program counts with")
        if purse.lowest is not None and purse.credited - charged - purse.unsure < purse.lowest:
            raise Rejected(
                Cause.NO_CREDIT,
                f"account {purse.name} has {money.show(purse.balance)} {purse.currency} left of a bound of"
                f" {money.show(purse.lowest)}; this message costs {money.show(price)}",
            )
        purse.charged = charged
        self._spool.balance(purse)

    def give_back(self, payer: int, amount: int) -> None:
        """Add to an account's balance: a refund, or a reservation whose message could not be kept."""
        purse = self._by_id.get(payer)
        if purse is not None and amount:
            purse.charged -= amount
            self._spool.balance(purse)

    def give_back_unsurely(self, payer: int, amount: int) -> None:
        """The same with a commit that may fail: nobody can spend it before `sure` says what became of that."""
        self.give_back(payer, amount)
        purse = self._by_id.get(payer)
        if purse is not None:
            purse.unsure += amount

    def sure(self, payer: int, amount: int, *, kept: bool) -> None:
        """The end of `give_back_unsurely`: it was kept, or is undone."""
        purse = self._by_id.get(payer)
        if purse is not None:
            purse.unsure -= amount
            if not kept:
                self.give_back(payer, -amount)

    def move(self, message: Message, port: Port) -> int:
        """What a message that is priced, or a part of one, costs more by this connector than by the one before; 0 where that is not known."""
        charge, row = message.charge, self.row(message, port.name)
        if charge is None or row is None:
            return 0
        cost = row.cost * charge.parts
        message.charge = Charge(charge.payer, charge.price, charge.refund, charge.parts, cost)
        return cost - charge.cost

    def row(self, message: Message, connector_out: str) -> "PriceRow | None":
        """What a message that is priced would be priced by as the table is now, had it come when it came."""
        if not self.prices or message.charge is None:
            return None
        return self.prices.lookup(
            message.dest, message.account, message.connector, connector_out, self.currency(message), message.accepted
        )

    def currency(self, message: Message) -> str:
        """Of what the payer of a message pays in; empty where it has none."""
        purse = self._by_id.get(message.charge.payer) if message.charge is not None else None
        return purse.currency if purse is not None else ""

    def explain(self, dest: str, account: str, connector_in: str, port: Port, now: float) -> "PriceExplanation | None":
        """Why a part of a message costs what it costs; None where nothing is priced."""
        if not self.prices:
            return None
        purse = self.by_account.get(account)
        return self.prices.explain(
            dest, account, connector_in, port.name, purse.currency if purse is not None else "", now
        )

    def network(self, dest: str) -> str:
        """MCC and MNC of a number; empty where the numbering table knows none."""
        row = self.numbering.lookup(dest) if self.numbering is not None else None
        return row.mcc + row.mnc if row is not None else ""


def share(charge: Charge, parts: Sequence[Message]) -> None:
    """Give each of the parts its share of what their message was priced at, and costs; the first has what can't be divided."""
    each, rest = divmod(charge.price, len(parts))
    each_cost, rest_cost = divmod(charge.cost, len(parts))
    for part in parts:
        part.charge = Charge(charge.payer, each + rest, charge.refund, 1, each_cost + rest_cost)
        rest = rest_cost = 0


def _parts_of(message: Message) -> int:
    """How many short messages a message is that we do not split ourselves."""
    if len(message.body) + len(message.udh) <= SHORT:
        return 1
    try:
        return count_parts(message.body, message.encoding, message.udh)
    except TextError:  # it passes as it is: what no alphabet can read is counted by its octets
        return -(-len(message.body) // WHOLE)
