"""A gateway that has not come up yet, and one that will not."""

import socket

import pytest

from emg.errors import ControlError
from tests.unit.watchdog.looks import Watch, program
from watchdog.asking import KeptClient, ask_health
from watchdog.model import Cure


def test_a_gateway_that_listens_and_never_answers_does_not_start_any_more() -> None:
    """A watchdog that is new itself has never seen it answer, and it is young: it may hang all the same."""
    watch = Watch(step=0.25).programs(program(age=5.0)).gateway(answered=False, error="it hangs", listens=True)
    assert watch.found(20) == {}
    assert watch.found(0.5)["gateway:silent"].cure is Cure.KILL


def test_who_was_slow_to_listen_has_the_whole_patience_from_there() -> None:
    watch = Watch(step=0.25).programs(program(age=5.0)).mute("it is not running")
    assert watch.found(60) == {}
    watch.gateway(answered=False, error="it hangs", listens=True)
    assert watch.found(19) == {}
    assert watch.gateway().found(1) == {}


@pytest.mark.parametrize("listens", [True, False])
def test_who_takes_connections_listens(tmp_path, listens) -> None:
    path = str(tmp_path / "emg.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        if listens:
            listener.bind(path)
            listener.listen()
        client = KeptClient(path, 0.1)
        with pytest.raises(ControlError):
            ask_health(client)
        assert client.listened is listens
