"""The messages that `emg load` sends: who to whom, which text, with which tag.

`Traffic.each` gives (tag, submit_sm) without end; the caller decides how many it takes. The text is the tag, a blank and the given text, cut or filled with
dots to `size` characters where one is given. Text beyond one short_message travels in message_payload (SMPP 3.4 §5.3.2.32); with `parts` > 1 every
message is one part of a long one, with a user data header (3GPP TS 23.040 §9.2.3.24.1) and a tag of its own.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from emg.message import Encoding
from emg.text import coding
from emg.tools import tags
from emg.tools.options import Numbers
from emg.wire.smpp.names import ESM_UDHI, Tag
from emg.wire.smpp.pdus import SubmitSm

_SHORT: Final = 254
"""Octets that a short_message may have in SMPP 3.4 (§5.2.22)."""
_PART: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}
"""Characters of one part behind a header with an 8-bit reference."""
_DATA_CODING: Final = {Encoding.GSM7: 0, Encoding.UCS2: 8}


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the messages look like."""

    run: str
    senders: Numbers
    recipients: Numbers
    text: str = "test message"
    size: int = 0
    parts: int = 1
    registered_delivery: int = 0
    data_coding: int = -1
    """-1: as the text needs it."""

    def each(self) -> Iterator[tuple[str, SubmitSm]]:
        """(tag, submit_sm), numbered from 1, without end. Raises TextError at the first one for text that no encoding holds."""
        encoding, _ = coding.from_text(self.text)
        data_coding = _DATA_CODING[encoding] if self.data_coding < 0 else self.data_coding
        size = _PART[encoding] if self.parts > 1 else self.size
        filling = coding.encode(" " + self.text + "." * size, encoding)
        tail = coding.encode(" " + self.text, encoding)
        width = 2 if encoding is Encoding.UCS2 else 1
        headers = self._headers()
        senders, recipients = self.senders.each(), self.recipients.each()
        source_ton, source_npi = _kind(self.senders)
        dest_ton, dest_npi = _kind(self.recipients)
        esm_class = ESM_UDHI if self.parts > 1 else 0
        source = dest = ""
        for number in itertools.count(1):
            tag = f"{self.run}{number}"
            head = tag.encode("utf-16-be" if width > 1 else "latin-1")
            body = (head + filling)[: size * width] if size else head + tail
            header = next(headers)
            # all parts of a long message are between the same two
            if self.parts == 1 or number % self.parts == 1:
                source, dest = next(senders), next(recipients)
            long = len(header) + len(body) > _SHORT
            yield (
                tag,
                SubmitSm(
                    source_addr_ton=source_ton,
                    source_addr_npi=source_npi,
                    source_addr=source,
                    dest_addr_ton=dest_ton,
                    dest_addr_npi=dest_npi,
                    destination_addr=dest,
                    esm_class=esm_class,
                    registered_delivery=self.registered_delivery,
                    data_coding=data_coding,
                    short_message=b"" if long else header + body,
                    tlvs=((int(Tag.MESSAGE_PAYLOAD), header + body),) if long else (),
                ),
            )

    def _headers(self) -> Iterator[bytes]:
        if self.parts == 1:
            yield from itertools.repeat(b"")
        for reference in itertools.count():
            for number in range(1, self.parts + 1):
                yield bytes((5, 0, 3, reference & 0xFF, self.parts, number))


def _kind(numbers: Numbers) -> tuple[int, int]:
    """TON and NPI of such addresses: a name, a short code, or an international number."""
    if not numbers.prefix.isdigit():
        return 5, 0
    return (1, 1) if len(numbers.prefix) + numbers.digits > 6 else (0, 1)


def own_run() -> str:
    """A prefix for the tags of this run."""
    return tags.new_run()
