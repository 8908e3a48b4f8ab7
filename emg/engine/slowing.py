"""Slowing down where a far side asks for it ("throttled", "queue full").

A provider asks for all of his connector: its queue stands still, and then starts slowly (`ThrottlePause`). The customers of an incoming connector
have nothing to do with each other: there it is the one session that asked, in all the queues that it empties, and others take
meanwhile what it may not. A port knows what is slowed now (`Port.slowed`); nothing is there while nobody asks.
"""

import time

import gevent

from emg.engine.carrier import Carrier
from emg.engine.lane import UNLIMITED, Lane
from emg.engine.lanes import Lanes
from emg.engine.port import Port, Slowed


def slow_down(lanes: Lanes, port: Port, carrier: Carrier, lane: Lane, seconds: float) -> bool:
    """The session asked for it, as the answer to a message of this lane; for `seconds` at least. True when nothing was slowed before.

    The message has been settled, and what was not transmitted has been recalled.
    """
    now = time.monotonic()
    key = carrier if port.incoming else None
    slowed = port.slowed.get(key)
    known = slowed is not None
    if slowed is None:
        slowed = port.slowed[key] = Slowed(carrier.depth)
    pausing = slowed.throttle.wait(now) > 0
    pause = slowed.throttle.throttled(now, seconds)
    if not port.incoming:
        lane.cap = slowed.throttle.window(carrier.window)
        lane.paused_until = now + pause
    elif not pausing:
        carrier.depth = 0
        _plan_end(lanes, port, carrier, slowed, pause)
    return not known


def _plan_end(lanes: Lanes, port: Port, carrier: Carrier, slowed: Slowed, seconds: float) -> None:
    """The session may try again after so long, with one message."""
    timer = gevent.get_hub().loop.timer(max(seconds, 0.001))

    def end() -> None:
        timer.close()
        if port.slowed.get(carrier) is not slowed:
            return  # it is over
        carrier.depth = slowed.throttle.window(carrier.window)
        for lane in lanes.by_name.values():
            if carrier in lane.carriers:
                lanes.touch(lane)

    timer.start(end)


def speed_up(port: Port, carrier: Carrier, lane: Lane) -> None:
    """A message was taken: after a pause the window grows by one with each."""
    key = carrier if port.incoming else None
    slowed = port.slowed.get(key)
    if slowed is None:
        return
    throttle, now = slowed.throttle, time.monotonic()
    throttle.full = carrier.window
    throttle.succeeded(now)
    if not throttle.active:
        del port.slowed[key]
    if not port.incoming:
        lane.cap = throttle.window(carrier.window) if throttle.active else UNLIMITED
    elif not throttle.active:
        carrier.depth = slowed.depth
    elif not throttle.wait(now):
        carrier.depth = throttle.window(carrier.window)


def deepen(port: Port, carrier: Carrier, depth: int) -> None:
    """The session may have so many messages in flight; one that is slowed, later."""
    slowed = port.slowed.get(carrier)
    if slowed is None:
        carrier.depth = depth
    else:
        slowed.depth = depth


def pause_of(port: Port, lane: Lane, now: float) -> float:
    """Seconds until the lane goes on, where the far side asked it to stand still, all its sessions; `now` is monotonic."""
    if lane.paused_until > now:
        return lane.paused_until - now
    pauses = [port.slowed[each].throttle.wait(now) if each in port.slowed else 0.0 for each in lane.carriers]
    return min(pauses, default=0.0)
