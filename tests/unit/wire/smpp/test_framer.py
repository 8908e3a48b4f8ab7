"""The framer keeps one incomplete PDU at most, and its work grows with the octets, not with how they are cut."""

import struct

import pytest

from emg.errors import RemoteProtocolError
from emg.wire.smpp.framer import Framer


def frame(size: int) -> bytes:
    return struct.pack(">4I", size, 4, 0, 1) + bytes(size - 16)


def test_a_pdu_of_exactly_the_limit_is_taken_and_one_more_is_not() -> None:
    assert Framer(limit=1000).feed(frame(1000)) == [frame(1000)]
    with pytest.raises(RemoteProtocolError):
        Framer(limit=1000).feed(frame(1001))


def test_nothing_is_kept_when_all_was_whole() -> None:
    framer = Framer()
    assert framer.feed(frame(16) * 3) == [frame(16)] * 3
    assert not framer._rest
    assert framer.feed(b"") == []


def test_at_most_one_incomplete_pdu_is_kept() -> None:
    framer = Framer(limit=1000)
    for _ in range(50):
        framer.feed(frame(1000) + frame(1000)[:999])
        assert len(framer._rest) == 999
        assert framer.feed(b"\0") == [frame(1000)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 15, 16, 17, 31, 4096])
def test_pieces_of_any_size_give_the_same_frames(size: int) -> None:
    frames = [frame(16), frame(17), frame(300), frame(16), frame(5000)]
    stream = b"".join(frames)
    framer = Framer()
    assert [got for at in range(0, len(stream), size) for got in framer.feed(stream[at : at + size])] == frames


def test_a_long_pdu_in_single_octets_is_not_looked_at_each_time() -> None:
    """Only the fourth and the last octet make it look; in between it just adds them."""
    framer = Framer()
    stream = frame(60000)
    framer.feed(stream[:4])
    for octet in stream[4:-1]:
        assert framer.feed(bytes([octet])) == []
        assert framer._need == 60000
    assert framer.feed(stream[-1:]) == [stream]


def test_frames_are_bytes_of_their_own() -> None:
    buffer = bytearray(frame(16))
    (got,) = Framer().feed(bytes(buffer))
    buffer[15] = 9
    assert got == frame(16)
    assert isinstance(got, bytes)
