"""SMPP 3.3, 3.4 and 5.0 for both roles: every PDU and parameter of the standards, and the rules of a session."""
