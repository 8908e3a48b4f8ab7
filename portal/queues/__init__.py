"""Queues: how long and how old, why they wait, what waits in them; held, released, cleared, moved.

All of it is the gateway's: nothing here is in the database but the audit rows of what was done.
"""
