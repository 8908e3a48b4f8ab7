"""The answer to a lone submit_sm, written by the thread that commits it; see `emg.session.prompt`.

One `Prompt` a session. The spool asks for the answer when it hands over a batch with one submission; where there is nobody whom it could be
written to at that moment, and when the commit fails, the inbox answers as it does everybody else.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from emg.wire.smpp.names import Version
from emg.wire.smpp.pdus import SubmitSmResp

if TYPE_CHECKING:
    from emg.connectors.smpp.incoming import IncomingSession


class Prompt:
    """Lends the answers to a client's submissions, each [sequence, message id]."""

    __slots__ = ("_frame", "_lent", "_session")

    def __init__(self, session: "IncomingSession") -> None:
        self._session = session
        self._frame = b""
        self._lent: list[int] = []

    def lend(self, submission: list[int]) -> Callable[[], None] | None:
        """Lend the answer; gives what writes it."""
        machine, driver = self._session.machine, self._session.driver
        if machine.version < Version.V34:  # the ids that such a client gives are read by what the loop knows to be kept
            return None
        sequence, number = submission
        self._frame = machine.compose(SubmitSmResp(sequence, 0, self._session.inbox.visible_id(number)))
        write = driver.lend(self._frame, self._written)
        if write is not None:
            self._lent = submission
        return write

    def answered(self, submission: list[int]) -> bool:
        """The commit is over: whether this one's answer is written."""
        if submission is not self._lent:
            return False
        self._lent = []
        return self._session.driver.settle()

    def _written(self) -> None:
        self._session.machine.responded(self._frame)
        self._session.driver.flush_soon()
