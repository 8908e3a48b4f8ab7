"""One running gateway that serves all tests of a module: operators are scripted `Smsc`s, customers come and go with each test.

    @pytest.fixture(scope="module")
    def station(tmp_path_factory):
        with Station(tmp_path_factory.mktemp("s"), ["operator"], lambda at: incoming() + outgoing("operator", at["operator"])) as it:
            yield it

`settle` between tests closes the customers and refuses for good what a failed test left at the operators, so that no test sees
another one's messages.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import SubmitSm
from tests.gateways import Esme, GatewayProcess, Smsc, SmscSession


class Station:
    """A gateway with operators named in `operators`; `config` gets their addresses by name."""

    def __init__(
        self,
        folder: Path,
        operators: list[str],
        config: Callable[[Mapping[str, str]], str],
        files: dict[str, str] | None = None,
    ) -> None:
        self.operators = {name: Smsc() for name in operators}
        self.addresses = {name: smsc.address for name, smsc in self.operators.items()}
        self._links: dict[str, SmscSession] = {}
        self._clients: list[Esme] = []
        try:
            self.gateway = GatewayProcess(folder, config(self.addresses), files)
        except BaseException:
            self._close_operators()
            raise

    def __enter__(self) -> "Station":
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()
        self.gateway.close()
        self._close_operators()

    def _close_operators(self) -> None:
        for smsc in self.operators.values():
            smsc.close()

    def link(self, name: str = "operator") -> SmscSession:
        """The operator's session with the gateway, kept between tests."""
        if name not in self._links:
            self._links[name] = self.operators[name].session()
        return self._links[name]

    def relink(self, name: str = "operator", **fields: Any) -> SmscSession:
        """The operator's next session, after the one that stood was ended."""
        self._links[name] = self.operators[name].session(**fields)
        return self._links[name]

    def client(self, system_id: str = "acme", connector: str = "customers", **how: Any) -> Esme:
        """A bound customer, gone at the end of the test."""
        self._clients.append(Esme.bound(self.gateway.port(connector), system_id, **how))
        return self._clients[-1]

    def visitor(self, connector: str = "customers", **how: Any) -> Esme:
        """A connection that is not bound."""
        self._clients.append(Esme(self.gateway.port(connector), **how))
        return self._clients[-1]

    def settle(self) -> None:
        """See the module's text."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.close()
        self._clients.clear()
        for name, link in list(self._links.items()):
            try:
                self._empty(link)
            except (AssertionError, OSError):
                del self._links[name]  # the test has ended it

    def _empty(self, link: SmscSession) -> None:
        link.fence()
        while link.inbox:
            for pdu in link.inbox:
                if isinstance(pdu, SubmitSm):
                    link.answer(pdu, int(Status.RINVDSTADR))
            link.inbox.clear()
            link.fence()
        link.transcript.clear()


class Background:
    """Does something that waits for what the test does meanwhile; leaving the block waits for it, and raises what it raised."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as fault:  # noqa: BLE001  it belongs to the thread that waits
            self._fault = fault

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.join(20.0)
        assert not self._thread.is_alive(), "what was done in the background did not end"
        if self._fault is not None and exception[0] is None:
            raise self._fault
