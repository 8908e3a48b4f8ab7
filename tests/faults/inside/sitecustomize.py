"""Faults that only come from inside a program, and that no program of ours has: every Python that has this folder on PYTHONPATH reads this file at its start.

The gateway spins for ever at SIGUSR1 and takes `LEAK` octets more at each SIGRTMIN+1. All programs, supervisord too, see the clock as far off as the file says that
EMG_TEST_CLOCK names (a double, in seconds): time.time and time.time_ns, that is, but not what the database's rows and the scheduler's jobs are dated with
(datetime.now), which no Python can be talked out of.
"""

import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path

LEAK = 16 << 20

_leaked = []


def _spin(*_):
    while True:
        pass


def _leak(*_):
    _leaked.append(b"\1" * LEAK)


def _follow(path):
    with Path(path).open("rb") as file:
        offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    clock, clock_ns, unpack = time.time, time.time_ns, struct.Struct("d").unpack
    time.time = lambda: clock() + unpack(offset)[0]
    time.time_ns = lambda: clock_ns() + int(unpack(offset)[0] * 1e9)


if "gateway" in sys.orig_argv:
    signal.signal(signal.SIGUSR1, _spin)
    signal.signal(signal.SIGRTMIN + 1, _leak)
if os.environ.get("EMG_TEST_CLOCK"):
    _follow(os.environ["EMG_TEST_CLOCK"])
