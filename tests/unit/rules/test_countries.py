"""A customer's country is one that there is."""

import pytest

from emg.rules import countries, rows
from emg.rules.account_rows import CUSTOMER
from emg.rules.rows import Known, RowFaults


def test_codes_and_their_names() -> None:
    assert [countries.code(text) for text in ("se", " GR ", "XK")] == ["SE", "GR", "XK"]
    assert [countries.name(code) for code in ("SE", "CI", "")] == ["Sweden", "Côte d'Ivoire", ""]
    assert len(countries.NAMES) == 249 + 1
    assert all(len(code) == 2 and code.isupper() and name[0].isupper() for code, name in countries.NAMES.items())


@pytest.mark.parametrize(("text", "meant"), [("UK", "GB"), ("el", "GR"), ("QQ", "SE"), ("Sverige", "SE")])
def test_any_other_two_letters_are_refused(text: str, meant: str) -> None:
    with pytest.raises(RowFaults, match=f"country: '{text}' is no ISO 3166 code of two letters such as {meant}"):
        rows.read(CUSTOMER, {"name": "A", "country": text}, Known(), whole=True)
