"""SMPP as a connector: customers that bind to us, operators that we bind to, and the translation between PDUs and messages."""
