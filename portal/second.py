"""The second factor: six digits that a telephone makes anew each 30 seconds (TOTP, RFC 6238), and ten recovery codes for who has lost it.

The key that the telephone holds is HMAC-SHA256 of the portal's own secret (`portal.secret`), the person, and random octets; the table keeps the latter alone. So whoever reads
the database, or a backup of it, can make no codes. With another `portal.key` all second factors are of no use: people log in with recovery codes,
or `emg user reset` takes theirs away.

A code counts 30 seconds longer than it is shown, for clocks that are not right, and no code counts twice.
"""

import base64
import hashlib
import hmac
import io
import re
import secrets
from typing import Final

import pyotp
import segno
from flask import current_app

STEP: Final = 30
CODES: Final = 10
_RECOVERY: Final = re.compile(r"[A-Z2-7]{16}")
_OCTETS: Final = 20
"""Of a key, as RFC 4226 wants it."""


def seed() -> str:
    """What the table keeps."""
    return secrets.token_hex(16)


def key(seed: str, user: int) -> str:
    """What the telephone holds, in base32."""
    about = f"second factor {user} {seed}".encode()
    return base64.b32encode(hmac.digest(_secret(), about, hashlib.sha256)[:_OCTETS]).decode()


def _secret() -> bytes:
    secret = current_app.secret_key
    assert secret, "the portal has a secret"
    return secret if isinstance(secret, bytes) else secret.encode()


def step_of(key: str, code: str, now: float) -> int | None:
    """The step (30 seconds, counted from 1970) of which this is the code, if that is this one or one beside it."""
    digits = "".join(code.split())
    if not (len(digits) == 6 and digits.isascii() and digits.isdigit()):
        return None
    made = pyotp.TOTP(key, interval=STEP)
    steps = [int(now // STEP) + away for away in (0, -1, 1)]
    right = [step for step in steps if hmac.compare_digest(made.generate_otp(step), digits)]
    return max(right, default=None)


def recovery_codes() -> list[str]:
    """Ten, of 80 random bits each, as they are shown."""
    return [
        "-".join(text[at : at + 4] for at in range(0, 16, 4))
        for text in (base64.b32encode(secrets.token_bytes(10)).decode() for _ in range(CODES))
    ]


def plain(code: str) -> str:
    """A recovery code as it is kept, however it was typed; empty: it is none."""
    text = re.sub(r"[\s-]", "", code).upper()
    return text if _RECOVERY.fullmatch(text) else ""


def address(key: str, name: str, server: str) -> str:
    """What the picture says to the telephone (otpauth://…)."""
    return pyotp.TOTP(key, interval=STEP).provisioning_uri(name=name, issuer_name=server or "EMG")


def picture(text: str) -> str:
    """A QR code of it, as a picture for `<img src=…>`."""
    svg = io.BytesIO()
    segno.make(text, error="m").save(svg, kind="svg", scale=5, border=3, dark="#000", light="#fff", xmldecl=False)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.getvalue()).decode()
