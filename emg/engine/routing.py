"""Which queue a message goes to, and why.

Order of what decides (emg-reference §4): the account's ROUTE, the incoming connector's ROUTE, the routing table. Parts of one long
message follow the first one for CMREXPIRE seconds. A connector is *usable* when it works, is not held and not full; when what the route
names is not usable the next of its list is taken. When none is, a connector that is merely down still queues (the first one that is
neither full nor stopped): the message is kept, and goes when it comes back. When all are full, the sender gets "queue full".

A connector that only receives hands what is queued for it to its REDIRECT. Messages for an incoming connector go to
the lane of the account it names (`connector/account`), or to any session of it.
"""

from collections.abc import Mapping

from emg.config.model import UserConfig
from emg.engine.lane import Lane
from emg.engine.lanes import Lanes
from emg.engine.port import Port
from emg.errors import Cause, Rejected
from emg.message import Message, OpenReport
from emg.rules.concat import RouteMemory
from emg.rules.routes import RouteTable
from emg.text.udh import concatenation

HOMES = 100_000
"""Ways home that are remembered at most: one for each (connector, account, provider) that is in use."""


class Router:
    """Holds the table and the ports; both are swapped whole on a reload."""

    def __init__(
        self, lanes: Lanes, ports: Mapping[str, Port], table: RouteTable | None, remember_seconds: float
    ) -> None:
        self.ports = ports
        self.table = table
        self.memory = RouteMemory(remember_seconds)
        self._lanes = lanes
        self._targets: dict[str, tuple[Lane, Port]] = {}
        self._homes: dict[tuple[str, str, str], Lane] = {}
        self._by_address: set[str] = set()
        """Accounts' lanes that have one more for each address, where reports go only to the one that the message came from."""

    def forget(self) -> None:
        """Connectors, accounts or settings have changed: what was worked out from them is worked out anew."""
        self._targets.clear()
        self._homes.clear()
        self._by_address.clear()

    def usable(self, name: str) -> bool:
        """A route may choose this connector (or an account's queue of it) now."""
        port = self.ports.get(name) or self.ports.get(name.partition("/")[0])
        return port is not None and port.usable

    def route(self, message: Message, origin: Port, user: UserConfig | None, now: float) -> tuple[Lane, Port, str]:
        """The lane and port for a message that came in by `origin`, and what decided. Raises Rejected."""
        if message.udh:
            part = concatenation(message.udh)
            if part is not None:
                return self._route_part(message, origin, user, now, part.reference, part.total)
        return self._route(message, origin, user)

    def _route_part(
        self, message: Message, origin: Port, user: UserConfig | None, now: float, reference: int, total: int
    ) -> tuple[Lane, Port, str]:
        key = (message.account, message.source, message.dest, reference, total)
        known = self.memory.recall(key, now)
        if known is not None and known in self.ports and not self.ports[known].lane.full:
            return self.target(known, "first part")
        lane, port, why = self._route(message, origin, user)
        self.memory.remember(key, port.name, now)
        return lane, port, why

    def _route(self, message: Message, origin: Port, user: UserConfig | None) -> tuple[Lane, Port, str]:
        if user is not None and user.route:
            return self.target(user.route, "account")
        if origin.config.route:
            return self.target(origin.config.route, "connector")
        if self.table is None:
            raise Rejected(
                Cause.NO_ROUTE, f"no route for {message.dest}: the connector has no ROUTE and there is no table"
            )
        picked = self.table.pick(message.dest, message.account, origin.name, self.usable)
        if picked is None:
            rows = self.table.lookup(message.dest, message.account, origin.name).rows
            name = self.fallback([connector for row in rows for connector in row.connectors], message.dest)
            picked = next((row, name) for row in rows if name in row.connectors)
        row, name = picked
        return self.target(name, f"table {row.line}")

    def fallback(self, names: list[str], dest: str) -> str:
        """None is usable: wait for the first that is only down or held."""
        known = [name for name in names if name.partition("/")[0] in self.ports]
        if not known:
            raise Rejected(Cause.NO_ROUTE, f"no route for {dest}")
        for name in known:
            if not self.ports[name.partition("/")[0]].lane.full:
                return name
        raise Rejected(Cause.QUEUE_FULL, f"all queues for {dest} are full: {', '.join(known)}")

    def target(self, name: str, why: str) -> tuple[Lane, Port, str]:
        """The lane and port of a connector that was chosen; REDIRECT applies. Raises Rejected."""
        found = self._targets.get(name)
        if found is None:
            found = self._targets[name] = self._find_target(name)
        lane, port = found
        if lane.size >= lane.size_limit:
            raise Rejected(Cause.QUEUE_FULL, f"the queue of {lane.name} is full")
        return lane, port, why

    def _find_target(self, name: str) -> tuple[Lane, Port]:
        base, _, account = name.partition("/")
        port = self.ports.get(base)
        if port is None:
            raise Rejected(Cause.NO_ROUTE, f"the route names connector {base}, which does not exist")
        if not port.can_send:
            if not port.config.redirect or port.config.redirect not in self.ports:
                raise Rejected(Cause.NO_ROUTE, f"connector {name} only receives and has no REDIRECT")
            port = self.ports[port.config.redirect]
        return self._lanes.get(f"{port.name}/{account}") if account else port.lane, port

    def way_home(self, ticket: OpenReport, users: Mapping[str, UserConfig]) -> Lane:
        """The lane that brings a report to its sender: the account's ROUTEDLR, the provider connector's, or the way it came."""
        key = (ticket.connector, ticket.account, ticket.provider)
        lane = self._homes.get(key)
        if lane is None:
            if len(self._homes) >= HOMES:
                self._homes.clear()
            lane = self._homes[key] = self._find_home(*key, users)
        if self._by_address and ticket.remote_ip and lane.name in self._by_address:
            return self._lanes.get(f"{lane.name}/{ticket.remote_ip}")
        return lane

    def _find_home(self, connector: str, account: str, provider: str, users: Mapping[str, UserConfig]) -> Lane:
        user = users.get(account)
        target = user.routedlr if user is not None else None
        provider_port = next((port for port in self.ports.values() if port.provider == provider), None)
        if target is None and provider_port is not None:
            target = provider_port.config.routedlr
        if target is None:
            target = connector
        port = self.ports.get(target)
        if port is not None and not port.can_send and port.config.redirect:
            port = self.ports.get(port.config.redirect, port)
        if port is None or not port.incoming:
            return self._lanes.get(target) if port is None else port.lane
        if not account:
            return port.lane
        lane = self._lanes.get(f"{port.name}/{account}")
        if port.config.dlr_to_same_ip and port.name == connector:
            self._by_address.add(lane.name)
        return lane
