"""Alerts as JSON to a web address: one POST with all news, signed so that the receiver can tell that it is from us, and when.

    X-EMG-Timestamp: 1795456931                     seconds since 1970
    X-EMG-Signature: sha256=<hex>                   HMAC-SHA256 of timestamp, ".", body; the key is ALERT_WEBHOOK_SECRET
    X-EMG-Delivery: <id>                            the same when it is tried again

2xx means taken; everything else, a redirection too, is tried again. The address is a secret (its path often is a key): errors name its host alone.
"""

import hashlib
import hmac
import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from watchdog.alerts import Notice
from watchdog.channels import words
from watchdog.channels.channel import DEADLINE, NotTold
from watchdog.model import Severity
from watchdog.settings import WebhookSettings

MOST_ANSWER: Final = 65536
"""Octets of an answer that are read."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-EMG-Signature."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


class Webhook:
    """See the module's text."""

    name = "webhook"
    level = Severity.WARNING
    summary = True
    longest_pause = 600.0

    def __init__(self, settings: WebhookSettings, host: str) -> None:
        self._parts = urlsplit(settings.url)
        self._secret = settings.secret
        self._host = host

    def send(self, notices: Sequence[Notice], more: int, at: float) -> str:
        """One request."""
        body = json.dumps(words.document(self._host, notices, more, at)).encode()
        timestamp = f"{at:.0f}"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "EMG-watchdog",
            "X-EMG-Timestamp": timestamp,
            "X-EMG-Signature": signature(self._secret, timestamp, body),
            "X-EMG-Delivery": words.letter_id(self._host, notices),
        }
        place = self._parts.path or "/"
        if self._parts.query:
            place += f"?{self._parts.query}"
        try:
            connection = self._connection()
            try:
                connection.request("POST", place, body, headers)
                answer = connection.getresponse()
                answer.read(MOST_ANSWER)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise NotTold(f"{self._parts.hostname}: {str(error) or type(error).__name__}") from None
        if not 200 <= answer.status < 300:
            raise NotTold(f"{self._parts.hostname}: {answer.status} {answer.reason}")
        return ""

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=DEADLINE, context=context)
        return http.client.HTTPConnection(host, port, timeout=DEADLINE)
