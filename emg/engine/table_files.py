"""The tables that the configuration names as files: ROUTES, PRICES, BLACKLIST, WHITELIST, RETRYSCHEME.

Texts are read at a start and at a reload, and kept: a change of the database's tables must not pick up a file that somebody is
writing. What is wrong with one is an EmgError that names the file and every faulty row.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import msgspec

from emg.config.model import ConnectorConfig, ServerConfig
from emg.errors import EmgError
from emg.rules import retry_smpp
from emg.rules.blocklist import AddressList
from emg.rules.prices import PriceTable
from emg.rules.retry import DEFAULT_INTERVALS, RetryScheme
from emg.rules.routes import RouteTable

T = TypeVar("T")


class FilesFaulty(EmgError):
    """One of these files can't be used."""


class TableFiles(msgspec.Struct, frozen=True):
    """The texts, by what they are; None for what the configuration does not name."""

    routes: str | None = None
    prices: str | None = None
    blacklist: str | None = None
    whitelist: str | None = None


def read(config: ServerConfig) -> TableFiles:
    """The files of a configuration. Raises EmgError."""
    return TableFiles(*(None if name is None else _text_of(name) for name in _names(config)))


def _names(config: ServerConfig) -> tuple[str | None, ...]:
    return config.routes, config.prices, config.blacklist, config.whitelist


def routes_of(config: ServerConfig, text: str, connectors: Collection[str]) -> RouteTable:
    """The routing table. Raises EmgError with all its faults."""
    return _parsed(config.routes, lambda: RouteTable.parse(text, connectors))


def prices_of(config: ServerConfig, text: str) -> PriceTable:
    """The price table. Raises EmgError with all its faults."""
    return _parsed(config.prices, lambda: PriceTable.parse(text))


def list_of(name: str | None, text: str | None, *, white: bool) -> AddressList:
    """A block list, empty where there is no file. Raises EmgError with all its faults."""
    return AddressList() if text is None else _parsed(name, lambda: AddressList.parse(text, white=white))


def scheme_of(config: ConnectorConfig) -> RetryScheme:
    """The retry scheme of a connector, on top of the built-in one of its direction. Raises EmgError."""
    base = retry_smpp.OPERATOR if config.type.name == "OUTGOING" else retry_smpp.CUSTOMER
    pauses = (config.retrytime,) if config.retrytime else DEFAULT_INTERVALS
    if config.retryscheme is not None:
        text = _text_of(config.retryscheme)
        return _parsed(config.retryscheme, lambda: RetryScheme.parse(text, retry_smpp.NAMES, base, pauses))
    return RetryScheme({}, [], None, base, pauses) if config.retrytime else base


def _parsed(name: str | None, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except EmgError as faults:
        raise FilesFaulty(f"{name}: {faults}") from faults


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FilesFaulty(f"{path}: {error}") from error
