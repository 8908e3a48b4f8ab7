"""A bound SMPP session for a tool that is the client: dial, TLS, machine, driver, bind.

`connect` returns as soon as the socket stands; the owner hears of the bind from the machine's events (`Bound`, `BindRefused`).
Raises EmgError when no address answers.
"""

import ssl
import time
from dataclasses import dataclass
from typing import Final

from emg.session.dial import dial
from emg.session.driver import Driver, Owner
from emg.session.tls import TlsPipe
from emg.tools.ledger import Ledger
from emg.wire.smpp import machine as smpp
from emg.wire.smpp import pdus

MODES: Final[dict[str, type[pdus.Bind]]] = {
    "trx": pdus.BindTransceiver,
    "tx": pdus.BindTransmitter,
    "rx": pdus.BindReceiver,
}


class LedgerMachine(smpp.Machine):
    """A session machine that lets no octet out before the ledger has been written."""

    __slots__ = ("ledger",)

    def __init__(
        self, ledger: Ledger, role: smpp.Role, now: float, *, timers: smpp.Timers | None = None, window: int = 10
    ) -> None:
        super().__init__(role, now, timers=timers, window=window)
        self.ledger = ledger

    def take_output(self) -> bytes:
        """As the machine's, after the ledger."""
        self.ledger.flush()
        return super().take_output()


@dataclass(frozen=True, slots=True)
class Login:
    """Whom to bind to, and as whom."""

    address: tuple[str, int]
    system_id: str
    password: str = ""
    system_type: str = ""
    version: int = 0x34
    tls: ssl.SSLContext | None = None
    dial_seconds: float = 10.0

    def bind_pdu(self, mode: str) -> pdus.Bind:
        """The bind for `trx`, `tx` or `rx`."""
        return MODES[mode](
            system_id=self.system_id,
            password=self.password,
            system_type=self.system_type,
            interface_version=self.version,
        )


def connect(login: Login, mode: str, owner: Owner, ledger: Ledger, timers: smpp.Timers, window: int) -> Driver:
    """A driver whose socket is connected and whose bind is on its way as soon as `run` is called."""
    sock, peer = dial([login.address], login.dial_seconds)
    now = time.monotonic()
    machine = LedgerMachine(ledger, smpp.Role.ESME, now, timers=timers, window=window)
    pipe = TlsPipe(login.tls, server_side=False, server_name=login.address[0]) if login.tls else None
    try:
        machine.bind(login.bind_pdu(mode), now)
    except BaseException:
        # a name or password that does not fit its field
        sock.close()
        raise
    return Driver(sock, machine, owner, peer=peer, tls=pipe)
