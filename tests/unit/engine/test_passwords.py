"""Passwords: what is known at once, what has to be compared, what that costs whom."""

import io
import threading

import gevent
import pytest

from emg.config import hashes
from emg.config.load import ConfigFaults, load_text
from emg.engine import passwords as module
from emg.engine.passwords import Busy, Passwords
from emg.tools import password as tool


@pytest.fixture(scope="module")
def stored():
    return hashes.make(b"secret")


@pytest.fixture
def passwords():
    it = Passwords()
    yield it
    it.close()


def test_a_plain_password_is_compared_at_once(passwords):
    passwords.configure(["secret"])
    assert passwords.quick("acme", "secret", b"secret") is True
    assert passwords.quick("acme", "secret", b"Secret") is False
    assert passwords.quick("nobody", "", b"") is False


def test_a_hash_is_compared_once_and_then_remembered(passwords, stored):
    passwords.configure([stored])
    assert passwords.quick("acme", stored, b"secret") is None
    assert passwords.slow("acme", stored, b"secret") is True
    assert passwords.quick("acme", stored, b"secret") is True
    assert passwords.quick("other", stored, b"secret") is None
    assert passwords.quick("acme", stored, b"wrong") is None
    assert passwords.slow("acme", stored, b"wrong") is False
    assert passwords.quick("acme", stored, b"wrong") is None


def test_a_new_hash_makes_the_remembered_one_worthless(passwords, stored):
    passwords.configure([stored])
    assert passwords.slow("acme", stored, b"secret")
    assert passwords.quick("acme", hashes.make(b"other"), b"secret") is None


def test_beside_hashes_every_wrong_login_costs_one(passwords, stored, monkeypatch):
    passwords.configure(["plain", stored])
    compared = []
    monkeypatch.setattr(hashes, "matches", lambda against, given: compared.append(against) or True)
    assert passwords.quick("nobody", "", b"x") is None
    assert passwords.slow("nobody", "", b"x") is False
    assert passwords.quick("plain", "plain", b"x") is None
    assert passwords.slow("plain", "plain", b"x") is False
    assert compared == [stored, stored]


@pytest.fixture
def gate(monkeypatch):
    """Comparisons of full hashes wait in their threads until it is opened."""
    opened, compare = threading.Event(), hashes.matches
    monkeypatch.setattr(hashes, "matches", lambda against, given: opened.wait(10) and compare(against, given))
    yield opened
    opened.set()


def test_others_go_on_while_a_hash_is_compared(passwords, stored, gate):
    passwords.configure([stored])
    asked = gevent.spawn(passwords.slow, "acme", stored, b"secret")
    for _ in range(5):
        gevent.sleep(0.001)
        assert not asked.ready()
    gate.set()
    assert asked.get(timeout=10) is True


def test_what_is_remembered_is_bounded(passwords, stored, monkeypatch):
    passwords.configure([stored])
    monkeypatch.setattr(hashes, "matches", lambda against, given: True)
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for number in range(5):
        assert passwords.slow(f"a{number}", stored, b"secret")
    assert [passwords.quick(f"a{number}", stored, b"secret") for number in range(5)] == [None, None, True, True, True]


# -- who waits


@pytest.fixture
def turns(passwords, stored, monkeypatch):
    """Comparisons of "right" are quick once the gate is open; gives it, and whom they were made for, in order."""
    opened, compared = threading.Event(), []
    monkeypatch.setattr(hashes, "matches", lambda _, given: opened.wait(10) and (compared.append(given) or True))
    passwords.configure([stored])
    yield opened, compared
    opened.set()


def logins(passwords, stored, count, address, *, seconds=60.0, **more):
    """So many at once, each of an account of its own, which are all as it is now."""
    started = [
        gevent.spawn(told, passwords, f"{address}-{number}", stored, f"{address}-{number}".encode(), address, seconds, **more)
        for number in range(count)
    ]  # fmt: skip
    gevent.sleep(0)
    return started


def told(passwords, *arguments, **more):
    try:
        return passwords.slow(*arguments, **more)
    except Busy as error:
        return str(error)


def test_five_hundred_first_logins_wait_as_long_as_they_may(passwords, stored, turns):
    gate, compared = turns
    asked = logins(passwords, stored, 500, "10.0.0.1")
    assert not any(each.ready() for each in asked)
    gate.set()
    gevent.joinall(asked)
    assert [each.value for each in asked] == [True] * 500
    assert len(compared) == 500


def test_who_cannot_be_decided_in_time_is_told_so_at_once(passwords, stored, turns):
    gate, _ = turns
    asked = logins(passwords, stored, 500, "10.0.0.1", seconds=30.0)
    busy = [each for each in asked if each.ready()]
    assert 395 <= len(asked) - len(busy) <= 400, "two threads, 0.15 s each"
    assert all("wait for their passwords" in each.value for each in busy)
    gate.set()
    gevent.joinall(asked)
    late = logins(passwords, stored, 1, "10.0.0.2", seconds=30.0)
    gevent.joinall(late)
    assert late[0].value is True


def test_a_flood_from_one_address_takes_one_place_in_turn(passwords, stored, turns):
    gate, compared = turns
    flood = logins(passwords, stored, 450, "6.6.6.6", seconds=30.0)
    honest = logins(passwords, stored, 3, "10.0.0.1", seconds=30.0) + logins(
        passwords, stored, 1, "10.0.0.2", seconds=30.0
    )
    assert not any(each.ready() for each in honest)
    gate.set()
    gevent.joinall(flood + honest)
    assert [each.value for each in honest] == [True] * 4
    places = [place for place, given in enumerate(compared) if given.startswith(b"10.")]
    assert max(places) <= 12, "two were being compared, then it is address after address"


def test_where_there_is_no_room_the_flood_gives_way(passwords, stored, turns):
    gate, _compared = turns
    passwords._hashing._most = 5
    flood = logins(passwords, stored, 2, "6.6.6.6")
    gevent.sleep(0.01)
    assert passwords._hashing.waiting == 0, "they are being compared"
    flood += logins(passwords, stored, 6, "6.6.6.6")
    honest = logins(passwords, stored, 2, "10.0.0.1")
    gate.set()
    gevent.joinall(flood + honest)
    assert [each.value for each in honest] == [True, True]
    assert [each.value is True for each in flood] == [True] * 5 + [False] * 3
    assert all("needed the place" in each.value for each in flood[5:7])
    assert "wait for their passwords" in flood[7].value
    assert passwords._hashing.waiting == 0


def test_sessions_of_one_account_cost_one_comparison(passwords, stored, turns):
    gate, compared = turns
    asked = [gevent.spawn(passwords.slow, "acme", stored, b"secret", "10.0.0.1") for _ in range(20)]
    gevent.sleep(0)
    gate.set()
    gevent.joinall(asked, raise_error=True)
    assert [each.value for each in asked] == [True] * 20
    assert len(compared) <= 2, "two were looked at at once"


def test_what_nobody_waits_for_is_not_compared(passwords, stored, turns):
    gate, compared = turns
    here = [True]
    asked = logins(passwords, stored, 20, "10.0.0.1", wanted=lambda: here[0])
    here[0] = False
    gate.set()
    gevent.joinall(asked)
    assert len(compared) <= 2
    assert passwords._hashing.waiting == 0


def test_a_time_that_is_over_frees_the_place(passwords, stored, turns):
    asked = logins(passwords, stored, 2, "10.0.0.1") + logins(passwords, stored, 1, "10.0.0.2", seconds=0.5)
    gevent.joinall(asked[2:])
    assert "not compared within 0.5 s" in asked[2].value
    assert passwords._hashing.waiting == 0
    turns[0].set()
    gevent.joinall(asked)


def test_who_waits_when_the_gateway_stops_is_told(passwords, stored, turns):
    asked = logins(passwords, stored, 3, "10.0.0.1")
    turns[0].set()
    passwords._hashing.close()
    gevent.joinall(asked[2:])
    assert asked[2].value == "the gateway stops"


def test_what_was_verified_outlives_a_restart_and_costs_little_then(tmp_path, stored, monkeypatch):
    first = Passwords(tmp_path)
    first.configure([stored])
    assert first.slow("acme", stored, b"secret")
    first.close()
    assert oct((tmp_path / "logins").stat().st_mode & 0o777) == "0o600"
    assert b"secret" not in (tmp_path / "logins").read_bytes()
    compared = []
    matches = hashes.matches
    monkeypatch.setattr(hashes, "matches", lambda against, given: compared.append(given) or matches(against, given))
    second = Passwords(tmp_path)
    second.configure([stored])
    assert second.quick("acme", stored, b"secret") is None  # the keyed digests of the first one are gone
    assert second.slow("acme", stored, b"secret") is True
    assert second.quick("acme", stored, b"secret") is True
    assert compared == []
    assert second.slow("acme", stored, b"wrong") is False
    assert compared == [b"wrong"]
    other = hashes.make(b"other")
    assert second.slow("acme", other, b"secret") is False
    assert second.slow("beta", stored, b"secret") is True  # not the account that the mark is of
    assert compared == [b"wrong", b"secret", b"secret"]
    second.close()


@pytest.mark.parametrize("octets", [b"", b"nonsense", b"\x92\x07\x90", b"\x92\x01\x91\xc0"])
def test_a_file_that_makes_no_sense_costs_time_alone(tmp_path, stored, octets):
    (tmp_path / "logins").write_bytes(octets)
    passwords = Passwords(tmp_path)
    passwords.configure([stored])
    assert passwords.slow("acme", stored, b"secret") is True
    passwords.close()
    assert len((tmp_path / "logins").read_bytes()) > 80


def test_marks_of_hashes_that_are_gone_are_not_kept(tmp_path, stored):
    passwords = Passwords(tmp_path)
    passwords.configure([stored])
    passwords.slow("acme", stored, b"secret")
    passwords.configure([])
    passwords.close()
    assert b"acme" not in (tmp_path / "logins").read_bytes()


def test_customers_who_come_back_do_not_wait_behind_a_flood_of_wrong_passwords(tmp_path, stored, request):
    first = Passwords(tmp_path)
    first.configure([stored])
    first.slow("acme", stored, b"secret")
    first.close()
    gate = request.getfixturevalue("gate")
    passwords = Passwords(tmp_path)
    passwords.configure([stored])
    flood = [gevent.spawn(passwords.slow, f"guess{number}", stored, b"wrong") for number in range(5)]
    gevent.sleep(0)
    assert passwords.slow("acme", stored, b"secret") is True
    assert not any(guess.ready() for guess in flood)
    gate.set()
    gevent.joinall(flood, raise_error=True)
    passwords.close()


def test_a_hash_that_is_not_whole_is_a_fault_of_the_configuration(stored):
    text = "CONNECTOR c <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\n>\nUSER u <\nPASSWORD={}\n>\n"
    assert load_text(text.format(stored)).users["u"].password == stored
    with pytest.raises(ConfigFaults, match="not a whole argon2 hash"):
        load_text(text.format(stored[:-40]))
    assert not hashes.matches("$argon2id$nonsense", b"secret")


def test_emg_password_prints_a_hash_of_what_it_reads(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\nnot this\n"))
    assert tool.main([]) == 0
    printed = capsys.readouterr().out.strip()
    assert hashes.is_sound(printed)
    assert hashes.matches(printed, b"s3cret")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert tool.main([]) == 5
