"""What can be tried of connectors before anything is changed: whether their certificates can be used, and their addresses be listened on.

A reload that finds a fault here leaves everything as it is. What another program does between the trial and the change is not foreseen.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from emg.config.connector import ConnectorConfig
from emg.config.model import ConnectorType, SslVerify
from emg.errors import EmgError
from emg.session.listen import try_to_bind
from emg.session.tls import Context, client_context, server_context

log = logging.getLogger("emg.gateway")
_VERIFY = {SslVerify.HOST: "host", SslVerify.PEER: "peer", SslVerify.NONE: "none"}


def context_of(config: ConnectorConfig) -> Context | None:
    """What its SSL_ keywords ask for, from the files as they are now; None without SSL. Raises ConfigError."""
    if not config.ssl:
        return None
    key, cert, authorities = config.ssl_keyfile or "", config.ssl_certfile or "", config.ssl_cafile or ""
    if config.type is ConnectorType.INCOMING:
        return server_context(key, cert, authorities, client_certificate=config.ssl_client_cert)
    return client_context(authorities, key, cert, verify=_VERIFY[config.ssl_verify])


def rehearse(
    connectors: Iterable[ConnectorConfig], to_start: Collection[str], ours: Collection[int]
) -> dict[str, Context | None]:
    """The TLS contexts of these connectors; those `to_start` must be able to listen, but on ports that are `ours` already. Raises EmgError."""
    contexts, faults = {}, []
    for config in connectors:
        try:
            contexts[config.name] = context_of(config)
            if config.name in to_start and config.type is ConnectorType.INCOMING and config.instances:
                try_to_bind([(each.host, each.port) for each in config.address if each.port not in ours])
        except EmgError as error:
            faults.append(f"connector {config.name}: {error}")
    if faults:
        raise EmgError("\n".join(faults))
    return contexts


class Secured(Protocol):
    """A connector, as far as its sessions show a certificate."""

    tls: Context | None


def show(connectors: Mapping[str, Secured], contexts: Mapping[str, Context | None]) -> list[str]:
    """Have new sessions show these certificates; the connectors that show another one than before."""
    renewed = []
    for name in sorted(contexts.keys() & connectors.keys()):
        connector, context = connectors[name], contexts[name]
        if connector.tls is not None and context is not None and connector.tls.stamp != context.stamp:
            renewed.append(name)
        connector.tls = context
    if renewed:
        log.info("renewed certificates are shown by %s", ", ".join(renewed))
    return renewed
