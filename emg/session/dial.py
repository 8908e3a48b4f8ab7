"""Dialling out: every address of a name in turn, each with a deadline, until one answers."""

import gevent
import gevent.socket
from gevent.socket import socket as Socket

from emg.errors import EmgError
from emg.session.listen import resolve, tune


def dial(addresses: list[tuple[str, int]], seconds: float, *, source_ip: str = "") -> tuple[Socket, str]:
    """A connected socket and the address it reached (`ip:port`).

    Tries all addresses of all names in order; `seconds` bounds each attempt. Raises EmgError naming every attempt's fault.
    """
    faults = []
    for host, port in addresses:
        try:
            candidates = resolve(host, port)
        except EmgError as error:
            faults.append(str(error))
            continue
        for family, address in candidates:
            try:
                return _connect(family, address, seconds, source_ip), f"{address[0]}:{address[1]}"
            except OSError as error:
                faults.append(f"{address[0]}:{address[1]}: {error.strerror or error}")
            except gevent.Timeout:
                faults.append(f"{address[0]}:{address[1]}: no answer within {seconds:g} s")
    raise EmgError("; ".join(faults) or "no address to dial")


def _connect(family: int, address: tuple[str, int], seconds: float, source_ip: str) -> Socket:
    sock = Socket(family)
    try:
        if source_ip:
            sock.bind((source_ip, 0))
        with gevent.Timeout(seconds):
            sock.connect(address)
        tune(sock)
    except BaseException:
        sock.close()
        raise
    return sock
