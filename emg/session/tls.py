"""TLS as a pipe without I/O: cipher octets in and out, plain octets in and out.

Built on OpenSSL's memory buffers, so that TLS sessions use the very driver that plain ones use and a handshake that never ends is an
ordinary deadline. Contexts are made once a connector from its SSL_ keywords by `server_context` and `client_context`; their faults
(no such file, key and certificate that do not belong together) are `ConfigError`s at start, not surprises at the first connection.
A failed handshake or a bad record is a `RemoteProtocolError`.
"""

import ssl
from pathlib import Path

from emg.errors import ConfigError, EmgError, RemoteProtocolError

PENDING_LIMIT = 262144


class Context(ssl.SSLContext):
    """A context that knows which file its own certificate was read from: one that is renewed on disk is not shown before a reload."""

    stamp = ""
    """`stamp_of` the certificate's file when it was read; empty without a certificate."""


def stamp_of(path: str) -> str:
    """What tells a file from the one that takes its place; empty when there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_dev}.{found.st_ino}.{found.st_size}.{found.st_mtime_ns}"


def server_context(key_file: str, cert_file: str, ca_file: str = "", *, client_certificate: bool = False) -> Context:
    """Context of a listening connector. `cert_file` may be empty when the key file holds both. Raises ConfigError."""
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    _load_chain(context, key_file, cert_file)
    if ca_file:
        _load_authorities(context, ca_file)
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(ca_file: str = "", key_file: str = "", cert_file: str = "", *, verify: str = "host") -> Context:
    """Context of a dialling connector. `verify`: `host` (chain and name), `peer` (chain alone), `none`. Raises ConfigError."""
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = verify == "host"
    context.verify_mode = ssl.CERT_NONE if verify == "none" else ssl.CERT_REQUIRED
    if ca_file:
        _load_authorities(context, ca_file)
    elif verify != "none":
        context.load_default_certs()
    if key_file or cert_file:
        _load_chain(context, key_file, cert_file)
    return context


def _load_chain(context: Context, key_file: str, cert_file: str) -> None:
    context.stamp = stamp_of(cert_file or key_file)  # before: a file that comes meanwhile is another one
    try:
        context.load_cert_chain(cert_file or key_file, key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(cert_file or key_file, 0, f"no usable certificate and key: {error}") from error


def _load_authorities(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(ca_file, 0, f"no usable certificates of authorities: {error}") from error


class TlsPipe:
    """One TLS session without a socket. Raises EmgError for a `server_name` that can't be one."""

    __slots__ = ("_cipher_in", "_cipher_out", "_done", "_pending", "_tls")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None = None) -> None:
        self._cipher_in = ssl.MemoryBIO()
        self._cipher_out = ssl.MemoryBIO()
        try:
            self._tls = context.wrap_bio(self._cipher_in, self._cipher_out, server_side, server_name)
        except (ValueError, TypeError) as error:
            raise EmgError(f"TLS: {server_name!r} cannot be the name of a server: {error}") from error
        self._done = False
        self._pending = bytearray()
        if not server_side:
            self._shake()

    @property
    def ready(self) -> bool:
        """The handshake is over."""
        return self._done

    def describe(self) -> str:
        """Protocol and cipher, for the log."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} {cipher[0]}" if cipher else "no TLS yet"

    def receive(self, cipher: bytes) -> bytes:
        """Cipher octets from the peer to plain octets. Raises RemoteProtocolError (fatal)."""
        self._cipher_in.write(cipher)
        if not self._done:
            self._shake()
            if not self._done:
                return b""
        plain = []
        try:
            while True:
                data = self._tls.read(65536)
                if not data:
                    break
                plain.append(data)
        except ssl.SSLWantReadError:
            pass  # the record is not complete yet
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS: {error.reason or error}", 0, fatal=True) from error
        return b"".join(plain)

    def send(self, plain: bytes) -> bytes:
        """Plain octets to cipher octets, together with what the handshake has to say. Kept until the handshake is over."""
        if plain and not self._done:
            if len(self._pending) + len(plain) > PENDING_LIMIT:
                raise RemoteProtocolError("TLS: too much to say before the handshake is over", 0, fatal=True)
            self._pending += plain
        elif plain:
            self._write(plain)
        return self._cipher_out.read()

    def close(self) -> bytes:
        """The cipher octets that say goodbye (close_notify): without them the peer can't tell an end from a cut. Once."""
        try:
            self._tls.unwrap()
        except (ssl.SSLError, ValueError):
            pass  # the peer's own goodbye is not waited for, and after a fault there is none
        return self._cipher_out.read()

    def _write(self, plain: bytes) -> None:
        try:
            self._tls.write(plain)
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS: {error.reason or error}", 0, fatal=True) from error

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise RemoteProtocolError(f"TLS handshake: {error.reason or error}", 0, fatal=True) from error
        self._done = True
        if self._pending:
            self._write(bytes(self._pending))
            self._pending.clear()
