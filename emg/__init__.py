"""EMG: a messaging gateway.

Messages come in over a connector, are kept in the spool before they are acknowledged, are routed, leave over another connector,
and their delivery reports find the way back. Imports point down one list of layers (see ARCHITECTURE.md); the lowest of them
(`wire`, `text`, `rules`, `config` but for its loading, `message`, `errors`) know no socket, clock, file, log or database.
"""
