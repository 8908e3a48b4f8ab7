"""What healing did outlives the watchdog, within one boot of the machine."""

import time

import msgspec

from watchdog import memory
from watchdog.healing import Healing, Record
from watchdog.memory import Memory


def restarts(path: str) -> dict[str, object]:
    healing = Healing()
    Memory(path).recall(healing)
    return {name: told["restarts"] for name, told in healing.status().items()}


def kept(tmp_path) -> str:
    path = str(tmp_path / "healing.json")
    now = time.monotonic()
    file = Memory(path)
    file.keep({"gateway": Record([now - 2, now - 1], reason="silent"), "recorder": Record([now - 3])})
    file.close()
    return path


def test_the_next_watchdog_knows_what_was_done(tmp_path):
    assert restarts(kept(tmp_path)) == {"gateway": 2, "recorder": 1}


def test_another_boot_of_the_machine_is_another_time(tmp_path, monkeypatch):
    path = kept(tmp_path)
    other = tmp_path / "boot"
    other.write_text("another\n")
    monkeypatch.setattr(memory, "BOOT", other)
    assert restarts(path) == {}


def test_no_file_and_a_damaged_one_are_nothing_to_know(tmp_path):
    assert restarts(str(tmp_path / "none.json")) == {}
    damaged = tmp_path / "healing.json"
    for text in (b"", b"{", b"[1,[[]]]", msgspec.json.encode((1, [{"boot": 5}]))):
        damaged.write_bytes(text)
        assert restarts(str(damaged)) == {}


def test_times_to_come_are_forgotten(tmp_path):
    path = str(tmp_path / "healing.json")
    file = Memory(path)
    file.keep({"gateway": Record([time.monotonic() + 1000])})
    file.close()
    assert restarts(path) == {}


def test_a_folder_that_is_not_there_breaks_nothing(tmp_path):
    file = Memory(str(tmp_path / "none" / "healing.json"))
    file.keep({"gateway": Record([1.0])})
    file.close()
