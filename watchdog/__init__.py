"""The watchdog: supervisord's configuration, the listener that looks after the programs, its alerts, its log reading and its HTTP API."""
