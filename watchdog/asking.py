"""What the gateway and the database say when they are asked. Waits for them; raises EmgError with a sentence."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select

from emg.control.client import Client, Refused
from emg.db.engine import Database
from emg.db.models import JobRun
from emg.errors import ControlError, EmgError
from watchdog.model import ConnectorFacts

DATABASE_SECONDS: Final = 5


class Details:
    """What the gateway tells of itself beyond its health, as it was learnt at once."""

    __slots__ = ("certificates", "connectors", "status")

    def __init__(
        self,
        status: Mapping[str, Any],
        connectors: tuple[ConnectorFacts, ...] = (),
        certificates: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.connectors = connectors
        self.certificates = certificates or {}
        """Path → the connectors that show it."""


def ask_health(client: Client) -> Mapping[str, Any]:
    """/health, also when the answer is that something is wrong. Raises ControlError when there is none."""
    try:
        answer = client.get("/health")
    except Refused as refused:
        answer = refused.answer
        if not isinstance(answer, dict) or "codes" not in answer:
            raise
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
        for row in rows:
            if path := row.get("certificate"):
                shown[path] = f"{shown[path]}, {row['name']}" if path in shown else f"connector {row['name']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise ControlError(f"what the gateway says of its connectors can't be read: {error!r}", 503) from error
    return Details(status, connectors, shown)


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
