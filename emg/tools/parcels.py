"""What a simulated operator has to bring to its customers, and keeps until they have it: reports and mobile-originated messages.

A `Mailbox` belongs to one system_id. It hands its parcels to the sessions bound to receive, in turn and within each one's window.
What is answered with an error, not answered, or cut off comes back and is sent again: a parcel leaves only by a positive answer.
Its length is bounded by its owner (`Behaviour.backlog`, `--mo` only while somebody is bound).
"""

from collections import deque
from typing import Any, Protocol

from emg.tools.receipts import Dialect
from emg.wire.smpp.names import ESM_UDHI, Tag
from emg.wire.smpp.pdus import DataSm, DeliverSm, SubmitMulti

BATCH = 16
"""So many reports leave over one session before the next one's turn: few of them are not worth a segment each."""
_TEXT_SHOWN = 20
_NO_KIND = DeliverSm()
_UCS2 = 8
_OF_CHARACTERS = frozenset({0, 1, 3})
"""Data codings whose text a receipt shows as it is (SMPP 3.4 §5.2.19)."""


class Parcel:
    """A report on one message, or (`MobileOriginated`) a message."""

    __slots__ = ("dest", "number", "remote_id", "state", "submit", "submitted")

    def __init__(self, number: int, remote_id: str, state: str, submit: Any, dest: str, submitted: float) -> None:
        self.number = number
        self.remote_id = remote_id
        self.state = state
        self.submit = submit
        """The message's submit_sm, submit_multi or data_sm, which holds the addresses."""
        self.dest = dest
        self.submitted = submitted

    def pdu(self, dialect: Dialect, now: float, *, by_data_sm: bool) -> DeliverSm | DataSm:
        """The PDU that brings it. `now` is seconds since 1970."""
        report_id = dialect.report_id(self.number)
        submit = self.submit
        text = self._text(dialect, report_id, now)
        parameters = dialect.parameters(report_id, self.state)
        # a submit_multi has its destinations, with their kinds, in a list
        kind = submit if type(submit) is not SubmitMulti else _NO_KIND
        pdu: DeliverSm | DataSm
        if by_data_sm:
            pdu = DataSm(tlvs=(*parameters, (int(Tag.MESSAGE_PAYLOAD), text)) if text else parameters)
        else:
            pdu = DeliverSm(short_message=text, tlvs=parameters)
        pdu.source_addr = self.dest
        pdu.source_addr_ton = kind.dest_addr_ton
        pdu.source_addr_npi = kind.dest_addr_npi
        pdu.destination_addr = submit.source_addr
        pdu.dest_addr_ton = submit.source_addr_ton
        pdu.dest_addr_npi = submit.source_addr_npi
        pdu.esm_class = dialect.esm_class
        pdu.data_coding = dialect.data_coding
        return pdu

    def _text(self, dialect: Dialect, report_id: str, now: float) -> bytes:
        submit = self.submit
        shown = ""
        if type(submit) is not DataSm and not submit.esm_class & ESM_UDHI:
            if submit.data_coding in _OF_CHARACTERS:
                shown = submit.short_message[:_TEXT_SHOWN].decode("latin-1")
            elif submit.data_coding == _UCS2:
                shown = submit.short_message[: 2 * _TEXT_SHOWN].decode("utf-16-be", "replace")
        return dialect.receipt(report_id, self.state, self.submitted, now, shown)


class MobileOriginated(Parcel):
    """A message from a telephone; `submit` is the deliver_sm itself."""

    __slots__ = ()

    def pdu(self, dialect: Dialect, now: float, *, by_data_sm: bool) -> DeliverSm:
        """The message, as often as it is asked for."""
        message: DeliverSm = self.submit
        return message


class Carrier(Protocol):
    """A session that can take parcels to the customer."""

    def room(self) -> int:
        """How many more it takes now."""

    def carry(self, parcel: Parcel, now: float) -> None:
        """Send one."""


class Mailbox:
    """The parcels for one system_id."""

    __slots__ = ("carriers", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Parcel] = deque()
        self.carriers: list[Carrier] = []

    def add(self, carrier: Carrier) -> None:
        """A session was bound to receive."""
        self.carriers.append(carrier)

    def remove(self, carrier: Carrier) -> None:
        """It is gone."""
        if carrier in self.carriers:
            self.carriers.remove(carrier)

    def give_back(self, parcels: list[Parcel]) -> None:
        """They were not delivered: next in turn, in their old order."""
        self.waiting.extendleft(reversed(parcels))

    def pump(self, now: float) -> None:
        """Hand out as many as the windows take: to each session in turn its share, but no fewer than `BATCH` at once."""
        waiting, carriers = self.waiting, self.carriers
        share = max(BATCH, -(-len(waiting) // max(len(carriers), 1)))
        idle = 0
        while waiting and idle < len(carriers):
            carrier = carriers.pop(0)
            carriers.append(carrier)
            count = min(carrier.room(), share, len(waiting))
            idle = 0 if count > 0 else idle + 1
            for _ in range(count):
                carrier.carry(waiting.popleft(), now)
