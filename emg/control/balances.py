"""Balances as a running gateway tells them, for the shell and the portal. They are ahead of the database's by what the recorder has not written yet."""

from collections.abc import Mapping
from typing import Any


def told(answer: Any) -> Mapping[str, int]:
    """Micro-units by account, of the answer to `/accounts` or `/accounts/NAME`; empty for None, and for an answer of another version."""
    try:
        rows = answer.get("accounts", [answer])
        return {row["account"]: row["balance"] for row in rows if isinstance(row.get("balance"), int)}
    except (KeyError, TypeError, AttributeError):
        return {}
