"""Command line words that the tools share: their value formats, and how a tool ends.

Formats: an address `host:port` or `[v6]:port`; a range `a-b` or one number; a chance `0.05` or `5%`; numbers `prefix:digits` (the
prefix followed by so many random digits, `prefix:digits:seq` counts instead); a time `90`, `90s`, `5m`, `2h`. A value that does not fit is a
`BadArgument` whose sentence names the option. `end` turns what a tool raised into the exit codes: 0 ok, 1 error, 3 bad login, 5 bad argument.
"""

import argparse
import os
import random
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from emg.errors import ConfigError, EmgError
from emg.session import tls

EXIT_OK, EXIT_ERROR, EXIT_LOGIN, EXIT_ARGUMENT = 0, 1, 3, 5

PASSWORD_VARIABLE = "EMG_PASSWORD"  # noqa: S105 - the name of a variable


class BadArgument(EmgError):
    """The command line is wrong; the sentence says what to change."""


class LoginRefused(EmgError):
    """The far side did not accept our bind."""


class Parser(argparse.ArgumentParser):
    """argparse that raises `BadArgument` instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """What argparse calls for a command line that does not fit."""
        raise BadArgument(f"{message} ({self.prog} --help lists the options)")


def end(prog: str, body: Callable[[], int]) -> int:
    """Run a tool's body; print the sentence of an error that it raises, and return the exit code."""
    try:
        return body()
    except BadArgument as error:
        code, sentence = EXIT_ARGUMENT, str(error)
    except LoginRefused as error:
        code, sentence = EXIT_LOGIN, str(error)
    except (EmgError, OSError) as error:
        code, sentence = EXIT_ERROR, str(error) or type(error).__name__
    print(f"{prog}: {sentence}", file=sys.stderr)
    return code


def address(text: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not host:port")
    return host, int(port)


def show_address(host: str, port: int) -> str:
    """The inverse of `address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def span(text: str) -> tuple[float, float]:
    """`a-b` or `a`, neither negative."""
    low, dash, high = text.partition("-")
    try:
        result = float(low), float(high if dash else low)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number or a range a-b") from None
    if not 0 <= result[0] <= result[1] < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: the range runs from the smaller to the larger number")
    return result


def chance(text: str) -> float:
    """A probability, `0.05` or `5%`."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a chance such as 0.05 or 5%") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1 (or 0% and 100%)")
    return value


def seconds(text: str) -> float:
    """`90`, `90s`, `5m`, `2h`, as seconds."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:], 0.0)
    try:
        value = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90, 90s, 5m or 2h") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def check(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not between {low} and {high}")
        return value

    return check


def rate(text: str) -> float:
    """A number a second, 0 for no limit."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1000000")
    return value


@dataclass(frozen=True, slots=True)
class Numbers:
    """`prefix` followed by `digits` digits, random or counting up from 0."""

    prefix: str
    digits: int = 0
    sequential: bool = False

    def each(self) -> Iterator[str]:
        """Numbers without end."""
        prefix, digits, scale = self.prefix, self.digits, 10**self.digits
        if not digits:
            while True:
                yield prefix
        if self.sequential:
            while True:
                for number in range(scale):
                    yield f"{prefix}{number:0{digits}d}"
        draw = random.Random().random
        while True:
            yield f"{prefix}{int(draw() * scale):0{digits}d}"


def numbers(text: str) -> Numbers:
    """`prefix`, `prefix:digits`, or `prefix:digits:seq`."""
    prefix, colon, rest = text.partition(":")
    digits, _, order = rest.partition(":")
    if (colon and not digits.isdigit()) or order not in ("", "seq", "random"):
        raise argparse.ArgumentTypeError(f"{text!r} is not prefix, prefix:digits or prefix:digits:seq")
    result = Numbers(prefix, int(digits or 0), order == "seq")
    # 15 digits keep the random draw, a double, exact; 20 is what the address fields hold (SMPP 3.4 §5.2.8)
    if result.digits > 15 or len(prefix) + result.digits > 20:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than an address may be (20)")
    return result


def add_login(parser: argparse.ArgumentParser, system_id: str | None) -> None:
    """--system-id with this default, --password (or the environment), --system-type."""
    shown = f" (default {system_id})" if system_id else ""
    parser.add_argument("--system-id", default=system_id, metavar="NAME", help=f"account to log in with{shown}")
    parser.add_argument("--password", metavar="WORD", help=f"its password (default: ${PASSWORD_VARIABLE}, or none)")
    parser.add_argument("--system-type", default="", metavar="TYPE")


def password(given: str | None) -> str:
    """The option's value, or the environment's."""
    return os.environ.get(PASSWORD_VARIABLE, "") if given is None else given


def add_client_tls(parser: argparse.ArgumentParser) -> None:
    """Options of a TLS client."""
    group = parser.add_argument_group("TLS")
    group.add_argument("--tls", action="store_true", help="connect with TLS and check the certificate")
    group.add_argument("--tls-ca", metavar="FILE", help="certificates to trust instead of the system's")
    group.add_argument("--tls-no-check", action="store_true", help="take any certificate")
    group.add_argument("--tls-cert", metavar="FILE", help="our own certificate (PEM, with the chain)")
    group.add_argument("--tls-key", metavar="FILE", help="its key, if it is in another file")


def client_tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The context for what `add_client_tls` read; None without TLS. Raises BadArgument for files that do not load."""
    if not (options.tls or options.tls_ca or options.tls_no_check or options.tls_cert):
        return None
    verify = "none" if options.tls_no_check else "host"
    try:
        return tls.client_context(options.tls_ca or "", options.tls_key or "", options.tls_cert or "", verify=verify)
    except ConfigError as error:
        raise BadArgument(f"TLS: {error}") from None


def add_server_tls(parser: argparse.ArgumentParser) -> None:
    """Options of a TLS server."""
    group = parser.add_argument_group("TLS")
    group.add_argument("--tls-cert", metavar="FILE", help="serve TLS with this certificate (PEM, with the chain)")
    group.add_argument("--tls-key", metavar="FILE", help="its key, if it is in another file")
    group.add_argument("--tls-client-ca", metavar="FILE", help="ask clients for a certificate signed by one of these")


def server_tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The context for what `add_server_tls` read; None without TLS. Raises BadArgument for files that do not load."""
    if not options.tls_cert:
        if options.tls_client_ca or options.tls_key:
            raise BadArgument("--tls-key and --tls-client-ca need --tls-cert")
        return None
    ask = bool(options.tls_client_ca)
    try:
        return tls.server_context(
            options.tls_key or "", options.tls_cert, options.tls_client_ca or "", client_certificate=ask
        )
    except ConfigError as error:
        raise BadArgument(f"TLS: {error}") from None


def version(text: str) -> int:
    """`33`, `34` or `50`: the interface version as it stands on the wire."""
    found = {"33": 0x33, "3.3": 0x33, "34": 0x34, "3.4": 0x34, "50": 0x50, "5.0": 0x50}.get(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not 33, 34 or 50")
    return found


def weights(names: Sequence[str]) -> Callable[[str], dict[str, float]]:
    """`NAME=95,OTHER=5` over the given names; shares of their sum."""

    def check(text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for each in text.split(","):
            name, _, weight = each.partition("=")
            name = name.strip().upper()
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
            try:
                found[name] = float(weight or 1)
            except ValueError:
                raise argparse.ArgumentTypeError(f"{weight!r} is not a number") from None
        if min(found.values()) < 0 or not 0 < sum(found.values()) < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r}: the weights are not negative and not all 0")
        return found

    return check
