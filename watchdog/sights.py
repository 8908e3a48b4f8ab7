"""What the system says: a process, a file system, the memory, a certificate, the recorder's file. Each function looks once; those that touch a disk may hang.

Raises OSError where something can't be read, and EmgError with a sentence where it makes no sense.
"""

import base64
import binascii
import datetime as dt
import os
import resource
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from emg.errors import EmgError
from emg.recorder.standing import FILE as RECORDER_FILE
from emg.recorder.standing import Standing
from emg.session.tls import stamp_of
from watchdog.model import CertificateFacts, DiskFacts, RecorderFacts

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
LARGEST_FILE: Final = 1 << 20
"""Octets of a certificate's or the recorder's file; longer ones are none."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Process(NamedTuple):
    """From /proc/PID/stat."""

    state: str
    parent: int
    cpu_seconds: float
    born: int
    resident: int


def read_stat(pid: int) -> Process:
    """One process. Raises OSError when there is none."""
    octets = Path(f"/proc/{pid}/stat").read_bytes()
    words = octets[octets.rindex(b")") + 2 :].split()  # its name, in parentheses, may hold anything
    return Process(
        words[0].decode("ascii"),
        int(words[1]),
        (int(words[11]) + int(words[12])) / TICKS,
        int(words[19]),
        int(words[21]) * PAGE,
    )


def age(born: int) -> float:
    """Seconds since that tick, asleep or not."""
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - born / TICKS)


def open_files(pid: int) -> tuple[int, int | None]:
    """(open file descriptors, how many it may have: None without a bound). Raises OSError, also when it is another user's."""
    folder = Path(f"/proc/{pid}/fd")
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]
    # newer systems tell the number as the folder's size
    count = folder.stat().st_size or sum(1 for _ in folder.iterdir())
    return count, None if limit == resource.RLIM_INFINITY else limit


def memory() -> tuple[int, int]:
    """(octets that programs could still have, octets that there are)."""
    rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    return tuple(int(rows[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))  # type: ignore[return-value]


class Disk(NamedTuple):
    """A file system, and which one it is."""

    device: int
    facts: DiskFacts


def read_disk(folder: str) -> Disk:
    """The file system of a folder; of the nearest that exists above it, where it is not made yet."""
    path = Path(folder).absolute()
    while True:
        try:
            found, device = os.statvfs(path), path.stat().st_dev
        except FileNotFoundError:
            path = path.parent
            continue
        facts = DiskFacts(
            path=folder,
            size=(found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize,  # without what is root's alone
            free=found.f_bavail * found.f_frsize,
            inodes=found.f_files,
            inodes_free=found.f_favail,
        )
        return Disk(device, facts)


def read_recorder(folder: str) -> RecorderFacts:
    """What the recorder says in the spool's folder."""
    octets = _read(f"{folder}/{RECORDER_FILE}")
    try:
        said = msgspec.json.decode(octets, type=Standing)
    except msgspec.MsgspecError as error:
        raise EmgError(f"{RECORDER_FILE} is damaged: {error}") from error
    return RecorderFacts(said.process, said.at, said.position, said.last, said.lag_events, said.lag_seconds, said.error)


def read_certificate(path: str, used_by: str, stamps: Collection[str] = ()) -> CertificateFacts:
    """The certificate that ends first of those in a PEM file: with one of the chain the whole chain is over. Never raises.

    `stamps`: which file it was when the gateway read it.
    """
    unread = any(stamp != stamp_of(path) for stamp in stamps)
    try:
        ends = [_ends(der) for der in _certificates(_read(path).decode("latin-1"))]
    except OSError as error:
        return CertificateFacts(path, used_by, None, error.strerror or str(error))
    except (ValueError, IndexError):
        return CertificateFacts(path, used_by, None, "it is damaged")
    if not ends:
        return CertificateFacts(path, used_by, None, "there is none in that file")
    return CertificateFacts(path, used_by, min(ends), unread=unread)


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(LARGEST_FILE)


def _certificates(text: str) -> Iterator[bytes]:
    """The DER form of each certificate of a PEM file (RFC 7468). Raises ValueError."""
    for piece in text.split(_BEGIN)[1:]:
        body, end, _rest = piece.partition(_END)
        if not end:
            raise ValueError("a certificate without its end")
        try:
            yield base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from error


def _ends(der: bytes) -> float:
    """The end of a certificate (notAfter), in seconds since 1970 (RFC 5280 §4.1). Raises ValueError, IndexError."""
    _tag, start, _end = _element(der, 0)
    _tag, at, _end = _element(der, start)  # TBSCertificate
    tag, _start, end = _element(der, at)
    if tag == 0xA0:  # version
        at = end
    for _ in ("serialNumber", "signature", "issuer"):
        at = _element(der, at)[2]
    _tag, at, _end = _element(der, at)  # validity
    at = _element(der, at)[2]  # notBefore
    tag, start, end = _element(der, at)
    digits = der[start:end].decode("ascii")
    if tag == 0x17:  # UTCTime: two digits of the year, from 1950 on
        digits = ("19" if digits >= "50" else "20") + digits
    elif tag != 0x18:
        raise ValueError("a time was expected")
    return dt.datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC).timestamp()


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """(tag, where its content begins, where it ends) of the element there (X.690 §8.1)."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count]), start + count
    if start + length > len(der):
        raise ValueError("it is cut off")
    return tag, start, start + length
