"""The settings: what people can set and no file says. Pure. A setting that is not set has its default; see `emg.rules.rows`."""

from typing import Final

from emg.config import kinds
from emg.rules import rows
from emg.rules.rows import MAIL, MAILS, Field, Fields

_DAYS: Final = kinds.whole(1, 36500)

SETTINGS: Final[Fields] = rows.table(
    Field("company_name", rows.words(128), "", "Who we are, on invoices and in mails.", group="invoices"),
    Field("company_address", rows.words(1000, lines=True), "", "Our address on invoices, in lines.", group="invoices"),
    Field("company_number", rows.words(32), "", "Our registration number on invoices.", group="invoices"),
    Field("company_vat_number", rows.words(32), "", "Our VAT number on invoices.", group="invoices"),
    Field("invoices", kinds.FLAG, True, "Prepare drafts each month, and keep the log of a month until its invoices are issued.", group="invoices"),
    Field("invoice_prepaid", kinds.FLAG, True, "Traffic of prepaid accounts is on invoices too; no: it was invoiced when it was paid.", group="invoices"),
    Field("invoice_first_number", kinds.whole(1), 1, "The number of the first invoice that is ever issued.", group="invoices"),
    Field("invoice_text", rows.words(2000, lines=True), "", "What stands below each invoice: bank account, terms.", group="invoices"),
    Field("mail_from", MAIL, "", "The sender of our mails; without one no mail is sent.", group="mail"),
    Field("mail_to", MAILS, "", "Who of the house gets daily reports and alerts.", group="mail"),
    Field("smtp_host", rows.words(255), "localhost", "The mail server.", group="mail"),
    Field("smtp_port", kinds.whole(1, 65535), 25, "Its port.", group="mail"),
    Field("smtp_tls", rows.one_of("none", "starttls", "tls"), "none", "tls: from the first octet; starttls: after a greeting.", group="mail"),
    Field("smtp_user", rows.words(255), "", "How we log in there; empty: not at all.", group="mail"),
    Field("smtp_password", rows.words(255), "", "And its password.", secret=True, group="mail"),
    Field("keep_messages", _DAYS, 400, "Days that the message log is kept.", group="retention"),
    Field("keep_texts", _DAYS, 90, "Days that messages' texts are kept.", group="retention"),
    Field("keep_summaries", _DAYS, 3660, "Days that hourly summaries are kept.", group="retention"),
    Field("keep_audit", _DAYS, 3660, "Days that the audit log is kept.", group="retention"),
)  # fmt: skip
