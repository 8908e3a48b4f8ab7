"""A session whose account was deleted, or locked: nothing more is taken, though it has not ended yet."""

from types import SimpleNamespace

import pytest

from emg.connectors.smpp.inbox import Inbox
from emg.errors import Cause, Rejected
from tests.engines import SmallEngine, short


@pytest.fixture
def small(tmp_path):
    made = SmallEngine(tmp_path)
    yield made
    made.close()


def test_what_comes_before_the_client_has_heard_our_unbind_is_not_taken(small):
    answers = []
    session = SimpleNamespace(
        engine=small.engine, port=small.engine.ports["customers"], account="acme", user=small.engine.users["acme"],
        respond=answers.append, machine=SimpleNamespace(version=0x34),
    )  # fmt: skip
    inbox = Inbox(session)
    inbox.adopt()
    inbox._take(short(), inbox._submitted, 1)
    assert small.spool.flush()
    assert [answer.status for answer in answers] == [0]
    inbox.dismiss()
    small.engine.sender("acme").configure(None)  # it is gone from the configuration too: no limits, no balance
    with pytest.raises(Rejected, check=lambda error: error.cause is Cause.NOT_ALLOWED):
        inbox._take(short(), inbox._submitted, 2)
    assert small.count("one") == 1
