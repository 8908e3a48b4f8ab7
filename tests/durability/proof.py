"""What the ledgers and the gateway's own outbox must say after a run full of crashes (design, invariants 1–3 and 5).

`Proof.of` reads the clients' ledgers, the operator's, and the spool that the gateway left behind; `faults` gives one sentence for each promise that
was broken. Marks come from the outbox alone: a duplicate counts as announced when an event of that very message says *maybe sent*.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from emg.engine import events
from emg.message import Kind
from emg.tools import ledger


@dataclass
class Outbox:
    """What the gateway wrote about its messages."""

    accepted: Counter = field(default_factory=Counter)
    ended: Counter = field(default_factory=Counter)
    parent: dict = field(default_factory=dict)
    """Part → long message."""
    reported: dict = field(default_factory=dict)
    """Report → the message (or part) it is about."""
    remote: dict = field(default_factory=dict)
    """The operator's id → our id."""
    maybe: set = field(default_factory=set)
    states: Counter = field(default_factory=Counter)
    open_reports: int = 0
    orphans: int = 0
    messages: int = 0

    @classmethod
    def of(cls, spool):
        """Read the spool file of a gateway that is not running."""
        self = cls()
        db = sqlite3.connect(spool)
        for count, body in db.execute("SELECT count, body FROM outbox ORDER BY seq"):
            for event in events.decode_row(body, count):
                self.take(event)
        for name in ("message", "open_report", "orphan"):
            (count,) = db.execute(f"SELECT count(*) FROM {name}").fetchone()
            setattr(self, {"message": "messages", "open_report": "open_reports", "orphan": "orphans"}[name], count)
        db.close()
        return self

    def take(self, event):
        if isinstance(event, events.Accepted):
            self.accepted[event.id] += 1
        elif isinstance(event, events.Split):
            self.parent[event.part] = event.id
        elif isinstance(event, events.Ended):
            self.ended[event.id] += 1
            self.states[event.state.name] += 1
            if event.report:
                self.reported[event.report] = event.id
        elif isinstance(event, events.Sent) and event.kind == Kind.NORMAL and event.remote_id:
            self.remote[event.remote_id] = event.id
        if getattr(event, "maybe_sent", False):
            self.maybe.add(event.id)

    def messages_maybe_sent(self):
        """Ids of messages, as their senders know them, that are marked."""
        return {self.parent.get(number, number) for number in self.maybe if number not in self.reported}

    def reports_maybe_sent(self):
        """Ids of messages whose report is marked."""
        about = (self.reported[number] for number in self.maybe if number in self.reported)
        return {self.parent.get(number, number) for number in about}


@dataclass
class Proof:
    """One run, looked at from all sides."""

    outbox: Outbox
    sent: ledger.Result
    """Compared with the marks of messages."""
    reported: ledger.Result
    """Compared with the marks of reports."""

    @classmethod
    def of(cls, folder, clients, operator, spool):
        outbox = Outbox.of(spool)
        together = Path(folder) / "clients.ledger"
        together.write_bytes(b"".join(Path(each).read_bytes() for each in clients))
        # a client that got no answer does not know the id; the operator's id leads from his tag to ours
        tags = {}
        for event in ledger.read(str(operator)):
            if event[0] == "received" and event[2] in outbox.remote:
                number = outbox.remote[event[2]]
                tags.setdefault(outbox.parent.get(number, number), set()).add(event[1])

        def known(ids):
            return {str(number) for number in ids} | {tag for number in ids for tag in tags.get(number, ())}

        return cls(
            outbox,
            ledger.compare(str(together), str(operator), known(outbox.messages_maybe_sent())),
            ledger.compare(str(together), str(operator), known(outbox.reports_maybe_sent())),
        )

    def faults(self, *, parts=False):
        """Sentences. With `parts`, the gateway split each message, so that the operator saw a tag in the first part alone."""
        found = [fault for fault in self.sent.faults() if "reported twice" not in fault]
        found += [fault for fault in self.reported.faults() if "reported twice" in fault]
        outbox = self.outbox
        whole = set(outbox.accepted) | set(outbox.parent)
        for what, ids in (
            ("accepted twice", [number for number, count in outbox.accepted.items() if count > 1]),
            ("without an end", [number for number in whole if not outbox.ended[number]]),
            ("ended more than once", [number for number, count in outbox.ended.items() if count > 1]),
            ("ended and never accepted", [number for number in outbox.ended if number not in whole and number not in outbox.reported]),
        ):
            if ids:
                found.append(f"{len(ids)} messages {what}: {sorted(ids)[:5]}")
        if outbox.messages:
            found.append(f"{outbox.messages} messages are still in the spool")
        return found

    def figures(self):
        """One line for people."""
        sent, outbox = self.sent, self.outbox
        return (
            f"{sent.submitted} submitted, {sent.acked} acknowledged, {sent.unknown} unknown, {sent.refused} refused; "
            f"lost {len(sent.lost)}; at the operator {sent.received}, duplicates {len(sent.duplicates)} "
            f"(unmarked {len(sent.unmarked_duplicates)}, marked messages {len(outbox.messages_maybe_sent())}); "
            f"reports {sent.reports}, repeated {len(self.reported.repeated_reports)} "
            f"(unmarked {len(self.reported.unmarked_repeated_reports)}), missing {len(sent.missing_reports)}; "
            f"out of order {len(sent.out_of_order)}; states {dict(outbox.states)}; "
            f"left: {outbox.open_reports} open reports, {outbox.orphans} orphans"
        )
