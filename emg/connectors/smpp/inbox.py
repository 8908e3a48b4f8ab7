"""What a bound client asks of us: submit_sm and its relatives, query, cancel, replace. One `Inbox` a session.

Every request gets exactly one answer: here, after the commit, or as a refusal by `Session`. Operations that the account may not use, and 5.0's
broadcasts, get RINVCMDID; none of them ends the session (protocol case S26).
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from emg.config.model import Mode, Operation, UserConfig
from emg.connectors.smpp import cancelling, inquiries
from emg.connectors.smpp.prompt import Prompt
from emg.connectors.smpp.session import PENDING
from emg.connectors.smpp.statuses import status_of
from emg.engine.receive import Sender
from emg.errors import Cause, EmgError, Rejected, SpoolError
from emg.message import Message
from emg.wire.smpp import pdus
from emg.wire.smpp.lists import SmeAddress, UnsuccessSme
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import DataSm, Pdu, SubmitMulti, SubmitSm, SubmitSmResp

if TYPE_CHECKING:
    from emg.connectors.smpp.incoming import IncomingSession

NARROW = 1 << 32
"""Version 3.3 has room for 8 hexadecimal digits of a message id (SMPP 3.3, message_id): a client of that version is given the last ones."""
_TRANSMIT: Final = Mode.TRANSMIT  # a member of an enum costs ten times as much as a name of the module


class Inbox:
    """The requests of one client."""

    def __init__(self, session: "IncomingSession") -> None:
        self._session = session
        self._engine = session.engine
        self._port = session.port
        self._sender = Sender("", None)
        self._prompt = Prompt(session)
        self._dismissed = False
        self._particular = False
        """The account has settings that change or forbid its messages."""
        self.handlers: dict[type[Pdu], Callable[[Any, float], None]] = {
            SubmitSm: self._submit,
            DataSm: self._data,
            SubmitMulti: self._submit_multi,
            pdus.QuerySm: self._query,
            pdus.CancelSm: self._cancel,
            pdus.ReplaceSm: self._replace,
        }

    def adopt(self) -> None:
        """The session has an account now, or the account has changed."""
        user = self._session.user
        self._sender = self._engine.sender(self._session.account)
        window = user.windowsize if user is not None else None
        self._session.pending_limit = window if isinstance(window, int) else PENDING
        self._particular = user is not None and bool(
            user.force_sourceaddr or user.sourceaddr or self._per_part(user) or Operation.SUBMIT not in user.operations
        )

    def dismiss(self) -> None:
        """The account is gone, or may not be here any more: what comes before the client has heard our unbind is not taken; nobody would pay for it."""
        self._dismissed = self._particular = True

    # -- submissions

    def _submit(self, pdu: SubmitSm, _now: float) -> None:
        session = self._session
        message = session.connector.inward.message(pdu, self._port.name, session.account, session.ip, time.time())
        self._take(message, self._submitted, pdu.sequence, self._prompt.lend)

    def _data(self, pdu: DataSm, _now: float) -> None:
        self._allow(Operation.DATA)
        session = self._session
        message = session.connector.inward.data(pdu, self._port.name, session.account, session.ip, time.time())
        self._take(message, self._data_taken, pdu.sequence)

    def _take(
        self,
        message: Message,
        done: Callable[[Any, SpoolError | None], None],
        sequence: int,
        prompt: Callable[[list[int]], Callable[[], None] | None] | None = None,
    ) -> None:
        if self._port.config.mode is _TRANSMIT:
            raise Rejected(Cause.NOT_ALLOWED, f"MODE of connector {self._port.name} is TRANSMIT")
        if self._particular:
            self._apply_account(message)
        argument = [sequence, 0]
        receive = self._engine.receiver.receive
        argument[1] = receive(message, self._port, self._sender, done, argument, prompt=prompt)

    def _apply_account(self, message: Message) -> None:
        user = self._sender.user
        if user is None or self._dismissed:
            raise Rejected(Cause.NOT_ALLOWED, f"account {message.account} was changed: the session is ending")
        self._sender.apply(message)
        message.per_part = self._per_part(user)

    def _per_part(self, user: UserConfig) -> bool:
        return user.perpartdlr if user.perpartdlr is not None else self._port.config.perpartdlr

    def _submitted(self, argument: list[int], error: SpoolError | None) -> None:
        sequence, number = argument
        if self._prompt.answered(argument):
            return
        if error is None:
            self._session.respond(SubmitSmResp(sequence, 0, self.visible_id(number)))
        else:
            self._session.respond(SubmitSmResp(sequence, int(Status.RMSGQFUL)))

    def _data_taken(self, argument: list[int], error: SpoolError | None) -> None:
        sequence, number = argument
        if error is None:
            self._session.respond(pdus.DataSmResp(sequence, 0, self.visible_id(number)))
        else:
            self._session.respond(pdus.DataSmResp(sequence, int(Status.RMSGQFUL)))

    def _submit_multi(self, pdu: SubmitMulti, _now: float) -> None:
        """One message to many: each accepted or refused by itself, one answer with the id of the first (SMPP 3.4 §4.5)."""
        self._allow(Operation.MULTI)
        if not pdu.dest_address:
            self._session.refuse(pdu, int(Status.RINVNUMDESTS))
            return
        answer = _MultiAnswer(self._session, self, pdu.sequence)
        for destination in pdu.dest_address:
            if not isinstance(destination, SmeAddress):
                self._session.refuse(pdu, int(Status.RINVDLNAME))  # none is kept here
                return
        for destination in pdu.dest_address:
            if isinstance(destination, SmeAddress):
                self._submit_one(pdu, destination, answer)
        answer.all_given = True
        answer.finish()

    def _submit_one(self, pdu: SubmitMulti, destination: SmeAddress, answer: "_MultiAnswer") -> None:
        single = SubmitSm(
            pdu.sequence, 0, pdu.service_type, pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr,
            destination.ton, destination.npi, destination.address, pdu.esm_class, pdu.protocol_id, pdu.priority_flag,
            pdu.schedule_delivery_time, pdu.validity_period, pdu.registered_delivery, pdu.replace_if_present_flag,
            pdu.data_coding, pdu.sm_default_msg_id, pdu.short_message, pdu.tlvs,
        )  # fmt: skip
        session = self._session
        try:
            message = session.connector.inward.message(
                single, self._port.name, session.account, session.ip, time.time()
            )
            self._take(message, answer.taken, answer.expect(destination))
        except EmgError as error:
            cause = session.noted(pdu, error).cause
            answer.refuse(destination, status_of(cause), cause.value)

    # -- inquiries

    def visible_id(self, number: int) -> str:
        """Our id as this client knows it."""
        return f"{number % NARROW:X}" if self._session.machine.version < 0x34 else str(number)

    def number_of(self, visible_id: str) -> int:
        """The id that he means. Raises Rejected."""
        narrow = self._session.machine.version < 0x34
        try:
            number = int(visible_id, 16 if narrow else 10)
        except ValueError:
            number = -1
        if narrow and number >= 0:
            newest = self._session.engine.spool.decided - 1
            number = newest - (newest - number) % NARROW  # the latest that ends in these digits
        if number <= 0 or number >= 1 << 63:
            raise Rejected(Cause.BAD_MESSAGE_ID, f"{visible_id!r} is not an id of ours")
        return number

    def _allow(self, operation: Operation) -> None:
        user = self._sender.user
        if user is not None and operation not in user.operations:
            raise Rejected(Cause.UNSUPPORTED, f"account {user.name} may not use {operation.name}")

    def _query(self, pdu: pdus.QuerySm, _now: float) -> None:
        self._allow(Operation.QUERY)
        inquiries.query(self._session, pdu, self.number_of(pdu.message_id))

    def _cancel(self, pdu: pdus.CancelSm, _now: float) -> None:
        self._allow(Operation.CANCEL)
        number = self.number_of(pdu.message_id) if pdu.message_id else 0
        cancelling.cancel(self._session, pdu, number)

    def _replace(self, pdu: pdus.ReplaceSm, _now: float) -> None:
        self._allow(Operation.REPLACE)
        inquiries.replace(self._session, pdu, self.number_of(pdu.message_id))


class _MultiAnswer:
    """Collects what becomes of the destinations of one submit_multi; answers when all are decided."""

    __slots__ = ("_first", "_inbox", "_last", "_open", "_reason", "_refused", "_sequence", "_session", "all_given")

    def __init__(self, session: "IncomingSession", inbox: Inbox, sequence: int) -> None:
        self._session = session
        self._inbox = inbox
        self._sequence = sequence
        self._first = 0
        self._last = 0
        self._open: dict[int, SmeAddress] = {}
        self._refused: list[UnsuccessSme] = []
        self._reason = ""
        """Why the first that was refused at once was, in words."""
        self.all_given = False

    def expect(self, destination: SmeAddress) -> int:
        """A number under which `taken` will be told of this destination."""
        self._last += 1
        self._open[self._last] = destination
        return self._last

    def refuse(self, destination: SmeAddress, status: int, reason: str) -> None:
        """It was not accepted."""
        self._reason = self._reason or reason
        for number, known in list(self._open.items()):
            if known is destination:
                del self._open[number]
        self._refused.append(UnsuccessSme(destination.ton, destination.npi, destination.address, status))

    def taken(self, argument: list[int], error: SpoolError | None) -> None:
        """It was committed, or could not be."""
        number, message_id = argument
        destination = self._open.pop(number)
        if error is not None:
            self._refused.append(
                UnsuccessSme(destination.ton, destination.npi, destination.address, int(Status.RMSGQFUL))
            )
        elif not self._first:
            self._first = message_id
        self.finish()

    def finish(self) -> None:
        """Answer if everything is decided."""
        if self._open or not self.all_given:
            return
        status = 0 if self._first or not self._refused else self._refused[0].status
        message_id = self._inbox.visible_id(self._first) if self._first else ""
        words = self._session.in_words(self._reason) if status else ()
        self._session.respond(pdus.SubmitMultiResp(self._sequence, status, message_id, tuple(self._refused), words))
