"""EMG Portal: the web interface in which owners, engineers, finance people and customers work.

`portal.app.create_app` joins its parts; `emg portal` (`portal.main`) serves it. A folder is a page, or an area of pages, with the same file names in each: `views.py`
(one blueprint), `forms.py`, `templates/`. The areas know nothing of each other. What they share:

- `areas` the table of the areas, from which the menu is made; `permissions` who may do what; `guard` holds it: a view without `needs` is refused
- `house` the configuration, the database, the gateway and the watchdog, as views see them: `house.reading()`, `house.writing()`, `house.gateway`
- `listing` what a table of rows shows (sorted, filtered, which page), kept in the page's address
- `fields` forms made from the tables of `emg.rules` and `emg.config`, with their help and their checks
- `pages` a whole page, or the part of it that is renewed; `confirm` an act asked for once more, by what it will do
- `formats` numbers with units, money, times, as text

No view writes SQL (that is `emg.db`) nor knows the gateway from inside: it asks over the control socket.
"""
