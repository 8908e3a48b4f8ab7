"""The ways to people: mail, webhook, SMS, each a module with a class that has `send`; `lanes` runs them."""

from watchdog.channels.channel import Channel, NotTold
from watchdog.channels.lanes import Channels

__all__ = ["Channel", "Channels", "NotTold"]
