"""Invoices: drafts prepared from the log, previewed, issued, credited, taken away as files."""
