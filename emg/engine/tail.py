"""What of a queue waits on disk behind the head that is in memory.

One *cursor* parts the two: everything on disk that is not in memory comes after it in (order, id). What is new before it belongs in memory, what is new
behind it goes to disk, so that nothing overtakes what waits there. `emg.engine.paging` reads page by page from the cursor on, and one page
at a time is being read; an operator's sweep says that it is reading, too, so that nobody else does.
"""

from emg.message import Message

Place = tuple[int, int]
"""(order, id)."""


class Tail:
    """Of one queue."""

    __slots__ = ("count", "cursor", "last", "late", "reading", "rewound", "since")

    def __init__(self) -> None:
        self.count = 0
        """How many wait on disk and not in memory."""
        self.cursor: Place | None = None
        """None while nothing waits there: the head is open."""
        self.last = 0
        """The highest order that waited there since."""
        self.reading = False
        self.since = 0
        """How many began to wait there after the page that is being read was asked for."""
        self.rewound: Place | None = None
        """Where the cursor has to go back to when that page has come."""
        self.late: list[Message] | None = None
        """What came in meanwhile and may belong before the page's end. It waits, and is not in the order yet."""

    def found(self, count: int, first: Place, last: int) -> None:
        """After a start: so many wait, the first of them here, the last ones in this order."""
        before = (first[0], first[1] - 1)
        self.cursor = before if self.cursor is None else min(before, self.cursor)
        self.last = max(self.last, last)
        self.count += count

    def spill(self, order: int, message_id: int) -> None:
        """A message waits on disk from now on, perhaps before others that were loaded already."""
        self.count += 1
        self.since += 1
        self.last = max(self.last, order)
        before = (order, message_id - 1)
        if self.cursor is None or before < self.cursor:
            self.cursor = before
        self._rewind(before)

    def reread(self, order: int, message_id: int) -> None:
        """A message that waits on disk was changed there: the page that is being read now does not bring it."""
        if self.reading:
            self.since += 1
        self._rewind((order, message_id - 1))

    def _rewind(self, before: Place) -> None:
        if self.reading and (self.rewound is None or before < self.rewound):
            self.rewound = before

    def gone(self) -> None:
        """A message does not wait there any more: it was loaded, or has left."""
        self.count = max(0, self.count - 1)

    def begin(self) -> None:
        """A page is asked for."""
        self.reading = True
        self.late = []
        self.since = 0

    def end(self, *, last_page: bool) -> list[Message]:
        """It is here, and the cursor at its end. Gives what came late and wants a place now."""
        self.reading = False
        if last_page:
            self.count = self.since
            if not self.count:
                self.cursor = None
                self.last = 0
        if self.cursor is not None and self.rewound is not None:
            self.cursor = min(self.cursor, self.rewound)
        self.rewound = None
        late, self.late = self.late or [], None
        return late
