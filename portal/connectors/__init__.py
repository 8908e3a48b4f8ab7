"""Connectors: how they are now, what they are set to, and everything that people do with them.

`overview` joins the three places that know of connectors: the configuration file, the database, the gateway. `forms` makes forms of the keyword table; `views`, `acts`,
`editing`, `log` and `sheet` are the pages.
"""
