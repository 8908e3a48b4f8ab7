"""The settings: what people can set and no file says. Pure. A setting that is not set has its default; see `emg.rules.rows`."""

from typing import Final

from emg.config import kinds
from emg.rules import rows
from emg.rules.rows import MAIL, MAILS, Field, Fields

_DAYS: Final = kinds.whole(1, 36500)

SETTINGS: Final[Fields] = rows.table(
    Field("company_name", rows.words(128), "", "Who we are, on invoices and in mails.", group="invoices"),
    Field("company_address", rows.words(1000, lines=True), "", "Our address on invoices, in lines.", group="invoices"),
    Field("company_number", rows.words(32), "", "Our registration or VAT number on invoices.", group="invoices"),
    Field("invoice_text", rows.words(2000, lines=True), "", "What stands below each invoice: bank account, terms.", group="invoices"),
    Field("mail_from", MAIL, "", "The sender of our mails; without one no mail is sent.", group="mail"),
    Field("mail_to", MAILS, "", "Who of the house gets daily reports and alerts.", group="mail"),
    Field("keep_messages", _DAYS, 400, "Days that the message log is kept.", group="retention"),
    Field("keep_texts", _DAYS, 90, "Days that messages' texts are kept.", group="retention"),
    Field("keep_summaries", _DAYS, 3660, "Days that hourly summaries are kept.", group="retention"),
    Field("keep_audit", _DAYS, 3660, "Days that the audit log is kept.", group="retention"),
)  # fmt: skip
