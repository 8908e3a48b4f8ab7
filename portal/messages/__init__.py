"""Messages: the log searched, one message's whole story, and what can be done to it: cancelled, reported on.

- `asked` what a search was asked for, in the page's address, and where its pages join
- `telling` a row as people read it, by who asks: a customer's people see neither operators nor costs
- `story` the time line of one message, of what the log has and what the gateway still knows
- `pdus` its lines in the connectors' PDU logs
- `export` a search's rows as a CSV file, written beside everything else
"""
