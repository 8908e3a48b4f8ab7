"""What the tests on bytes share: the four ways in which every codec case runs."""

from collections.abc import Callable

import pytest

from emg.wire.smpp.codec import decode, encode
from emg.wire.smpp.framer import Framer
from emg.wire.smpp.pdus import Pdu

Check = Callable[..., None]


@pytest.fixture
def check_pdu() -> Check:
    """`check(frame, expected)` reads a frame whole, byte by byte and with the next one behind it, and writes it again.

    `canonical=False` for frames that we accept but would write differently: those come back equal, not octet by octet.
    """

    def check(frame: bytes, expected: Pdu, canonical: bool = True) -> None:
        assert decode(frame) == expected
        framer = Framer()
        assert [got for octet in frame for got in framer.feed(bytes([octet]))] == [frame]
        framer = Framer()
        assert framer.feed(frame + frame[:9]) == [frame]
        assert framer.feed(frame[9:]) == [frame]
        assert decode(encode(expected)) == expected
        if canonical:
            assert encode(expected) == frame

    return check
