"""The ledger: what a client and an operator saw, written down by themselves, so that a gateway between them can be proven.

A ledger is a text file, one event a line, fields separated by tabs, only ever appended to:

    client    submitted TAG DEST SESSION WANT   before the submit_sm leaves; WANT is its registered_delivery
              acked TAG ID                      a positive answer was read
              refused TAG STATUS                a negative answer was read
              unknown TAG                       no answer: time-out or a cut
              report ID STATE                   a delivery report was read; written before it is acknowledged
    operator  received TAG REMOTE_ID SOURCE DEST    before the answer leaves; TAG is `-` for a text without one
              refused TAG STATUS                answered with an error, not taken
              report-sent REMOTE_ID STATE       before the report leaves
              report-acked REMOTE_ID            its positive answer was read

A tag stands at the beginning of a message's text (`m<run>-<number>`) and is unique, over runs too. Lines are gathered in memory and written with one
`os.write` by `flush`, which its owner calls before the bytes leave that depend on them. `compare` reads both files and says which of the invariants
of the design (nothing acknowledged is lost, duplicates are marked, one report each, order) did not hold.
Writing raises OSError; reading raises ValueError for a line that is none of these, except for a last line without its end (a writer that died).
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_UNFIT: Final = {ord(character): "?" for character in "\t\r\n"}

FIELDS: Final = {
    "submitted": 4,
    "acked": 2,
    "refused": 2,
    "unknown": 1,
    "report": 2,
    "received": 4,
    "report-sent": 2,
    "report-acked": 1,
}
"""How many fields follow each event word."""

INTERMEDIATE: Final = frozenset({"ENROUTE", "ACCEPTD", "BUFFRED", "BUFFERD", "SCHEDULED"})
"""Report states after which a final one must still come."""


class Ledger:
    """Appends events to a file; with an empty path it keeps nothing and costs next to nothing."""

    __slots__ = ("_descriptor", "_lines")

    def __init__(self, path: str = "") -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else -1
        self._lines: list[str] = []

    def submitted(self, tag: str, dest: str, session: int, want: int) -> None:
        """A submit_sm is about to leave."""
        self._lines.append(f"submitted\t{tag}\t{dest}\t{session}\t{want}\n")

    def acked(self, tag: str, message_id: str) -> None:
        """It was answered with ESME_ROK."""
        self._lines.append(f"acked\t{tag}\t{_fit(message_id)}\n")

    def refused(self, tag: str, status: str) -> None:
        """A submit_sm was answered with an error."""
        self._lines.append(f"refused\t{tag}\t{status}\n")

    def unknown(self, tag: str) -> None:
        """A submit_sm will not be answered any more."""
        self._lines.append(f"unknown\t{tag}\n")

    def report(self, message_id: str, state: str) -> None:
        """A delivery report was read."""
        self._lines.append(f"report\t{_fit(message_id)}\t{_fit(state)}\n")

    def received(self, tag: str, remote_id: str, source: str, dest: str) -> None:
        """A submit_sm was taken."""
        self._lines.append(f"received\t{tag}\t{remote_id}\t{_fit(source)}\t{_fit(dest)}\n")

    def report_sent(self, remote_id: str, state: str) -> None:
        """A report is about to leave."""
        self._lines.append(f"report-sent\t{remote_id}\t{state}\n")

    def report_acked(self, remote_id: str) -> None:
        """A report was acknowledged."""
        self._lines.append(f"report-acked\t{remote_id}\n")

    def flush(self) -> None:
        """Write what was noted. Returns when the operating system has it: it survives our death, not the machine's.

        Raises OSError, for a full disk say; what was not written then is written by the next call.
        """
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        if self._descriptor < 0:
            return
        rest = "".join(lines).encode("latin-1", "replace")
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._lines.insert(0, rest.decode("latin-1"))
            raise

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        self.flush()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _fit(text: str) -> str:
    return text if text.isalnum() else text.translate(_UNFIT) or "-"


def read(path: str) -> Iterator[tuple[str, ...]]:
    """The events of a ledger file in order, each with its word first. Raises ValueError for a damaged line."""
    with Path(path).open(encoding="latin-1", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            event = tuple(line[:-1].split("\t"))
            if FIELDS.get(event[0]) != len(event) - 1:
                raise ValueError(f"{path}:{number}: not a line of a ledger: {line[:80]!r}")
            yield event


@dataclass(frozen=True, slots=True)
class Result:
    """What `compare` found. The tuples hold tags, unless they say otherwise; all of them are sorted as the files were."""

    submitted: int = 0
    acked: int = 0
    refused: int = 0
    unknown: int = 0
    received: int = 0
    reports: int = 0
    lost: tuple[str, ...] = ()
    """Acknowledged to the client, never at the operator, and no report says that it failed."""
    failed_before_operator: tuple[str, ...] = ()
    """Acknowledged, never at the operator, and reported to the client as failed: not a fault."""
    duplicates: tuple[str, ...] = ()
    """At the operator more than once, marked or not."""
    unmarked_duplicates: tuple[str, ...] = ()
    refused_but_received: tuple[str, ...] = ()
    """Refused to the client and sent to the operator all the same."""
    missing_reports: tuple[str, ...] = ()
    """Acknowledged, a report was asked for, and no final one came."""
    repeated_reports: tuple[str, ...] = ()
    """More than one final report."""
    unmarked_repeated_reports: tuple[str, ...] = ()
    foreign_reports: tuple[str, ...] = ()
    """Ids of reports whose message the client has no acknowledgement of. A fault unless an answer got lost."""
    out_of_order: tuple[tuple[str, str], ...] = ()
    """(earlier, later) of one session and destination, where the later one was at the operator first and neither was sent twice."""
    reused_ids: tuple[str, ...] = ()
    """Ids that were given for more than one message."""

    def faults(self) -> list[str]:
        """One sentence for each broken promise; empty when all held."""
        found: list[str] = []
        for name, listed in (
            ("acknowledged and lost", self.lost),
            ("sent twice and not marked", self.unmarked_duplicates),
            ("refused and sent all the same", self.refused_but_received),
            ("without their report", self.missing_reports),
            ("reported twice and not marked", self.unmarked_repeated_reports),
            ("out of order", self.out_of_order),
            ("message ids given twice", self.reused_ids),
        ):
            if listed:
                shown = ", ".join(str(each) for each in listed[:5])
                found.append(f"{len(listed)} {name}: {shown}{' …' if len(listed) > 5 else ''}")
        return found

    @property
    def ok(self) -> bool:
        """No promise was broken."""
        return not self.faults()


@dataclass(slots=True)
class _Client:
    """One client ledger, by tag."""

    submitted: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    reports: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str) -> "_Client":
        self = cls()
        for event in read(path):
            match event:
                case ("submitted", tag, dest, session, want):
                    self.submitted[tag] = (session, dest, int(want))
                case ("acked", tag, message_id):
                    self.ids[tag] = message_id
                case ("refused", tag, status):
                    self.refused[tag] = status
                case ("unknown", tag):
                    self.unknown[tag] = None
                case ("report", message_id, state):
                    self.reports.setdefault(message_id, []).append(state)
        return self

    def final_reports(self, tag: str) -> list[str]:
        return [state for state in self.reports.get(self.ids[tag], ()) if state not in INTERMEDIATE]


def compare(client_file: str, operator_file: str, marks: Collection[str] = ()) -> Result:
    """Check the two ledgers against each other.

    `marks` holds what the gateway says it may have sent twice: tags, or the ids that it gave to the client, in any mixture.
    Raises OSError and ValueError as `read` does.
    """
    client = _Client.load(client_file)
    arrivals: dict[str, list[int]] = {}
    for position, event in enumerate(read(operator_file)):
        if event[0] == "received" and event[1] != "-":
            arrivals.setdefault(event[1], []).append(position)
    absent = [tag for tag in client.ids if tag not in arrivals]
    failed = [tag for tag in absent if any(state != "DELIVRD" for state in client.final_reports(tag))]
    duplicates = [tag for tag, positions in arrivals.items() if len(positions) > 1]
    wanted = [tag for tag in client.ids if client.submitted[tag][2] & 3 == 1]
    repeated = [tag for tag in client.ids if len(client.final_reports(tag)) > 1]
    known = set(client.ids.values())

    def unmarked(tags: list[str]) -> tuple[str, ...]:
        marked = frozenset(marks)
        return tuple(tag for tag in tags if tag not in marked and client.ids.get(tag) not in marked)

    return Result(
        submitted=len(client.submitted),
        acked=len(client.ids),
        refused=len(client.refused),
        unknown=len(client.unknown),
        received=sum(len(positions) for positions in arrivals.values()),
        reports=sum(len(states) for states in client.reports.values()),
        lost=tuple(tag for tag in absent if tag not in set(failed)),
        failed_before_operator=tuple(failed),
        duplicates=tuple(duplicates),
        unmarked_duplicates=unmarked(duplicates),
        refused_but_received=tuple(tag for tag in client.refused if tag in arrivals),
        missing_reports=tuple(tag for tag in wanted if not client.final_reports(tag)),
        repeated_reports=tuple(repeated),
        unmarked_repeated_reports=unmarked(repeated),
        foreign_reports=tuple(message_id for message_id in client.reports if message_id not in known),
        out_of_order=_order_faults(client, arrivals),
        reused_ids=_reused(client.ids.values()),
    )


def _order_faults(client: _Client, arrivals: dict[str, list[int]]) -> tuple[tuple[str, str], ...]:
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    faults: list[tuple[str, str]] = []
    for tag, (session, dest, _want) in client.submitted.items():
        positions = arrivals.get(tag, ())
        # a message sent twice may stand anywhere: the retry made the order impossible
        if len(positions) != 1:
            continue
        key = (session, dest)
        before = latest.get(key)
        if before is not None and before[0] > positions[0]:
            faults.append((before[1], tag))
        if before is None or before[0] < positions[0]:
            latest[key] = (positions[0], tag)
    return tuple(faults)


def _reused(ids: Collection[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for message_id in ids:
        # an operator may answer without an id (3.4 allows it); the ledger shows that as a dash
        if message_id == "-":
            continue
        seen[message_id] = seen.get(message_id, 0) + 1
    return tuple(message_id for message_id, times in seen.items() if times > 1)
