"""Which key asks: it is shown as `Authorization: Bearer emg_…` and in no other way.

401 without a key that may be used, 403 without the scope, 429 for more requests a second than the key has (a second's worth may come at once). Buckets are this portal's alone and
in memory: one that has just started has forgotten who asked. A text that is no key, or that was wrong a few times from one address, is answered without asking the database.
"""

import datetime as dt
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from flask import current_app, g, request
from werkzeug.wrappers import Response

from emg.db import keys
from emg.db.audit import Actor
from emg.db.models import Customer
from emg.errors import ControlError
from emg.rules.key_rows import CUSTOMERS, allows
from emg.rules.pacing import TokenBucket
from portal import errors, house
from portal.guard import guarded_by
from portal.throttle import Throttle

View = TypeVar("View", bound=Callable[..., Any])
STATE: Final = "emg.api"
MOST_BUCKETS: Final = 10_000
TELL_SECONDS: Final = 3.0
_KEY: Final = re.compile(re.escape(keys.MARK) + r"[A-Za-z0-9_-]{20,100}", re.ASCII)
_SAYS_HOW: Final = "Send Authorization: Bearer emg_…, with a key that is neither locked nor over."


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that asks."""

    id: int
    name: str
    scopes: str
    customer: str | None
    """Whose rows it sees; None: the house's own, which sees all."""
    customer_id: int | None
    rate: float

    @property
    def is_house(self) -> bool:
        """It sees everybody's rows."""
        return self.customer is None

    def may(self, scope: str) -> bool:
        """It has this scope; a customer's key never one that is for the house."""
        return allows(self.scopes, scope) and (self.is_house or scope in CUSTOMERS)


@dataclass(slots=True)
class _State:
    buckets: dict[int, TokenBucket] = field(default_factory=dict)
    wrong: Throttle = field(default_factory=Throttle)


def caller() -> Caller:
    """Of this request."""
    return cast(Caller, g.caller)


def needs_key(scope: str) -> Callable[[View], View]:
    """For programs whose key has this scope."""
    return guarded_by(lambda: _check(scope), f"key: {scope}")


def _check(scope: str) -> Response | None:
    if request.method == "OPTIONS":
        return None  # which methods there are is no secret
    state = cast(_State, current_app.extensions.setdefault(STATE, _State()))
    word, _, text = request.headers.get("Authorization", "").partition(" ")
    text = text.strip()
    if word.lower() != "bearer" or not _KEY.fullmatch(text):
        return _refused("There is no key. " + _SAYS_HOW)
    moment = time.monotonic()
    tried = [f"{house.address()} {keys.digest(text)}"]
    if wait := state.wrong.wait(tried, moment):
        return _later(wait, "This key was wrong several times.")
    found = _find(text)
    if found is None:
        state.wrong.failed(tried, moment)
        return _refused("This key is of no use. " + _SAYS_HOW)
    g.caller, g.actor = found, Actor(f"key:{found.name}", house.address())
    bucket = _bucket(state, found)
    if not bucket.take(moment):
        return _later(bucket.wait(moment), f"This key has {found.rate:g} requests a second.")
    if not found.may(scope):
        sentence = f"This key has not the scope {scope}, which this needs; it has {found.scopes.replace(',', ', ')}."
        return _response(403, sentence)
    return None


def _find(text: str) -> Caller | None:
    with house.writing() as session:  # when it was last used is kept
        key = keys.verify(session, text, dt.datetime.now(dt.UTC))
        if key is None:
            return None
        owner = session.get(Customer, key.customer_id) if key.customer_id is not None else None
        return Caller(key.id, key.name, key.scopes, owner.name if owner else None, key.customer_id, key.rate)


def _bucket(state: _State, found: Caller) -> TokenBucket:
    bucket = state.buckets.get(found.id)
    if bucket is None:
        if len(state.buckets) >= MOST_BUCKETS:
            del state.buckets[next(iter(state.buckets))]
        bucket = state.buckets[found.id] = TokenBucket(found.rate)
    elif bucket.rate != found.rate:
        bucket.change(found.rate)
    return bucket


def _refused(sentence: str) -> Response:
    return _response(401, sentence, {"WWW-Authenticate": 'Bearer realm="EMG"'})


def _later(wait: float, sentence: str) -> Response:
    seconds = max(1, -int(-wait // 1))
    return _response(429, f"{sentence} Ask again in {seconds} s.", {"Retry-After": str(seconds)})


def _response(code: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return cast(Response, current_app.make_response(errors.answer(code, sentence, headers=headers)))


def tell_gateway() -> None:
    """After a change of tables that it reads. Never an error: it looks by itself every few seconds."""
    try:
        house.gateway(TELL_SECONDS).post("/reload")
    except ControlError as error:
        current_app.logger.info("the gateway was not told of a change through the API: %s", error)
