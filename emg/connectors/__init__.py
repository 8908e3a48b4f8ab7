"""One package a protocol: what turns PDUs into messages and messages into PDUs.

Each holds `incoming.py` (we listen), `outgoing.py` (we dial) and `translate.py` (pure: PDU to message and back). Protocols know
nothing of each other; what the engine hands them is the same for all.
"""
