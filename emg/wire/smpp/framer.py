"""A byte stream cut into whole PDUs by their command_length (SMPP 3.4 §3.2).

Bytes are copied at most twice, however they are cut; at most one incomplete PDU (`limit` octets) is kept. A length that
can't be true (a web browser, a TLS hello, a stream out of step) is noticed as soon as its four octets are there, before
anything is kept for it; after that the stream can't be trusted, and every further `feed` raises the same error.
"""

import struct

from emg.errors import RemoteProtocolError
from emg.wire.smpp.names import Status
from emg.wire.smpp.pdus import BY_COMMAND

_HEADER_SIZE = 16
_LENGTH_SIZE = 4
_length = struct.Struct(">I").unpack_from
_command_and_sequence = struct.Struct(">4xI4xI").unpack_from


class Framer:
    """One direction of one connection."""

    __slots__ = ("_error", "_limit", "_need", "_rest", "frames_before_bad", "sequence_of_bad")

    def __init__(self, limit: int = 65536) -> None:
        """`limit`: the longest PDU accepted, in octets."""
        self._limit = limit
        self._rest = bytearray()
        self._need = 0  # octets that `_rest` must have before looking again pays
        self._error: RemoteProtocolError | None = None
        self.sequence_of_bad = 0
        """After an error: sequence_number of the PDU with the impossible length, 0 if not known."""
        self.frames_before_bad: list[bytes] = []
        """After an error: the PDUs that the same `feed` had completed before it."""

    def feed(self, data: bytes) -> list[bytes]:
        """The PDUs that `data` completes, in order. Raises `RemoteProtocolError`, fatal, with RINVCMDLEN."""
        if self._error is not None:
            self.frames_before_bad = []
            raise self._error
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return []
            data = bytes(rest)
        frames: list[bytes] = []
        at = 0
        size = len(data)
        need = _LENGTH_SIZE
        while size - at >= _LENGTH_SIZE:
            (length,) = _length(data, at)
            if not _HEADER_SIZE <= length <= self._limit:
                self._fail(data[at : at + _HEADER_SIZE], length, frames)
            if size - at < length:
                need = length
                break
            frames.append(data[at : at + length])
            at += length
        self._need = need
        rest[:] = data[at:] if at < size else b""
        return frames

    def _fail(self, start: bytes, length: int, frames: list[bytes]) -> None:
        """Remember and raise the error. The sequence is only believed beside a command_id that exists."""
        if length >= _HEADER_SIZE == len(start):
            command, sequence = _command_and_sequence(start)
            self.sequence_of_bad = sequence if command in BY_COMMAND else 0
        self.frames_before_bad = frames
        self._rest.clear()
        reason = f"command_length {length} is not between {_HEADER_SIZE} and {self._limit}"
        self._error = RemoteProtocolError(reason, Status.RINVCMDLEN, fatal=True)
        raise self._error
