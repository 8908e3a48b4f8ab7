"""What the gateway and the database say when they are asked. Waits for them; raises EmgError with a sentence."""

import http.client
from collections.abc import Mapping, Set
from typing import Any, Final

from sqlalchemy import func, select

from emg.control.client import Client, NotRunning, Refused, Unreachable
from emg.db.engine import Database
from emg.db.models import JobRun
from emg.errors import ControlError, EmgError
from watchdog.model import ConnectorFacts

DATABASE_SECONDS: Final = 5


class KeptClient(Client):
    """A client that uses its connection again; one caller at a time. It is not shut out when others have taken all that the gateway has."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(path, seconds)
        self._kept: http.client.HTTPConnection | None = None
        self.listened = False
        """Somebody took the last connection, or did not refuse it."""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """As a Client's."""
        try:
            answer = super().call(method, path, body)
        except ControlError as error:
            self.listened = not isinstance(error, NotRunning)
            raise
        self.listened = True
        return answer

    def close(self) -> None:
        """End the connection."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes, str]:
        kept, self._kept = self._kept, None
        if kept is not None and kept.sock is not None:
            try:
                return self._ask_and_keep(kept, method, path)
            except (ConnectionError, http.client.BadStatusLine):
                pass  # it was closed meanwhile
            except TimeoutError as error:
                raise Unreachable(
                    f"the gateway did not answer within {self.seconds:g} s: it hangs, or is very busy"
                ) from error
        with self._told():
            return self._ask_and_keep(self.connect(), method, path)

    def _ask_and_keep(self, connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, bytes, str]:
        try:
            told = self._ask(connection, method, path, None)
            self._kept = connection
            return told
        finally:
            if self._kept is not connection:
                connection.close()


class Details:
    """What the gateway tells of itself beyond its health, as it was learnt at once."""

    __slots__ = ("certificates", "connectors", "stamps", "status")

    def __init__(
        self,
        status: Mapping[str, Any],
        connectors: tuple[ConnectorFacts, ...] = (),
        certificates: Mapping[str, str] | None = None,
        stamps: Mapping[str, Set[str]] | None = None,
    ) -> None:
        self.status = status
        self.connectors = connectors
        self.certificates = certificates or {}
        """Path → the connectors that show it."""
        self.stamps = stamps or {}
        """Path → which file it was when they read it (`emg.session.tls.stamp_of`)."""


def ask_health(client: Client) -> Mapping[str, Any]:
    """/health, also when the answer is that something is wrong, or none that we know: who answers lives. Raises ControlError when nobody does."""
    try:
        answer = client.get("/health")
    except Refused as refused:
        answer = refused.answer
        if not isinstance(answer, dict) or "codes" not in answer:
            answer = {"codes": ["unknown"], "faults": [str(refused)]}
    if not isinstance(answer, dict):
        raise ControlError(f"what answers on {client.path} is no gateway", 503)
    return answer


def ask_details(client: Client) -> Details:
    """/status and /connectors."""
    status, listed = client.get("/status"), client.get("/connectors")
    rows = listed.get("connectors") if isinstance(listed, dict) else None
    if not isinstance(status, dict) or not isinstance(rows, list):
        raise ControlError(f"what answers on {client.path} is no gateway", 503)
    try:
        connectors = tuple(_connector(row) for row in rows if row.get("progress"))
        shown: dict[str, str] = {}
        stamps: dict[str, set[str]] = {}
        for row in rows:
            if path := row.get("certificate"):
                shown[path] = f"{shown[path]}, {row['name']}" if path in shown else f"connector {row['name']}"
                if stamp := row.get("certificate_stamp"):
                    stamps.setdefault(path, set()).add(stamp)
    except (KeyError, TypeError, AttributeError) as error:
        raise ControlError(f"what the gateway says of its connectors can't be read: {error!r}", 503) from error
    return Details(status, connectors, shown, stamps)


def _connector(row: Mapping[str, Any]) -> ConnectorFacts:
    progress = row["progress"]
    state = "held" if row["held"] and row["state"] == "up" else row["state"]
    return ConnectorFacts(
        name=row["name"],
        up=progress["up"],
        due=progress["due"],
        in_flight=progress["in_flight"],
        finished=progress["finished"],
        patience=progress["answer_seconds"],
        waiting=progress["waiting"],
        taken=progress["taken"],
        unanswered=progress["unanswered"],
        state=state,
        fault=row["last_fault"],
    )


class Asked:
    """The database, asked as anybody asks it. Raises DatabaseError when DATABASE is wrong."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, answer_seconds=DATABASE_SECONDS)

    @property
    def native(self) -> bool:
        """To be asked in a native thread: the embedded one is files, and those may hang."""
        return self._database.is_sqlite

    @property
    def folder(self) -> str | None:
        """Where the embedded one lies; None of a server."""
        file = self._database.file
        return str(file.parent) if file is not None else None

    def last_run(self) -> float | None:
        """When a job last began (seconds since 1970), None: never. Raises DatabaseError."""
        file = self._database.file
        if file is not None and not file.exists():
            raise EmgError(f"the database {file} does not exist")  # to open it would make it
        with self._database.reading() as connection:
            found = connection.scalar(select(func.max(JobRun.started)))
        return found.timestamp() if found is not None else None

    def close(self) -> None:
        """Give back the connection."""
        self._database.close()
