"""Sockets under gevent: listen, dial, TLS, and one driver that runs a protocol machine over a connection.

The machine decides, the driver waits: bytes in, events up, bytes out, next deadline. Every wait has a limit and every buffer a
bound; a peer that stops reading is cut off, not waited for.
"""
