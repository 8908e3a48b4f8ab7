"""Customers: the companies that are invoiced, and their keys to the REST API.

- `overview` the list, and one customer with his accounts, people, keys and traffic
- `editing` a new one, with his first account in the same form; his details
- `acts` locked, unlocked, deleted
- `keyring` keys: the house's and the customers'; administrators of a customer see and make his alone
- `scopes` what of the house's rights a scope stands for: nobody makes a key that may do more than he may himself
"""
