"""The control API of a running gateway: HTTP and JSON on a unix socket.

The server answers from live state and is the only way to change it from outside; the client is what `emg ctl`, the watchdog and
the portal use. Every request has a deadline and a bounded answer.
"""
