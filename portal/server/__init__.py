"""The machine room: programs, health, logs, the configuration, settings, licences."""
