"""What each command of `emg ctl` does: one function a command, from arguments to exit code.

A function asks the gateway through `Call.client`, and prints what it answered as tables, as a sentence, or as JSON. It raises
ControlError with the sentence to tell. Which arguments it has stands in `ctl`.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from emg.control import show
from emg.control.client import Client, Refused, part
from emg.errors import ControlError, EmgError

EXIT_OK, EXIT_ERROR = 0, 1
POLL_SECONDS = 0.5


class BadArgument(EmgError):
    """The command line is wrong."""


class Call:
    """One run of a command: its arguments, the gateway, and how to print."""

    def __init__(self, arguments: argparse.Namespace, client: Client) -> None:
        self.arguments = arguments
        self.client = client
        self.json: bool = arguments.json

    def print(self, answer: Any, human: Callable[[], None]) -> int:
        """The answer as JSON, or as `human` prints it."""
        if self.json:
            print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        else:
            human()
        return EXIT_OK

    def say(self, answer: Any, sentence: str) -> int:
        """The answer as JSON, or a sentence."""
        return self.print(answer, lambda: print(sentence))


# -- looking


def status(call: Call) -> int:
    """The whole gateway."""
    answer = call.client.get("/status")
    return call.print(answer, lambda: _status(answer))


def _status(answer: Mapping[str, Any]) -> None:
    show.pairs(answer)
    tables = answer.get("tables", [])
    if tables:
        show.table(tables, show.TABLES, "\nTables of the database")
    skipped = [row for subject in tables for row in subject["skipped"]]
    if skipped:
        show.table(skipped, show.SKIPPED, "\nRows that are not used")


def health(call: Call) -> int:
    """Whether it works; the exit code says it too."""
    try:
        answer, code = call.client.get("/health"), EXIT_OK
    except Refused as refused:
        if not isinstance(refused.answer, dict) or "faults" not in refused.answer:
            raise
        answer, code = refused.answer, EXIT_ERROR
    call.say(answer, "the gateway works" if not answer["faults"] else "; ".join(answer["faults"]))
    return code


def connectors(call: Call) -> int:
    """All of them, or one."""
    return _all_or_one(call, "connectors", show.CONNECTORS, "session_list", show.SESSIONS, "\nSessions")


def sessions(call: Call) -> int:
    """All sessions."""
    answer = call.client.get(
        "/sessions", connector=call.arguments.connector or "", account=call.arguments.account or ""
    )
    return call.print(answer, lambda: show.table(answer["sessions"], show.SESSIONS))


def accounts(call: Call) -> int:
    """All of them, or one."""
    return _all_or_one(call, "accounts", show.ACCOUNTS, "session_list", show.SESSIONS, "\nSessions")


def queues(call: Call) -> int:
    """All of them, or one."""
    return _all_or_one(call, "queues", show.QUEUES, "head", show.HEAD, "\nFirst messages")


def _all_or_one(
    call: Call, kind: str, columns: show.Columns, inner: str, inner_columns: show.Columns, title: str
) -> int:
    """The table of all of a kind; or the one that is named, and below it the table of what it has as `inner`."""
    name = call.arguments.name
    if name is None:
        answer = call.client.get(f"/{kind}")
        return call.print(answer, lambda: show.table(answer[kind], columns))
    answer = call.client.get(f"/{kind}/{part(name)}")

    def human() -> None:
        show.pairs(answer)
        if answer[inner]:
            show.table(answer[inner], inner_columns, title)

    return call.print(answer, human)


def message(call: Call) -> int:
    """A message's story."""
    answer = call.client.get(f"/messages/{call.arguments.id}")

    def human() -> None:
        show.pairs({name: given for name, given in answer.items() if name not in ("story", "related", "remote_ids")})
        if len(answer["remote_ids"]) > 1 or any(row["part"] for row in answer["remote_ids"]):
            show.table(answer["remote_ids"], show.REMOTE_IDS, "\nSent")
        show.story(answer["story"], "\nStory")
        if answer["related"]:
            show.story(answer["related"], "\nIts parts and reports")

    return call.print(answer, human)


def send(call: Call) -> int:
    """Send a message in an account's name."""
    given = call.arguments
    fields = {"account": given.account, "dest": given.dest, "source": given.source, "text": given.text}
    fields |= {name: value for name in ("at", "validity") if (value := getattr(given, name)) is not None}
    message = {"key": given.key or f"ctl:{secrets.token_hex(12)}", **fields}
    (answer,) = call.client.post("/messages", messages=[message])["messages"]
    if "refused" in answer:
        raise ControlError(f"refused ({answer['refused']}): {answer['reason']}")
    parts = answer.get("parts", 1)
    price = f", {show.value('price', answer['price'])} {answer['currency']}" if answer.get("currency") else ""
    again = "it was sent before: " if answer.get("repeated") else ""
    return call.say(answer, f"{again}message {answer['id']}, {parts} part{'s'[: parts != 1]}{price}")


def orphans(call: Call) -> int:
    """Reports without a message."""
    answer = call.client.get("/orphans", count=str(call.arguments.count))

    def human() -> None:
        show.table(answer["orphans"], show.ORPHANS)
        print(
            f"{answer['count']} kept, at most {answer['limit']}; {answer['dropped']} left because there were too many"
        )

    return call.print(answer, human)


def explain(call: Call) -> int:
    """Which way a message would go."""
    chosen = call.arguments
    answer = call.client.post(
        "/explain", dest=chosen.dest, source=chosen.source, account=chosen.account, connector=chosen.connector
    )

    def human() -> None:
        if answer["refused"]:
            print(f"{answer['dest']} is refused: {answer['refused']}")
        elif answer["queue"]:
            usable = "" if answer.get("usable", True) else " (which cannot send at the moment: the message would wait)"
            print(f"{answer['dest']} goes to {answer['queue']}{usable}")
        else:
            print(f"{answer['dest']} is refused: {answer['reason']}")
        if answer["reason"]:
            print(f"because {answer['reason']}")
        if answer["account_known"] is False:
            print(f"there is no account {answer['account']}")
        if answer.get("rivals"):
            show.table(answer["rivals"], show.RIVALS, "\nOther rows that fit the number")
        if answer.get("price"):
            _explain_price(answer["price"])

    return call.print(answer, human)


def _explain_price(told: Mapping[str, Any]) -> None:
    row = told["row"]
    if row is not None:
        price, cost = show.value("price", row["price"]), show.value("cost", row["cost"])
        print(f"\na part of it costs {price} {row['currency']}, us {cost} (row {row['id']})")
        print(f"because {told['reason']}")
    if told["rivals"]:
        show.table(told["rivals"], show.PRICE_RIVALS, "\nOther prices that fit the number")


def metrics(call: Call) -> int:
    """For Prometheus."""
    print(call.client.get("/metrics"), end="")
    return EXIT_OK


# -- changing


def hold(call: Call) -> int:
    """Let a queue wait."""
    answer = call.client.post(f"/queues/{part(call.arguments.name)}/hold")
    return call.say(answer, f"queue {answer['queue']} is on hold with {answer['size']:,} messages")


def release(call: Call) -> int:
    """Let it go on."""
    answer = call.client.post(f"/queues/{part(call.arguments.name)}/release")
    return call.say(answer, f"queue {answer['queue']} is released with {answer['size']:,} messages")


def start(call: Call) -> int:
    """Start a connector."""
    answer = call.client.post(f"/connectors/{part(call.arguments.name)}/start")
    return call.say(answer, f"connector {answer['name']} is started ({answer['state']})")


def stop(call: Call) -> int:
    """Stop a connector."""
    answer = call.client.post(f"/connectors/{part(call.arguments.name)}/stop")
    return call.say(answer, f"connector {answer['name']} is {answer['state']}; it stays so until it is started")


def close(call: Call) -> int:
    """End a session."""
    answer = call.client.post(f"/sessions/{part(call.arguments.session)}/close", now=call.arguments.now)
    return call.say(answer, f"session {answer['session']} ends")


def reload(call: Call) -> int:
    """Read the configuration again."""
    answer = call.client.post("/reload")
    changed = {name: what for name, what in answer.items() if what}
    return call.print(answer, lambda: show.pairs(changed) if changed else print("nothing has changed"))


def shutdown(call: Call) -> int:
    """Stop the gateway."""
    if not call.arguments.yes:
        queued = call.client.get("/status")["queued"]
        _confirm(f"Stop the gateway? {queued:,} messages stay in its queues.")
    answer = call.client.post("/stop")
    return call.say(answer, f"the gateway stops, within {answer['within_seconds']:g} s")


def cancel(call: Call) -> int:
    """Delete one message."""
    answer = call.client.post(f"/messages/{call.arguments.id}/cancel")
    return call.say(answer, f"message {answer['id']}: {answer['cancelled']} cancelled, {answer['not_cancelled']} not")


def report(call: Call) -> int:
    """Report in a provider's place."""
    chosen = call.arguments
    if (chosen.id is None) == (chosen.remote_id is None):
        raise BadArgument("give either a message id, or --provider and --remote-id")
    body: dict[str, Any] = {"state": chosen.state}
    if chosen.error is not None:
        body["error"] = chosen.error
    if chosen.id is not None:
        body["id"] = chosen.id
    else:
        if chosen.provider is None:
            raise BadArgument("--remote-id needs --provider")
        body.update(provider=chosen.provider, remote_id=chosen.remote_id)
    answer = call.client.post("/reports", **body)
    return call.say(answer, f"message {answer['id']} is {answer['state']} now")


def clear(call: Call) -> int:
    """Delete a queue's messages."""
    return _sweep(call, "clear", {}, "Delete {count} of queue {queue}?", "deleted")


def move(call: Call) -> int:
    """Move a queue's messages."""
    to = call.arguments.to
    return _sweep(call, "move", {"to": to}, f"Move {{count}} of queue {{queue}} to {to}?", f"moved to {to}")


def _sweep(call: Call, act: str, body: dict[str, Any], question: str, done: str) -> int:
    chosen, queue = call.arguments, call.arguments.queue
    path = f"/queues/{part(queue)}"
    body = {**body, "account": chosen.account, "prefix": chosen.prefix}
    if chosen.dry_run or not chosen.yes:
        counted = _wait(call, path, call.client.post(f"{path}/{act}", dry_run=True, **body))
        count = _messages(counted["messages"])
        if chosen.dry_run:
            return call.say(counted, f"{count} of queue {queue} would be {done}")
        _confirm(question.format(count=count, queue=queue))
    answer = _wait(call, path, call.client.post(f"{path}/{act}", **body))
    call.say(answer, f"{_messages(answer['messages'])} of queue {queue} {done}")
    if answer["fault"]:
        raise ControlError(f"it did not come to its end: {answer['fault']}", 409)
    return EXIT_OK


def _wait(call: Call, path: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Until the operation is over."""
    while not answer["complete"] and not answer["fault"]:
        print(f"{answer['messages']:,} so far …", file=sys.stderr)
        time.sleep(POLL_SECONDS)
        state = call.client.get(path)["operation"]
        if state is None:
            raise ControlError("the gateway was restarted meanwhile", 409)
        answer = state
    return answer


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count:,} messages"


def _confirm(question: str) -> None:
    """Raises ControlError unless somebody says yes."""
    if not sys.stdin.isatty():
        raise ControlError(f"{question} Say --yes where nobody can be asked.")
    print(question, "[y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ControlError("nothing was done")
