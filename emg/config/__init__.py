"""The configuration: syntax, table of keywords, model, and what differs between two configurations.

Text in, values and a list of *all* faults out, each with its file and line. Every keyword is a row of one table, which the parser,
the checker, the documentation and the tests read. Pure, but for `load` (files, includes, environment) and `cli` (`emg check`).
"""
