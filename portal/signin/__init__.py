"""Logging in and out; a password that has to be renewed; the second factor."""
