"""Wire protocols without I/O, one package each: names, field tables, codec, session machine.

Bytes and the time in; events, bytes to send and the next deadline out. Pure: they never wait and know no socket, clock or log.
A protocol's facts stand in tables that codec, checks and tests all read.
"""
