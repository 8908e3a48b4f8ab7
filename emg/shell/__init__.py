"""The commands that look at the database and change it: `emg account`, `emg route`, `emg db` and so on, one module a command.

Each module has a `main(argv)`, a row in `app.py`, and a table of what it can do; `emg.shell.common` runs it. SQL stands in `emg.db`, the checks of
rows in `emg.rules`: a command only reads its arguments, calls, and prints.
"""
