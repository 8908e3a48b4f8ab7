"""The area's pages: `pages` with all views on it."""

from portal.accounts import acts, book, editing, overview
from portal.accounts.blueprint import pages

__all__ = ["acts", "book", "editing", "overview", "pages"]
