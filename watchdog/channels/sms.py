"""Alerts as short messages through the gateway itself: one session as its customer ALERT_SMS_USER, one message, unbind.

Each number is a channel of its own, so that a number that is refused does not keep the others from it, nor lets them be told twice. While the gateway is down an alert waits;
once it is over it is not sent any more. All that is to be told goes in one message of 160 characters, with the number of what has no place. Raises NotTold.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import gevent
import gevent.event

from emg.errors import EmgError
from emg.session.dial import dial
from emg.session.driver import Driver
from emg.session.tls import TlsPipe, client_context
from emg.text import gsm7
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status, status_name
from watchdog.alerts import Notice
from watchdog.channels import words
from watchdog.channels.channel import DEADLINE, NotTold
from watchdog.model import Severity
from watchdog.settings import SmsSettings

VALIDITY: Final = "000000060000000R"
"""Six hours (SMPP 3.4 §7.1.1.2): later nobody wants to read it."""
_CLOSE_SECONDS: Final = 2.0


class Sms:
    """See the module's text; `number` is who gets them."""

    summary = False
    longest_pause = 60.0

    def __init__(self, settings: SmsSettings, number: str, host: str) -> None:
        self.name = f"sms {number}"
        self.level = Severity(settings.level.value)
        self._settings = settings
        self._number = number
        self._host = host

    def send(self, notices: Sequence[Notice], more: int, at: float) -> str:
        """Bind, submit, unbind."""
        session = _Session(self._submit(words.short(self._host, notices, more)))
        driver = self._dial(session)
        session.machine = driver.machine
        reader = gevent.spawn(driver.run)
        try:
            session.answered.wait(DEADLINE)
            if not session.taken:
                raise NotTold(session.fault or f"the gateway did not answer within {DEADLINE:g} s")
            driver.machine.unbind(time.monotonic())  # type: ignore[attr-defined]  # a machine of SMPP, as it was made
            driver.flush_soon()
            reader.join(_CLOSE_SECONDS)
        finally:
            driver.close("done")
        return ""

    def _dial(self, session: "_Session") -> Driver:
        chosen = self._settings
        try:
            sock, peer = dial([(chosen.address.host, chosen.address.port)], DEADLINE)
        except EmgError as error:
            raise NotTold(f"the gateway can't be reached: {error}") from None
        now = time.monotonic()
        machine = smpp.Machine(smpp.Role.ESME, now, timers=smpp.Timers(bind=DEADLINE, answer=DEADLINE))
        try:
            # it is ourselves that we talk to: the name in our certificate is that which customers use
            context = client_context(verify="none") if chosen.tls else None
            pipe = TlsPipe(context, server_side=False) if context else None
            machine.bind(pdus.BindTransmitter(system_id=chosen.user, password=chosen.password), now)
        except BaseException:
            sock.close()
            raise
        return Driver(sock, machine, session, peer=peer, tls=pipe)

    def _submit(self, text: str) -> pdus.SubmitSm:
        sender, number = self._settings.sender, self._number
        digits = sender.removeprefix("+").isdigit()
        return pdus.SubmitSm(
            source_addr_ton=(1 if sender.startswith("+") else 0) if digits else 5,
            source_addr_npi=int(digits),
            source_addr=sender.removeprefix("+") if digits else sender,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=number.removeprefix("+"),
            validity_period=VALIDITY,
            short_message=gsm7.encode(text, "replace"),
        )


class _Session:
    """The owner of the session: submits as soon as it is bound."""

    def __init__(self, submit: pdus.SubmitSm) -> None:
        self.machine: Any = None
        self.taken = False
        self.fault = ""
        self.answered = gevent.event.Event()
        self._submit = submit

    def handle(self, event: Any, now: float) -> None:
        """One event of the machine."""
        kind = type(event)
        if kind is smpp.Bound:
            self.machine.request(self._submit, self, now)
        elif kind is smpp.Answer:
            self.taken = event.pdu.status == Status.ROK
            self._over("" if self.taken else f"the gateway refused the message: {status_name(event.pdu.status)}")
        elif kind is smpp.BindRefused:
            self._over(f"the gateway refused the login: {status_name(event.status)}")
        elif kind is smpp.Unanswered:
            self._over("the gateway did not answer")
        elif kind is smpp.Broken:
            self._over(event.reason)

    def closed(self, events: Sequence[Any], reason: str, now: float) -> None:
        """The connection is over."""
        for event in events:
            self.handle(event, now)
        self._over(reason)

    def _over(self, fault: str) -> None:
        self.fault = self.fault or fault
        self.answered.set()
