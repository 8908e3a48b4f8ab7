"""The recorder: a program that writes the gateway's events into the database's message log. `program.py` is its door."""
