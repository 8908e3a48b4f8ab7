"""A mail server for tests: it speaks SMTP (RFC 5321) on a port of its own, keeps what it gets, and misbehaves as told.

`answers` maps a command to what is said to it instead of the usual: a code with text, HANG (no answer), or DROP (the connection is closed). Of `DATA` it is
the answer to the command, of `.` that to the mail itself.
"""

import email
import socket
import threading
from email.message import EmailMessage
from email.policy import default

HANG, DROP = "hang", "drop"
USUAL = {
    "EHLO": "250 here",
    "HELO": "250 here",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    ".": "250 taken",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class MailServer:
    """Use it as a context; `port` is where it listens."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
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
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(10)
                try:
                    self._talk(stream)
                except OSError:
                    continue

    def _talk(self, stream: object) -> None:
        read, write = stream.readline, stream.write  # type: ignore[attr-defined]

        def say(text: str) -> None:
            write(text.encode() + b"\r\n")
            stream.flush()  # type: ignore[attr-defined]

        say(self.answers.get("greeting", "220 here"))
        while line := read().decode().strip():
            command = line.split()[0].upper()
            if not self._answer(command, say, read):
                return
            if command == "RCPT":
                self.recipients.append(line.partition("<")[2].rstrip(">"))
            if command == "DATA" and self.answers.get("DATA", "354").startswith("3"):
                octets = b""
                while (part := read()) != b".\r\n":
                    if not part:
                        return
                    octets += part[1:] if part.startswith(b"..") else part
                if self.answers.get(".", "250").startswith("250") or self.answers["."] in (HANG, DROP):
                    self.mails.append(email.message_from_bytes(octets, policy=default))
                if not self._answer(".", say, read):
                    return

    def _answer(self, command: str, say: object, read: object) -> bool:
        wanted = self.answers.get(command, USUAL.get(command, "502 what?"))
        if wanted == HANG:
            read()  # type: ignore[operator]
            return False
        if wanted == DROP:
            return False
        say(wanted)  # type: ignore[operator]
        return command != "QUIT"
