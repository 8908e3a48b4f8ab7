"""A mail server for tests: it speaks SMTP (RFC 5321) on a port of its own, keeps what it gets, and misbehaves as told.

`answers` maps a command to what is said to it instead of the usual: a code with text, HANG (no answer), or DROP (the connection is closed). Of `DATA` it is
the answer to the command, of `.` that to the mail itself. With a certificate it speaks TLS: from the first octet, or after STARTTLS.
"""

import email
import socket
import ssl
import threading
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from typing import BinaryIO, cast

from tests.certificates import Pair

HANG, DROP = "hang", "drop"
USUAL = {
    "greeting": "220 here", "EHLO": "250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS", "HELO": "250 here", "AUTH": "235 welcome", "STARTTLS": "220 go",
    "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 taken", "RSET": "250 ok", "QUIT": "221 bye",
}  # fmt: skip


class MailServer:
    """Use it as a context; `port` is where it listens."""

    def __init__(self, certificate: Pair | None = None, *, starttls: bool = False, **answers: str) -> None:
        self.answers = USUAL | answers
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.commands: list[str] = []
        self.connections = 0
        self.before_answer: Callable[[str], None] = lambda _command: None
        """Called with each command before it is answered, `.` when the mail is there."""
        self._starttls = starttls
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate.cert, certificate.key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "MailServer":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(10)
            try:
                if self._tls is not None and not self._starttls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._talk(connection)
            except OSError:
                pass  # the client went away, as it may
            finally:
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        """One session, up to its end or to STARTTLS, after which another begins."""
        wrapped: socket.socket | None = None
        with cast("BinaryIO", connection.makefile("rwb")) as stream:
            if not (isinstance(connection, ssl.SSLSocket) and self._starttls) and not self._answer("greeting", stream):
                return
            while wrapped is None and (line := stream.readline().decode().strip()):
                command = line.split()[0].upper()
                self.commands.append(line)
                if not self._answer(command, stream):
                    return
                if command == "RCPT":
                    self.recipients.append(line.partition("<")[2].rstrip(">"))
                elif command == "DATA" and self.answers["DATA"].startswith("3"):
                    if not self._take(stream):
                        return
                elif command == "STARTTLS" and self._tls is not None:
                    wrapped = self._tls.wrap_socket(connection, server_side=True)
        if wrapped is not None:
            with wrapped:
                self._talk(wrapped)

    def _take(self, stream: BinaryIO) -> bool:
        octets = b""
        while (part := stream.readline()) != b".\r\n":
            if not part:
                return False
            octets += part[1:] if part.startswith(b"..") else part
        if self.answers["."][:3] in {"250", HANG[:3], DROP[:3]}:
            self.mails.append(email.message_from_bytes(octets, policy=default))
        return self._answer(".", stream)

    def _answer(self, command: str, stream: BinaryIO) -> bool:
        self.before_answer(command)
        wanted = self.answers.get(command, "502 what?")
        if wanted == HANG:
            stream.readline()
        if wanted in {HANG, DROP}:
            return False
        stream.write(wanted.encode() + b"\r\n")
        stream.flush()
        return command != "QUIT"
