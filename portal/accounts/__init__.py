"""Accounts: the logins of customers' programs, with their limits, access lists, balances and ledgers.

- `overview` the list, and one account with all that is known of it, live and stored
- `editing` a new one, its settings, access list and password
- `acts` locked, deleted, sessions closed
- `book` the ledger, top-ups and corrections

People of a customer see his accounts alone; of those not what is the house's own (`HIDDEN`).
"""
