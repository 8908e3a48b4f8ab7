"""Reading what a delivery report says, quickly and without the gateway's own receipt code: its id and its state.

Parameters come first (SMPP 3.4 §5.3.2.12, §5.3.2.35), then the text (appendix B). What is in neither is empty. Nothing here fails.
"""

from typing import Final

from emg.tools.receipts import MESSAGE_STATE, RECEIPTED_MESSAGE_ID, STATES
from emg.wire.smpp.names import ESM_INTERMEDIATE, ESM_RECEIPT, ESM_TYPE

_NAMES: Final = {number: name for name, number in reversed(STATES.items())}


def is_report(esm_class: int) -> bool:
    """A receipt or an intermediate notification (SMPP 3.4 §5.2.12)."""
    return esm_class & ESM_TYPE in (ESM_RECEIPT, ESM_INTERMEDIATE)


def read(text: bytes, tlvs: tuple[tuple[int, bytes], ...]) -> tuple[str, str]:
    """(message id, state by its seven-letter name)."""
    message_id = state = ""
    for tag, value in tlvs:
        if tag == RECEIPTED_MESSAGE_ID:
            message_id = value.rstrip(b"\0").decode("latin-1")
        elif tag == MESSAGE_STATE and len(value) == 1:
            state = _NAMES.get(value[0], "UNKNOWN")
    if message_id and state:
        return message_id, state
    shown = text.decode("latin-1")
    return message_id or _word(shown, "id:"), state or _word(shown, "stat:").upper()


def _word(text: str, key: str) -> str:
    at = text.lower().find(key)
    return text[at + len(key) :].partition(" ")[0] if at >= 0 else ""
