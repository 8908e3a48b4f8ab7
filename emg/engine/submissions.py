"""Messages that the house hands over itself: what the portal and the shell send for an account, by the control API.

`Submissions.take` gives each message to the receive path in the account's name, as if a session of it had submitted it: limits, block lists, routes,
prices and balances apply, and it is answered for after the group commit that holds it. Reports on it are asked of the operator and stand in the log; nobody
is sent one (`Want.LOGGED`). In routes, prices and the log it has come in by `CONNECTOR`.

Each has a *key* that its caller chose. A key that was taken is answered with the id that it got then, and never makes a second message, whatever died
in between: key and message are in the same commit. So who gets no answer asks again with the same key. Keys are kept for `KEPT_SECONDS`; the same
key with another message is refused. Calls are carried out one after another, which is what makes a key that two of them bring at once one message.

A message is refused by itself, with a `Cause` and a sentence; `passing` tells whether the same may be taken later. Raises SpoolError when nothing can be
said of the call: the spool does not answer, or not in time; what was taken then is found by its key.
"""

import functools
import hashlib
import logging
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import gevent
import gevent.event
import gevent.lock
import msgspec
from msgspec import Meta

from emg.config.connector import ConnectorConfig
from emg.config.model import ConnectorType
from emg.engine.engine import Engine
from emg.engine.events import Accepted
from emg.engine.lane import Lane
from emg.engine.port import Port
from emg.errors import Cause, Rejected, SpoolError
from emg.message import NORMAL_RANK, Encoding, Kind, Message, Want
from emg.rules import retry_smpp
from emg.rules.address import normal_dest, normal_source
from emg.spool import keys
from emg.text import udh
from emg.text.coding import dcs_for, encode, from_text
from emg.text.errors import TextError

CONNECTOR: Final = "portal"
"""The connector that these messages come in by, as far as anybody is told. There is none of that name that listens."""
MOST: Final = 500
"""Messages of a call."""
LONGEST_TEXT: Final = 40_000
"""Characters; 255 parts have 39,015."""
KEPT_SECONDS: Final = 7 * 86400
SECONDS: Final = 15.0
"""How long a call is given for each of its two waits: for the spool to tell which keys it has, and for the commit."""
AT_ONCE: Final = 50
"""Messages that are taken in one turn of the event loop."""
PAST_SECONDS: Final = 60.0
"""A scheduled time may be so far back: clocks differ."""
PASSING: Final = frozenset((Cause.THROTTLED, Cause.QUEUE_FULL, Cause.SPOOL_FULL, Cause.STOPPING, Cause.SYSTEM))
"""What another try, later, may overcome."""

log = logging.getLogger("emg.engine")


class Given(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """One message as its caller gives it: a text, or octets in hexadecimal digits."""

    key: Annotated[str, Meta(min_length=1, max_length=64)]
    account: Annotated[str, Meta(min_length=1, max_length=255)]
    dest: Annotated[str, Meta(max_length=64)]
    source: Annotated[str, Meta(max_length=64)] = ""
    text: Annotated[str, Meta(max_length=LONGEST_TEXT)] | None = None
    encoding: Annotated[str, Meta(pattern="^(auto|gsm7|latin1|ucs2)$")] = "auto"
    data: Annotated[str, Meta(max_length=2 * LONGEST_TEXT)] | None = None
    """Instead of `text`."""
    udh: Annotated[str, Meta(max_length=280)] = ""
    """User data header with its length octet, in hexadecimal digits."""
    at: Annotated[float, Meta(ge=0, le=1e11)] | None = None
    """Not before, in epoch seconds."""
    validity: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    """Seconds from then, or from now."""
    reports: bool = True
    """Ask the operator what became of it."""
    reference: Annotated[str, Meta(max_length=64)] = ""
    """The sender's own, for the log."""


class Answer(msgspec.Struct, omit_defaults=True):
    """What became of one message: an `id`, or why it was `refused`."""

    key: str
    id: int = 0
    parts: int = 0
    price: int = 0
    """Micro-units of `currency`, all parts together."""
    currency: str = ""
    repeated: bool = False
    """The key was known: this is what was answered then."""
    refused: str = ""
    """A `Cause`."""
    reason: str = ""
    passing: bool = False


class Submissions:
    """See the module's text. One a gateway."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._one_call = gevent.lock.BoundedSemaphore(1)
        config = ConnectorConfig(name=CONNECTOR, type=ConnectorType.INCOMING)
        self.port = Port(config, Lane(CONNECTOR, 0, head_limit=0), retry_smpp.CUSTOMER)

    def take(self, given: Sequence[Given]) -> list[Answer]:
        """Take them in, in order; one answer each. Raises SpoolError."""
        if not self._one_call.acquire(timeout=SECONDS):
            raise SpoolError("an earlier call is still being carried out: ask again with the same keys")
        try:
            return self._take(given)
        finally:
            self._one_call.release()

    def _take(self, given: Sequence[Given]) -> list[Answer]:
        self._engine.spool.admit_new()  # at once, where the spool is full
        asked = [one.key for one in given]
        known = {row[0]: row for row in self._engine.spool.ask(functools.partial(keys.find, asked), SECONDS)}
        now_taken: dict[str, tuple[bytes, Answer]] = {}
        commit = _Commit()
        answers = []
        for number, one in enumerate(given):
            if number % AT_ONCE == AT_ONCE - 1:
                gevent.sleep(0)
            digest = _digest(one)
            if one.key in now_taken:  # twice in one call
                before, answer = now_taken[one.key]
                answers.append(answer if before == digest else _clash(one))
            elif one.key in known:
                answers.append(_again(one, digest, known[one.key]))
            else:
                answer = self._submit(one, digest, commit)
                now_taken[one.key] = digest, answer
                answers.append(answer)
        commit.wait()
        taken = sum(1 for answer in answers if answer.id and not answer.repeated)
        log.info("%d of %d messages were taken in over the control API", taken, len(given))
        return answers

    def _submit(self, one: Given, digest: bytes, commit: "_Commit") -> Answer:
        answer = Answer(one.key)
        try:
            message = self._message(one)
            sender = self._engine.sender(one.account)

            def noted(event: Accepted) -> None:
                answer.id, answer.parts, answer.price, answer.currency = (
                    event.id,
                    event.parts,
                    event.price,
                    event.currency,
                )
                row = (one.key, event.id, int(message.accepted), digest, event.parts, event.price, event.currency)
                self._engine.spool.take_key(row)

            commit.open += 1
            try:
                self._engine.receiver.receive(message, self.port, sender, commit.done, answer, noted)
            except BaseException:
                commit.open -= 1
                raise
        except Rejected as error:
            _refuse(answer, error.cause, error.reason)
        except SpoolError as error:
            _refuse(answer, Cause.SPOOL_FULL, str(error))
        if answer.refused:
            self.port.counters.refused += 1
        return answer

    def _message(self, one: Given) -> Message:
        """Raises Rejected."""
        user = self._engine.users.get(one.account)
        if user is None or user.disabled:
            fault = f"there is no account {one.account}" if user is None else f"account {one.account} is locked"
            raise Rejected(Cause.NOT_ALLOWED, fault)
        now = time.time()
        source = normal_source(one.source, 0, 0)
        dest = normal_dest(one.dest, 0, 0)
        if not dest[0]:
            raise Rejected(Cause.BAD_DESTINATION, "there is no destination")
        encoding, header, body = _content(one)
        due = one.at if one.at is not None and one.at > now else 0.0
        if one.at is not None and one.at <= now - PAST_SECONDS:
            raise Rejected(Cause.BAD_SCHEDULE, "the scheduled time is in the past")
        expires = max(now, due) + one.validity if one.validity is not None else 0.0
        message = Message(
            0, Kind.NORMAL, "", CONNECTOR, one.account, *source, *dest, encoding, dcs_for(encoding), header, body, now, due, expires,
            NORMAL_RANK, Want.LOGGED if one.reports else Want.NOTHING, reference=one.reference, own_validity=expires > 0,
        )  # fmt: skip
        self._engine.sender(one.account).apply(message)
        return message


class _Commit:
    """The commit, or the few, that hold what a call has brought."""

    def __init__(self) -> None:
        self.open = 0
        self._over = gevent.event.Event()

    def done(self, answer: Answer, error: SpoolError | None) -> None:
        """Its message is kept, or is not."""
        if error is not None:
            answer.id = answer.parts = answer.price = 0
            answer.currency = ""
            _refuse(answer, Cause.SPOOL_FULL, str(error))
        self.open -= 1
        if not self.open:
            self._over.set()

    def wait(self) -> None:
        """Raises SpoolError when it takes too long."""
        deadline = time.monotonic() + SECONDS
        while self.open:
            self._over.clear()
            if not self._over.wait(deadline - time.monotonic()):
                raise SpoolError(f"the messages were not kept within {SECONDS:g} s: ask again with the same keys")


def prune(now: float) -> tuple[str, tuple[Any, ...]]:
    """The statement that forgets keys whose time is over, some thousands at a time."""
    return keys.prune(int(now - KEPT_SECONDS))


def _content(one: Given) -> tuple[Encoding, bytes, bytes]:
    """(encoding, user data header, body). Raises Rejected."""
    if (one.text is None) == (one.data is None):
        raise Rejected(Cause.BAD_TEXT, "give either a text, or data")
    try:
        header = _hexadecimal(one.udh)
        if header and udh.cut(header) != (header, b""):
            raise Rejected(Cause.BAD_TEXT, "the user data header has another length than it says")
        if one.data is not None:
            return Encoding.BINARY, header, _hexadecimal(one.data)
        assert one.text is not None, "neither text nor data"
        if one.encoding == "auto":
            encoding, body = from_text(one.text)
        else:
            encoding = Encoding[one.encoding.upper()]
            body = encode(one.text, encoding)
    except TextError as error:
        raise Rejected(Cause.BAD_TEXT, str(error)) from error
    return encoding, header, body


def _hexadecimal(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise Rejected(Cause.BAD_TEXT, "octets are pairs of hexadecimal digits") from None


def _digest(one: Given) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode(one), digest_size=16).digest()


def _again(one: Given, digest: bytes, row: keys.Row) -> Answer:
    _, number, _, before, parts, price, currency = row
    return Answer(one.key, number, parts, price, currency, repeated=True) if before == digest else _clash(one)


def _clash(one: Given) -> Answer:
    answer = Answer(one.key)
    _refuse(answer, Cause.NOT_ALLOWED, f"the key {one.key} stands for another message")
    return answer


def _refuse(answer: Answer, cause: Cause, reason: str) -> None:
    answer.refused, answer.reason, answer.passing = cause.value, reason, cause in PASSING


def read(values: Any) -> list[Given]:
    """The messages of a call. Raises msgspec.ValidationError, a sentence."""
    found: list[Given] = msgspec.convert(values, Annotated[list[Given], Meta(min_length=1, max_length=MOST)])
    return found
