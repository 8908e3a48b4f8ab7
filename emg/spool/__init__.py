"""What must survive: messages, open reports, parts of long messages, and the outbox of events, in one local SQLite file.

One native thread writes, many changes a commit, and a caller goes on only when its own are on disk (WAL, `synchronous=FULL`).
Memory holds the heads of the queues, not the queues. A damaged file is set aside and reported, never deleted.
"""
