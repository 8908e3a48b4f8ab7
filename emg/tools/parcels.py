"""What a simulated operator has to bring to its customers, and keeps until they have it: reports and mobile-originated messages.

A `Mailbox` belongs to one system_id. It hands its parcels to the sessions bound to receive, in turn and within each one's window.
What is answered with an error, not answered, or cut off comes back and is sent again: a parcel leaves only by a positive answer.
Its length is bounded by its owner (`Behaviour.backlog`, `--mo` only while somebody is bound).
"""

from collections import deque
from typing import Any, Protocol

from emg.tools.receipts import Dialect
from emg.wire.smpp.names import Tag
from emg.wire.smpp.pdus import DataSm, DeliverSm

_TEXT_SHOWN = 20


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
        common = (self.dest, getattr(submit, "dest_addr_ton", 0), getattr(submit, "dest_addr_npi", 0))
        if by_data_sm:
            return DataSm(
                source_addr=common[0],
                source_addr_ton=common[1],
                source_addr_npi=common[2],
                destination_addr=submit.source_addr,
                dest_addr_ton=submit.source_addr_ton,
                dest_addr_npi=submit.source_addr_npi,
                esm_class=dialect.esm_class,
                data_coding=dialect.data_coding,
                tlvs=dialect.parameters(report_id, self.state) + self._payload(dialect, report_id, now),
            )
        return DeliverSm(
            source_addr=common[0],
            source_addr_ton=common[1],
            source_addr_npi=common[2],
            destination_addr=submit.source_addr,
            dest_addr_ton=submit.source_addr_ton,
            dest_addr_npi=submit.source_addr_npi,
            esm_class=dialect.esm_class,
            data_coding=dialect.data_coding,
            short_message=self._text(dialect, report_id, now),
            tlvs=dialect.parameters(report_id, self.state),
        )

    def _text(self, dialect: Dialect, report_id: str, now: float) -> bytes:
        message = getattr(self.submit, "short_message", b"")
        shown = "" if self.submit.esm_class & 0x40 else message[:_TEXT_SHOWN].decode("latin-1")
        return dialect.receipt(report_id, self.state, self.submitted, now, shown)

    def _payload(self, dialect: Dialect, report_id: str, now: float) -> tuple[tuple[int, bytes], ...]:
        text = self._text(dialect, report_id, now)
        return ((int(Tag.MESSAGE_PAYLOAD), text),) if text else ()


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
        """Hand out as many as the windows take, to each session in turn."""
        waiting, carriers = self.waiting, self.carriers
        idle = 0
        while waiting and idle < len(carriers):
            carrier = carriers.pop(0)
            carriers.append(carrier)
            if carrier.room() > 0:
                carrier.carry(waiting.popleft(), now)
                idle = 0
            else:
                idle += 1
