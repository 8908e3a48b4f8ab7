"""The ways to people: mail, webhook, SMS, each a module with a class that has `send`; `lanes` runs them."""

from watchdog.channels.lanes import Channel, Channels, NotTold

__all__ = ["Channel", "Channels", "NotTold"]
