"""The area's pages: `pages` with all views on it."""

from portal.customers import acts, editing, keyring, overview
from portal.customers.blueprint import pages

__all__ = ["acts", "editing", "keyring", "overview", "pages"]
