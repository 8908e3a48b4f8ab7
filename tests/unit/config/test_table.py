"""Guards over the keyword table: what must hold for every row."""

import pytest

from emg.config import notyet
from emg.config.build import TABLES
from emg.config.keywords import Keyword, Reads
from emg.config.model import ConnectorConfig, ServerConfig, UserConfig

ROWS = [
    pytest.param(row, id=f"{place or 'GENERAL'}-{row.name}") for place, rows in TABLES.items() for row in rows.values()
]


@pytest.mark.parametrize("row", ROWS)
def test_every_keyword_has_an_example_that_is_allowed(row: Keyword) -> None:
    example = row.example.removeprefix(f"{row.name}=")
    if row.kind.bare and example == row.name:
        return
    row.kind.parse(example.replace("${", "X").replace("}", ""))


@pytest.mark.parametrize("row", ROWS)
def test_every_default_can_be_written_down(row: Keyword) -> None:
    shown = "" if row.default is None else row.kind.show(row.default)
    if shown:  # what is empty is written by leaving it out
        assert row.kind.parse(shown) == row.default


@pytest.mark.parametrize("row", ROWS)
def test_every_keyword_is_described_in_sentences(row: Keyword) -> None:
    assert row.about.endswith(".")
    assert row.group
    assert not row.inherits or row.inherits in TABLES[""]


@pytest.mark.parametrize("row", ROWS)
def test_passwords_are_secret(row: Keyword) -> None:
    words = ("PASSWORD", "SECRET", "TOKEN")
    assert row.secret == (any(word in row.name for word in words) or row.name in {"DATABASE", "ALERT_WEBHOOK"})


def test_attributes_are_keywords_in_lower_case() -> None:
    for cls, place in ((ServerConfig, ""), (ConnectorConfig, "CONNECTOR"), (UserConfig, "USER")):
        section = cls() if cls is ServerConfig else cls(name="x")
        for row in TABLES[place].values():
            assert hasattr(section, row.attribute)
            assert row.attribute == row.name.lower()


def test_secrets_stay_out_of_tracebacks() -> None:
    assert "hunter2" not in repr(ConnectorConfig(name="a", password="hunter2"))
    assert "hunter2" not in repr(
        ServerConfig(database="x://hunter2", users={"u": UserConfig(name="u", password="hunter2")})
    )


def test_what_is_not_there_yet_is_not_there() -> None:
    for place, rows in TABLES.items():
        assert not rows.keys() & (notyet.IGNORED[place] | notyet.MISSING[place])


def test_defaults_that_come_from_other_keywords() -> None:
    connector = ConnectorConfig(name="a", ssl_keyfile="both.pem")
    assert connector.provider == "a"
    assert connector.ssl_certfile == "both.pem"


def test_files_and_folders_are_told_apart() -> None:
    places = {row.name for row in TABLES[""].values() if row.kind.reads is Reads.PLACE}
    assert places == {"SPOOLDIR", "LOGDIR", "CONTROL"}
