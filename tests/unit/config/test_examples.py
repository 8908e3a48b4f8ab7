"""What ships passes the check, without a warning, and its routes name connectors that exist."""

import csv
import shutil
from pathlib import Path

import pytest

from emg.config.load import load

CONFIG = Path(__file__).parents[3] / "config"
FILES = [CONFIG / "server.cfg", *sorted(CONFIG.glob("examples/*.cfg")), *sorted(CONFIG.glob("demo/*.cfg"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_ships_passes_the_check(file: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(file.parent, tmp_path / "config")
    (folder / "tls").mkdir()
    for name in ("server.key", "server.pem", "customers-ca.pem"):
        (folder / "tls" / name).touch()  # the files that tls.cfg asks its reader to make
    config = load(folder / file.name, {})
    assert config.warnings == ()
    assert config.connectors
    if config.routes:
        lines = Path(config.routes).read_text().splitlines()
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            assert set(row["connector_out"].split(":")) <= config.connectors.keys()
            assert row["connector_in"] in {"", *config.connectors}


def test_the_examples_are_there() -> None:
    assert {file.stem for file in FILES} >= {"server", "aggregator", "tls", "failover"}


def test_the_file_that_ships_listens_to_nobody_but_this_machine() -> None:
    config = load(CONFIG / "server.cfg", {})
    assert {address.host for address in config.connectors["customers"].address} == {"127.0.0.1"}
