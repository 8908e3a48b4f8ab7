"""The scheduler's jobs, one row each. A function gets the database and returns in a few words what it did; it raises EmgError when it could not.

`schedule` is cron's five fields, in UTC; a sixth before them are seconds. `grace` is how late a run may begin that was missed while no scheduler ran: None is for ever, and however many
were missed, one makes up for all of them, because each job looks in the database for what is to be done and not at the clock. A function may
be cut off anywhere and run again.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from emg.jobs import alerts, daily, invoices, post, retention, saved_reports, sending, summary


class Job(NamedTuple):
    """One row."""

    function: Callable[..., str]
    schedule: str
    grace: int | None
    about: str
    asks_gateway: bool = False
    """The function also gets the path of the gateway's control socket."""


JOBS: Final = {
    "summary_now": Job(summary.count_now, "*/5 * * * *", 240, "count this hour and the one before"),
    "summary": Job(summary.count_past, "4 * * * *", None, "count older hours that late reports have changed"),
    "days": Job(summary.sum_days, "9 * * * *", None, "add up the hours of days that are over, for long reports"),
    "low_balance": Job(alerts.look, "*/5 * * * *", 240, "write a mail when a balance falls below its mark"),
    "daily_report": Job(daily.write, "30 5 * * *", None, "write the mails with yesterday's figures"),
    "saved_reports": Job(saved_reports.write, "45 5 * * *", None, "write the mails with the reports that people saved"),
    "mail": Job(post.send, "* * * * *", 50, "send the mails that wait"),
    "sending": Job(sending.send, "*/2 * * * * *", 2, "hand messages of batches to the gateway", asks_gateway=True),
    "invoices": Job(invoices.prepare_months, "15 2 1 * *", None, "prepare the drafts of last month"),
    "partitions": Job(retention.make_days, "25 * * * *", 3600, "make the partitions of the coming days"),
    "retention": Job(retention.drop_old, "20 3 * * *", None, "drop what is older than it is to be kept"),
}
