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
from emg.spool.opening import open_spool
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
        db.close()
        opened, left = open_spool(str(Path(spool).parent), 0)
        opened.close()
        self.messages = len(left.resident) + sum(row[2] for row in left.spilled) + sum(row[1] for row in left.deferred)
        self.open_reports, self.orphans = left.open_reports, len(left.orphans)
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
    out_of_order: list
    """(earlier, later): the operator had the later one first, though he had not refused the earlier one nor may have had it before."""

    wrongly_told: list
    """(tag, state): reported to the client in a state that the operator never said of this message."""

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

        maybe_sent = known(outbox.messages_maybe_sent())
        sent = ledger.compare(str(together), str(operator), maybe_sent)
        retried = {event[1] for event in ledger.read(str(operator)) if event[0] == "refused"}
        return cls(
            outbox,
            sent,
            ledger.compare(str(together), str(operator), known(outbox.reports_maybe_sent())),
            [pair for pair in sent.out_of_order if pair[0] not in retried],
            _wrongly_told(str(together), str(operator)),
        )

    def faults(self):
        """Sentences. Of a message that the gateway split, the operator's ledger shows the first part: the others carry no tag."""
        found = [fault for fault in self.sent.faults() if "reported twice" not in fault and "out of order" not in fault]
        found += [fault for fault in self.reported.faults() if "reported twice" in fault]
        if self.out_of_order:
            found.append(f"{len(self.out_of_order)} out of order: {self.out_of_order[:5]}")
        outbox = self.outbox
        whole = set(outbox.accepted) | set(outbox.parent)
        for what, ids in (
            ("accepted twice", [number for number, count in outbox.accepted.items() if count > 1]),
            ("without an end", [number for number in whole if not outbox.ended[number]]),
            ("ended more than once", [number for number, count in outbox.ended.items() if count > 1]),
            (
                "ended and never accepted",
                [number for number in outbox.ended if number not in whole and number not in outbox.reported],
            ),
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
            f"out of order {len(self.out_of_order)} (by a retry {len(sent.out_of_order) - len(self.out_of_order)}); states {dict(outbox.states)}; "
            f"left: {outbox.open_reports} open reports, {outbox.orphans} orphans"
        )


def _wrongly_told(clients, operator):
    tag_of, said = {}, {}
    for event in ledger.read(operator):
        if event[0] == "received":
            tag_of[event[2]] = event[1]
        elif event[0] == "report-sent":
            said.setdefault(tag_of[event[1]], set()).add(event[2])
    tag_of = {}
    told = []
    for event in ledger.read(clients):
        if event[0] == "acked":
            tag_of[event[2]] = event[1]
        elif event[0] == "report":
            told.append(event[1:])
    return [
        (tag_of[number], state)
        for number, state in told
        if number in tag_of and tag_of[number] in said and state not in said[tag_of[number]]
    ]
