"""Delivery receipts (SMPP 3.4 appendix B, §5.3.2.12, §5.3.2.31, §5.3.2.35): a PDU to a `Receipt`, a `Report` to text and TLVs.

Everybody writes the text a little differently, so it is searched for its keys, in any case and order of what comes before
`text:`; whatever is missing keeps its default. Nothing a peer can send makes reading fail. What is a fact about receipts, or about
one provider's, stands in a table: the words for states in `WORDS` and in the provider's `Dialect`, the keys in `KEYS`.

REJECTD and SKIPPED are read as FAILED: here `State.REJECTED` means that a message never entered the spool. ACCEPTD is read as
not final, although the standard has it among the final ones: nearly all who send it send another receipt after it; for the
others there is `Dialect.words`.

The keys and what follows them are ASCII in every alphabet that data_coding can name, and are read and written as that. What stands behind
`text:` is of the alphabet that data_coding names; with some peers 0 is another one than GSM's (`alphabet`).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from emg.message import Encoding, Report, State
from emg.text import gsm7
from emg.text.coding import encodings
from emg.text.errors import TextError
from emg.wire.smpp.names import ESM_INTERMEDIATE, ESM_RECEIPT, ESM_TYPE, MessageState, Tag
from emg.wire.smpp.pdus import DataSm, DeliverSm, Tlvs
from emg.wire.smpp.times import format_receipt_date

STATES: Final[Mapping[int, State]] = {
    MessageState.SCHEDULED: State.SENT,
    MessageState.ENROUTE: State.SENT,
    MessageState.DELIVERED: State.DELIVERED,
    MessageState.EXPIRED: State.EXPIRED,
    MessageState.DELETED: State.DELETED,
    MessageState.UNDELIVERABLE: State.FAILED,
    MessageState.ACCEPTED: State.SENT,
    MessageState.UNKNOWN: State.UNKNOWN,
    MessageState.REJECTED: State.FAILED,
    MessageState.SKIPPED: State.FAILED,
}
"""message_state to our state."""

_SPELLINGS: Final[Mapping[State, str]] = {
    State.SENT: (
        "ENROUTE ENROUT BUFFRED BUFFERD BUFFERED SCHEDULED SCHEDLD ACCEPTD ACCEPTED ACCEPT ACKED ACK SENT SUBMITD SUBMITTED"
        " PENDING QUEUED"
    ),
    State.DELIVERED: "DELIVRD DELIVERED DELIVERD DELIVER DLVRD",
    State.EXPIRED: "EXPIRED EXPIRD EXPIRE",
    State.DELETED: "DELETED DELETD CANCELED CANCELLED",
    State.FAILED: (
        "UNDELIV UNDELIVERABLE UNDELIVERED UNDELIVRD UNDELVD FAILED FAIL FAILURE ERROR REJECTD REJECTED REJECT SKIPPED"
    ),
    State.UNKNOWN: "UNKNOWN UNKNWN",
}
WORDS: Final[Mapping[str, State]] = {word: state for state, words in _SPELLINGS.items() for word in words.split()}
"""The word after `stat:`, in capitals, to our state: the standard's seven characters and what is met besides."""

WRITTEN: Final[Mapping[State, tuple[str, bytes]]] = {
    State.ACCEPTED: ("ACCEPTD", bytes([MessageState.ACCEPTED])),
    State.QUEUED: ("ENROUTE", bytes([MessageState.ENROUTE])),
    State.IN_FLIGHT: ("ENROUTE", bytes([MessageState.ENROUTE])),
    State.SENT: ("ENROUTE", bytes([MessageState.ENROUTE])),
    State.DELIVERED: ("DELIVRD", bytes([MessageState.DELIVERED])),
    State.FAILED: ("UNDELIV", bytes([MessageState.UNDELIVERABLE])),
    State.EXPIRED: ("EXPIRED", bytes([MessageState.EXPIRED])),
    State.UNKNOWN: ("UNKNOWN", bytes([MessageState.UNKNOWN])),
    State.DELETED: ("DELETED", bytes([MessageState.DELETED])),
    State.REJECTED: ("REJECTD", bytes([MessageState.REJECTED])),
}
"""Our state to the word and the message_state that a customer gets."""

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id:",),
    "sub": ("sub:",),
    "dlvrd": ("dlvrd:", "delivered:"),
    "submitted": ("submit date:", "submit_date:", "submitdate:"),
    "done": ("done date:", "done_date:", "donedate:"),
    "stat": ("stat:", "status:", "state:"),
    "error": ("err:", "error:"),
}
"""Each field with the keys that introduce it, the standard's first."""

SHOWN_TEXT: Final = 20
"""Characters of the message that a receipt repeats (appendix B)."""

LONGEST_WIDE: Final = 254
"""Octets of short_message, a whole number of UCS-2 characters."""
LONGEST_WIDE_ID: Final = 20
"""Characters of an id with which the rest of a receipt fits as UCS-2, and some of the text."""

_UCS2: Final = 8
# A member of an enum costs ten times as much as a name of the module.
_UCS2_TEXT: Final = Encoding.UCS2
_GSM7: Final = Encoding.GSM7
_UNKNOWN: Final = State.UNKNOWN
_DELIVERED: Final = State.DELIVERED
_CODECS: Final = {Encoding.LATIN1: "latin-1", Encoding.ASCII: "ascii"}
_DATES: Final = ((10, "%y%m%d%H%M"), (12, "%y%m%d%H%M%S"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S"))
# Comparing with an enum's member costs twice as much as with a number.
_RECEIPTED_MESSAGE_ID: Final = int(Tag.RECEIPTED_MESSAGE_ID)
_MESSAGE_STATE: Final = int(Tag.MESSAGE_STATE)
_NETWORK_ERROR_CODE: Final = int(Tag.NETWORK_ERROR_CODE)
_MESSAGE_PAYLOAD: Final = int(Tag.MESSAGE_PAYLOAD)
_OWN_TAGS: Final = frozenset(map(int, (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)))
"""How the receipt itself was cut up for the way here: of no use further on."""
_BLANKS: Final = {0: None, **dict.fromkeys([*range(1, 32), 127, 160], " ")}
_CLASSIC: Final = re.compile(
    r"id:(\S+) sub:(\d{1,9}) dlvrd:(\d{1,9}) submit date:(\d{10,14}) done date:(\d{10,14}) stat:([A-Z]+) err:(\S+)"
    r"(?: [Tt]ext:(.*))?",
    re.DOTALL,
).fullmatch
"""The layout of appendix B to the letter, as nearly everybody writes it: one step instead of a search for each key."""
_ID, _SUB, _DLVRD, _SUBMITTED, _DONE, _STAT, _ERROR = KEYS.values()


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What is particular about one provider's receipts."""

    words: Mapping[str, State] = {}
    """Words after `stat:`, in capitals, that `WORDS` has not or has differently."""
    zone: int = 0
    """His clock: minutes ahead of UTC."""
    id_from_text: bool = False
    """The id in the text is the one he answered with, the one in receipted_message_id is not."""


STANDARD: Final = Dialect()


class Receipt(msgspec.Struct, gc=False, kw_only=True):
    """What a provider's receipt says; times are seconds since 1970 (UTC), 0 where not given."""

    remote_id: str
    """As written, without NULs and blanks around it; empty where there is none."""
    state: State
    sure: bool
    """False: only the text looks like a receipt. Then it is one only if a message with this id is known (else it is an MO)."""
    stat: str = ""
    """The provider's word for the state."""
    error: str = "000"
    submitted: float = 0.0
    done: float = 0.0
    sub: int = 0
    dlvrd: int = 0
    text: str = ""
    network_error: bytes = b""
    """network_error_code: 3 octets, or empty."""
    tlvs: Tlvs = ()
    """The parameters that are not about the receipt itself, to be passed on."""

    @property
    def intermediate(self) -> bool:
        """Another one will follow."""
        return not self.state.final


def read_receipt(
    pdu: DeliverSm | DataSm, dialect: Dialect = STANDARD, alphabet: Encoding = Encoding.GSM7
) -> Receipt | None:
    """The receipt that `pdu` is, or may be (`sure`); None for an ordinary message. `alphabet` is what its peer means by data_coding 0."""
    kind = pdu.esm_class & ESM_TYPE
    remote_id, state, network_error, payload, others = _read_tlvs(pdu.tlvs)
    sure = kind in (ESM_RECEIPT, ESM_INTERMEDIATE) or (remote_id != "" and state is not None)
    body = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    receipt = _read_text(body or payload, pdu.data_coding, dialect, sure=sure)
    if receipt is None:
        return None
    if receipt.text and encodings(alphabet)[pdu.data_coding] is _GSM7:
        receipt.text = _of_septets(receipt.text)
    if remote_id:
        receipt.sure = True
        if not (dialect.id_from_text and receipt.remote_id):
            receipt.remote_id = remote_id
    if state is not None:
        receipt.state = state
    if kind == ESM_INTERMEDIATE and receipt.state is State.UNKNOWN:
        receipt.state = State.SENT
    if network_error:
        receipt.network_error = network_error
        receipt.error = receipt.error or f"{int.from_bytes(network_error[1:], 'big'):03d}"
    if not receipt.error:
        receipt.error = "000"
    receipt.tlvs = others
    return receipt


def _read_tlvs(tlvs: Tlvs) -> tuple[str, State | None, bytes, bytes, Tlvs]:
    """Remote id, state, network error, payload and the parameters about something else."""
    remote_id = ""
    state: State | None = None
    network_error = payload = b""
    others: Tlvs = ()
    for pair in tlvs:
        tag, octets = pair
        if tag == _RECEIPTED_MESSAGE_ID:
            remote_id = octets.decode("latin-1").strip("\0 ")
        elif tag == _MESSAGE_STATE:
            state = STATES.get(int.from_bytes(octets, "big"))
        elif tag == _NETWORK_ERROR_CODE:
            network_error = octets if len(octets) == 3 else b""
        elif tag == _MESSAGE_PAYLOAD:
            payload = octets
        elif tag not in _OWN_TAGS:
            others += (pair,)
    return remote_id, state, network_error, payload, others


def _read_text(body: bytes, data_coding: int, dialect: Dialect, *, sure: bool) -> Receipt | None:
    """What the text says; None where that is nothing and the PDU is not `sure` to be a receipt."""
    if data_coding != _UCS2:
        classic = _CLASSIC(body.decode("latin-1"))
        if classic is not None and ":" not in classic[1]:
            return _classic(classic, dialect, sure=sure)
    text, low = _readable(body, data_coding)
    stop = low.find("text:")
    head, said = (text, "") if stop < 0 else (text[:stop], text[stop + 5 :])
    if stop >= 0:
        low = low[:stop]
    if not sure and "id:" not in low:
        return None
    if not head.isprintable():
        head = head.translate(_BLANKS)
        low = head.lower() if head.isascii() else low.translate(_BLANKS)
    remote_id = _value(head, low, _ID)
    if ":" in remote_id:
        # an empty id: this is the next key
        remote_id = ""
    stat = _value(head, low, _STAT).upper()
    if not sure and not (remote_id and stat):
        return None
    state = dialect.words.get(stat) or WORDS.get(stat, State.UNKNOWN)
    submitted = _value(head, low, _SUBMITTED)
    done = _value(head, low, _DONE)
    return Receipt(
        remote_id=remote_id,
        state=state,
        sure=sure,
        stat=stat,
        error=_value(head, low, _ERROR),
        submitted=_moment(submitted, dialect.zone) if submitted else 0.0,
        done=_moment(done, dialect.zone) if done else 0.0,
        sub=_count(_value(head, low, _SUB)),
        dlvrd=_count(_value(head, low, _DLVRD)),
        text=said.rstrip("\0 "),
    )


def _classic(found: re.Match[str], dialect: Dialect, *, sure: bool) -> Receipt:
    """The receipt of a text that is just as the standard has it."""
    remote_id, sub, dlvrd, submitted, done, stat, error, said = found.groups("")
    state = dialect.words.get(stat) or WORDS.get(stat, _UNKNOWN)
    zone = dialect.zone
    return Receipt(
        remote_id=remote_id,
        state=state,
        sure=sure,
        stat=stat,
        error=error,
        submitted=_moment(submitted, zone),
        done=_moment(done, zone),
        sub=int(sub),
        dlvrd=int(dlvrd),
        text=said.rstrip("\0 "),
    )


def _readable(body: bytes, data_coding: int) -> tuple[str, str]:
    """The text, and the same in small letters, character for character; without an alphabet's surprises in front of the keys."""
    if data_coding == _UCS2:
        text = body.decode("utf-16-be", "replace")
        low = text.lower()
        if len(low) == len(text) and "id:" in low:
            return text, low
        # It is not UCS-2 whatever it says, or a header of odd length stands in front: ASCII is readable all the same.
        body = body.replace(b"\0", b"")
    return body.decode("latin-1"), body.lower().decode("latin-1")


def _of_septets(text: str) -> str:
    """Text whose characters are GSM's septets. Octets that are none are of a peer who writes Latin 1, whatever he says."""
    return gsm7.decode(text.encode("ascii"), "replace") if text.isascii() else text


def _value(text: str, low: str, keys: tuple[str, ...]) -> str:
    """What follows the first of `keys` that is there, up to the next blank."""
    for key in keys:
        start = low.find(key)
        if start >= 0:
            start += len(key)
            end = low.find(" ", start)
            if end > start:
                return text[start:end]
            return (text[start:].split(None, 1) or [""])[0]
    return ""


def _count(digits: str) -> int:
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0


@lru_cache(maxsize=4096)
def _moment(digits: str, zone: int) -> float:
    """YYMMDDhhmm, YYMMDDhhmmss, YYYYMMDDhhmm or YYYYMMDDhhmmss on a clock `zone` minutes ahead of UTC; 0 for anything else.

    Kept, since the receipts of a minute name the same few moments.
    """
    if not (digits.isascii() and digits.isdecimal()):
        return 0.0
    for size, form in _DATES:
        if len(digits) == size:
            try:
                return datetime.strptime(digits, form).replace(tzinfo=UTC).timestamp() - zone * 60
            except ValueError:
                continue
    return 0.0


def as_report(receipt: Receipt, message_id: int) -> Report:
    """The receipt as a report about our message `message_id` (0: not known yet)."""
    delivered = receipt.state is _DELIVERED
    return Report(
        id=message_id,
        state=receipt.state,
        error=receipt.error,
        submitted=receipt.submitted,
        done=receipt.done,
        parts=receipt.sub or 1,
        delivered_parts=receipt.dlvrd or int(delivered),
        text=receipt.text,
        network_error=receipt.network_error,
        tlvs=receipt.tlvs,
        remote_id=receipt.remote_id,
    )


def _short_error(error: str) -> str:
    """Three characters for a provider's error of another length. A number that does not fit is 999: a part of it would be another."""
    if error and not error.isdecimal():
        return error[:3]
    digits = error.lstrip("0")
    return digits.rjust(3, "0") if len(digits) <= 3 else "999"


def is_shown(text: str, alphabet: Encoding) -> bool:
    """The alphabet has all that a receipt repeats of this text."""
    text = text[:SHOWN_TEXT]
    try:
        if alphabet is _GSM7:
            gsm7.encode(text)
        else:
            text.encode(_CODECS[alphabet])
    except (TextError, UnicodeEncodeError):
        return False
    return True


def _wide(head: str, text: str) -> bytes:
    """All of a receipt as UCS-2, its end cut off where it does not fit short_message; no half of a character is left."""
    body = (head + text[:SHOWN_TEXT]).encode("utf-16-be", "replace")[:LONGEST_WIDE]
    return body[:-2] if 0xD8 <= body[-2] < 0xDC else body


def _shown(text: str, alphabet: Encoding) -> bytes:
    """The beginning of a message's text, with a '?' for each character that the alphabet has not."""
    text = text[:SHOWN_TEXT]
    return gsm7.encode(text, "replace") if alphabet is _GSM7 else text.encode(_CODECS[alphabet], "replace")


def write_receipt(
    report: Report, message_id: str, zone: int = 0, alphabet: Encoding = Encoding.GSM7
) -> tuple[bytes, Tlvs]:
    """short_message (data_coding 0) and TLVs of the receipt for a customer who knows the message as `message_id`.

    `zone`: his clock, minutes ahead of UTC. `alphabet`: what he means by data_coding 0: GSM7, LATIN1 or ASCII; or UCS2: all of it is that,
    and its data_coding 8, which is for those alone who read a receipt by its data coding, and for ids up to `LONGEST_WIDE_ID`. Raises nothing for a report
    that `as_report` can make; what does not fit the classic fields is cut.
    """
    word, message_state = WRITTEN[report.state]
    error = report.error if len(report.error) == 3 else _short_error(report.error)
    shift = zone * 60
    head = (
        f"id:{message_id} sub:{str(report.parts).zfill(3)} dlvrd:{str(report.delivered_parts).zfill(3)}"
        f" submit date:{format_receipt_date(report.submitted + shift)} done date:{format_receipt_date(report.done + shift)}"
        f" stat:{word} err:{error} text:"
    )
    tlvs: Tlvs = (
        (_RECEIPTED_MESSAGE_ID, message_id.encode("latin-1", "replace") + b"\0"),
        (_MESSAGE_STATE, message_state),
    )
    if report.network_error:
        tlvs += ((_NETWORK_ERROR_CODE, report.network_error),)
    if report.tlvs:
        tlvs += report.tlvs
    if alphabet is _UCS2_TEXT:
        return _wide(head, report.text), tlvs
    text = head.encode("ascii", "replace")
    return (text + _shown(report.text, alphabet) if report.text else text), tlvs
