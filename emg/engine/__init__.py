"""The three paths of a message: receive, deliver, report; and what connectors are given to take part in them.

The engine speaks no protocol: it sees messages, causes and reports. It answers for what may never break: acknowledged only after
it is kept, one final state for every message, a report for everybody who asked for one.
"""
