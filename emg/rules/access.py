"""Who may connect: lists of networks (ACCESS= of a connector, the access rows of an account).

A list is addresses and networks, IPv4 or IPv6, joined by commas or blanks: `127.0.0.0/8, 10.1.2.3, ::1/128`; `*` is
everybody. Host bits are ignored (`10.1.2.3/8`). An IPv4 address in IPv6 form (`::ffff:10.1.2.3`), as a dual-stack
socket reports it, is the IPv4 one. An empty list allows nobody: where nothing set means everybody, the caller takes
`EVERYBODY`. A list with faults raises ValueError that names them all.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from emg.config.model import UserConfig

Network = IPv4Network | IPv6Network

CACHED: Final = 1024
"""Answers kept; the same few peers connect again and again."""

_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class Networks:
    """A list of networks, asked by `allows`."""

    __slots__ = ("_answers", "_everybody", "_networks")

    def __init__(self, networks: Iterable[Network], *, everybody: bool = False) -> None:
        self._networks = tuple(map(_unmapped, networks))
        self._everybody = everybody
        self._answers: dict[str, bool] = {}

    @classmethod
    def parse(cls, text: str) -> "Networks":
        """Reads a list. Raises ValueError."""
        networks: list[Network] = []
        faults: list[str] = []
        everybody = False
        for word in text.replace(",", " ").split():
            if word == "*":
                everybody = True
                continue
            try:
                networks.append(ip_network(word, strict=False))
            except ValueError:
                faults.append(repr(word))
        if faults:
            raise ValueError(f"neither an address nor a network such as 10.0.0.0/8: {', '.join(faults)}")
        return cls(networks, everybody=everybody)

    def allows(self, ip: str) -> bool:
        """Is this address on the list? False for what is no address, unless everybody is allowed."""
        if self._everybody:
            return True
        answer = self._answers.get(ip)
        if answer is None:
            if len(self._answers) >= CACHED:
                self._answers.clear()
            answer = self._answers[ip] = self._contains(ip)
        return answer

    def _contains(self, ip: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(
                ip.partition("%")[0]
            )  # fe80::1%eth0: the zone is ours, not the peer's
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _unmapped(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None, "a network inside ::ffff:0:0/96 starts with a mapped address"
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


EVERYBODY: Final = Networks((), everybody=True)


def may_log_in(user: UserConfig, connector: str, ip: str) -> bool:
    """At this connector and from this address. An account of the database needs an access row that says so."""
    if user.connector and connector not in user.connector:
        return False
    if user.access and not Networks(user.access).allows(ip):
        return False
    if user.pairs is None:
        return True
    return Networks(pair.network for pair in user.pairs if pair.connector in ("*", connector)).allows(ip)
