"""Names that nobody can resolve or certify are an error of ours with a sentence, whatever the library makes of them."""

import pytest

from emg.errors import EmgError
from emg.session.listen import resolve
from emg.session.tls import TlsPipe, client_context

NAMES = ["a" * 64, "a..b", ".example", "é" * 70]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_one_is_a_sentence(name):
    with pytest.raises(EmgError, match="cannot be a name"):
        resolve(name, 1)


@pytest.mark.parametrize("name", [*NAMES, "", "a\0b"])
def test_a_server_name_that_cannot_be_one_is_a_sentence(name):
    with pytest.raises(EmgError, match="cannot be the name of a server"):
        TlsPipe(client_context(verify="none"), server_side=False, server_name=name)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_addresses_and_names_are_fine(name):
    assert resolve(name, 1)
    assert not TlsPipe(client_context(verify="none"), server_side=False, server_name=name).ready
