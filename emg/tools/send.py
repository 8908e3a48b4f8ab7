"""`emg send`: sends one message over SMPP, prints its id, and with `--dlr` waits for its delivery report.

Text that needs several short messages is split, or given to the far side whole in message_payload (`--payload`). The encoding is GSM 7-bit where
every character fits, else UCS-2. `-c` reads where to send (and, with one USER in it, as whom) from a gateway's configuration.
Exit codes: 0 taken (with --dlr: and delivered), 1 refused, not answered or not delivered, 3 the bind was refused, 5 bad argument.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
import gevent.event

from emg.config.load import load as load_config
from emg.config.values import ConnectorType
from emg.errors import EmgError
from emg.text import coding
from emg.text.errors import TextError
from emg.text.split import split
from emg.text.summary import describe
from emg.tools import options, reports
from emg.tools.connect import Login, connect
from emg.tools.ledger import INTERMEDIATE, Ledger
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.codec import tlv
from emg.wire.smpp.names import ESM_UDHI, Status, Tag, status_name
from emg.wire.smpp.states import RESPONSE_OF

_CLOSE_SECONDS: Final = 3.0
_DEFAULT_ADDRESS: Final = ("127.0.0.1", 2775)
_DELIVERED: Final = "DELIVRD"


@dataclass(slots=True)
class Sent:
    """What became of one short message."""

    id: str = ""
    status: str = ""
    state: str = ""
    report: str = ""

    @property
    def taken(self) -> bool:
        """It was answered with ESME_ROK."""
        return self.status == "ROK"


@dataclass(slots=True)
class Sender:
    """The owner of the one session: binds, submits, waits. `finished` is set when nothing more is expected."""

    submits: list[pdus.SubmitSm]
    wants_report: bool
    machine: smpp.Machine = field(init=False)
    sent: list[Sent] = field(default_factory=list)
    fault: str = ""
    refusal: int = 0
    answered: gevent.event.Event = field(default_factory=gevent.event.Event)
    finished: gevent.event.Event = field(default_factory=gevent.event.Event)
    _early: dict[str, tuple[str, str]] = field(default_factory=dict)

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine."""
        kind = type(event)
        if kind is smpp.Bound:
            self.sent = [Sent() for _ in self.submits]
            for sent, pdu in zip(self.sent, self.submits, strict=True):
                self.machine.request(pdu, sent, now)
        elif kind is smpp.Answer:
            event.token.status = status_name(event.pdu.status)
            event.token.id = getattr(event.pdu, "message_id", "")
            event.token.state, event.token.report = self._early.get(event.token.id, ("", ""))
            self._look()
        elif kind is smpp.Request:
            self._requested(event.pdu)
        elif kind is smpp.Unanswered:
            event.token.status = event.why.value
            self._look()
        elif kind is smpp.BindRefused:
            self.refusal = event.status
        elif kind is smpp.Broken:
            self.fault = event.reason

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over."""
        for event in events:
            self.handle(event, now)
        self.fault = self.fault or reason
        self.answered.set()
        self.finished.set()

    def _requested(self, pdu: Any) -> None:
        kind = type(pdu)
        if kind is not pdus.DeliverSm and kind is not pdus.DataSm:
            self.machine.respond(RESPONSE_OF[kind](pdu.sequence, int(Status.RSYSERR)))
            return
        text = pdu.short_message if kind is pdus.DeliverSm else tlv(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b""
        message_id, state = reports.read(text, pdu.tlvs) if reports.is_report(pdu.esm_class) else ("", "")
        mine = [sent for sent in self.sent if message_id and sent.id == message_id]
        if not mine and not (message_id and any(not sent.status for sent in self.sent)):
            # for somebody else on this account: a status after which the far side keeps it and tries again
            self.machine.respond(RESPONSE_OF[kind](pdu.sequence, int(Status.RMSGQFUL)))
            return
        self.machine.respond(RESPONSE_OF[kind](pdu.sequence))
        fields, mark, body = text.partition(b"text:")  # the fields are ASCII; what follows is of the message's alphabet
        shown = fields.decode("latin-1") + mark.decode()
        shown += describe(body, coding.encoding_of(pdu.data_coding), limit=len(body))
        if state not in INTERMEDIATE:
            self._early[message_id] = (state, shown)
            for sent in mine:
                sent.state, sent.report = state, shown
        self._look()

    def _look(self) -> None:
        if all(sent.status for sent in self.sent):
            self.answered.set()
            if not self.wants_report or all(sent.state for sent in self.sent if sent.taken):
                self.finished.set()


def main(argv: list[str]) -> int:
    """Run `emg send` with these arguments; the exit code."""
    return options.end("emg send", lambda: _run(_parser().parse_args(argv)))


def _run(chosen: argparse.Namespace) -> int:
    login = _login(chosen)
    sender = Sender(make_submits(chosen), chosen.dlr)
    seconds = chosen.timeout
    timers = smpp.Timers(bind=seconds, answer=seconds)
    # a session that receives would be handed what waits for others
    driver = connect(login, "trx" if chosen.dlr else "tx", sender, Ledger(), timers, max(10, len(sender.submits)))
    sender.machine = driver.machine  # type: ignore[assignment]  # connect makes no other machine
    reader = gevent.spawn(driver.run)
    sender.answered.wait(2 * seconds)
    if sender.refusal:
        raise options.LoginRefused(f"the bind was refused: {status_name(sender.refusal)}")
    if not sender.sent:
        raise EmgError(sender.fault or "the bind was not answered")
    if chosen.dlr:
        if not chosen.json:
            _print_ids(sender.sent)
        sender.finished.wait(chosen.dlr_wait)
    sender.machine.unbind(time.monotonic())
    driver.flush_soon()
    reader.join(_CLOSE_SECONDS)
    reader.kill()
    return _conclude(sender.sent, chosen)


def _conclude(found: list[Sent], chosen: argparse.Namespace) -> int:
    if chosen.json:
        rows = [
            {"id": each.id, "status": each.status} | ({"state": each.state} if chosen.dlr else {}) for each in found
        ]
        print(json.dumps(rows))
    elif chosen.dlr:
        for each in found:
            if each.taken:
                print(f"{each.id} {each.state or 'no report'}{f': {each.report}' if each.report else ''}")
    else:
        _print_ids(found)
    good = all(each.taken and (not chosen.dlr or each.state == _DELIVERED) for each in found)
    return options.EXIT_OK if good else options.EXIT_ERROR


def _print_ids(found: list[Sent]) -> None:
    for each in found:
        if each.taken:
            print(each.id, flush=True)
        else:
            print(f"emg send: not taken: {each.status or 'no answer'}", file=sys.stderr)


def make_submits(chosen: argparse.Namespace) -> list[pdus.SubmitSm]:
    """The submit_sm that carry the text. Raises BadArgument for text without an encoding, or of more than 255 parts."""
    # any reference will do: the next message to this number comes from another run
    reference = int.from_bytes(os.urandom(2), "big")
    try:
        encoding, body = coding.from_text(" ".join(chosen.text))
        pieces = [(b"", body)] if chosen.payload else split(body, encoding, reference=reference)
    except TextError as error:
        raise options.BadArgument(f"the text can't be sent: {error}") from None
    source_ton, source_npi = _kind(chosen.source)
    dest_ton, dest_npi = _kind(chosen.to_number)
    return [
        pdus.SubmitSm(
            service_type=chosen.service_type,
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            source_addr=chosen.source.removeprefix("+"),
            dest_addr_ton=dest_ton,
            dest_addr_npi=dest_npi,
            destination_addr=chosen.to_number.removeprefix("+"),
            esm_class=ESM_UDHI if header else 0,
            registered_delivery=int(chosen.dlr),
            validity_period=chosen.validity,
            data_coding=coding.dcs_for(encoding),
            short_message=b"" if chosen.payload else header + piece,
            tlvs=((int(Tag.MESSAGE_PAYLOAD), piece),) if chosen.payload else (),
        )
        for header, piece in pieces
    ]


def _kind(number: str) -> tuple[int, int]:
    """TON and NPI: a name, a short code, or an international number."""
    if not number:
        return 0, 0
    if not number.removeprefix("+").isdigit():
        return 5, 0
    return (1, 1) if number.startswith("+") or len(number) > 6 else (0, 1)


def _login(chosen: argparse.Namespace) -> Login:
    address, name, word = chosen.to, chosen.system_id, chosen.password
    if chosen.config:
        config = load_config(chosen.config)
        found = [each for each in config.connectors.values() if each.type is ConnectorType.INCOMING and each.address]
        if address is None and not found:
            raise options.BadArgument(f"{chosen.config} has no incoming connector to send to")
        address = address or (found[0].address[0].host, found[0].address[0].port)
        users = list(config.users.values())
        if name is None and len(users) == 1:
            name = users[0].name
            hashed = users[0].password.startswith("$argon2")
            word = word if word is not None or hashed or options.PASSWORD_VARIABLE in os.environ else users[0].password
    return Login(
        address or _DEFAULT_ADDRESS,
        name or "",
        options.password(word),
        chosen.system_type,
        chosen.version,
        options.client_tls(chosen),
        chosen.timeout,
    )


def _parser() -> argparse.ArgumentParser:
    parser = options.Parser(prog="emg send", description="Send one message over SMPP and print its id.")
    add = parser.add_argument
    add("to_number", metavar="TO", help="destination: a number, with or without +")
    add("text", nargs="+", metavar="TEXT", help="the text; several words are joined by blanks")
    add("-c", "--config", metavar="FILE", help="take the address from this gateway configuration")
    add("--to", type=options.address, metavar="HOST:PORT", help="SMPP server (default 127.0.0.1:2775)")
    options.add_login(parser, None)
    add("--version", type=options.version, default=0x34, metavar="33|34|50")
    add("--from", dest="source", default="", metavar="A", help="sender: a number or up to 11 characters")
    add("--dlr", action="store_true", help="ask for the delivery report, wait for it and print it")
    add("--dlr-wait", type=options.seconds, default=60.0, metavar="TIME", help="how long (default 60s)")
    add(
        "--timeout",
        type=options.seconds,
        default=10.0,
        metavar="TIME",
        help="for the bind and for each answer (default 10s)",
    )
    add("--payload", action="store_true", help="long text in message_payload, not split")
    add(
        "--validity",
        default="",
        metavar="TIME",
        help="validity period in the form of SMPP, as 000001000000000R for a day",
    )
    add("--service-type", default="", metavar="TYPE")
    options.add_client_tls(parser)
    add("--json", action="store_true", help="id, status and state as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
