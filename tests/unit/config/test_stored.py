"""Connectors that stand in the database are read by the parser of the file, beside it, and faults name the keyword."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.config.load import load_text
from emg.config.model import LogLevel, ServerConfig
from emg.config.stored import ROWS, Stored, StoredFault, as_value, examine, plain, section, shown

IN = (("TYPE", "INCOMING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "127.0.0.1:3000"))
OUT = (("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "peer:2775"), ("USERNAME", "u"), ("PASSWORD", "p"))
FILE = load_text(
    "LOGLEVEL=DEBUG\nCONNECTOR filed <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\n>\nUSER joe <\nPASSWORD=x\n>\n"
)


def faults(*stored: Stored, config: ServerConfig = FILE) -> list[str]:
    return [str(fault) for fault in examine(config, stored, {}, "/etc/emg").faults]


def test_sound_connectors_have_every_default_and_inherit_from_the_file() -> None:
    found = examine(FILE, [Stored("a", IN), Stored("b", (*OUT, ("STATIC", "")), disabled=True)], {}, "/etc/emg")
    assert found.faults == found.warnings == []
    assert (found.connectors["a"].instances, found.connectors["a"].loglevel) == (100, LogLevel.DEBUG)
    assert found.connectors["b"].static
    assert found.connectors["b"].disabled


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        (Stored("filed", IN), "connector filed: a connector of this name stands in the configuration file"),
        (Stored("a/b", IN), "connector a/b: a name is made of"),
        (Stored("a", IN[:2]), "connector a: has no ADDRESS"),
        (Stored("a", (*IN, ("INSTANSES", "1"))), "connector a: INSTANSES is not a keyword (did you mean INSTANCES?)"),
        (Stored("a", (*IN, ("INSTANCES", "x"))), "connector a: INSTANCES=x must be a whole number"),
        (Stored("a", (*IN, ("ROUTE", "b"))), "connector a: ROUTE=b: there is no such connector"),
        (Stored("a", (*IN[:2], ("ADDRESS", "127.0.0.1:2775"))), "connector a: a would listen on an address that"),
        (Stored("a", (*IN, ("NODEID", "1"))), "connector a: NODEID does not belong here"),
        (Stored("a", (*IN, ("ROUTE", "x\n>\nNODEID=1"))), "connector a: ROUTE holds control characters"),
        (Stored("a", (*IN, (">", ""))), "connector a: '>' is not a keyword"),
        (Stored("a", (*IN, ("USERS", "u.cfg"))), "connector a: USERS stands in the configuration file only"),
        (Stored("a", (*IN, ("INCLUDE", "/etc/passwd"))), "connector a: INCLUDE stands at the top level"),
        (Stored("a", (*IN, ("DISABLED", ""))), "connector a: whether a connector is disabled is said by"),
        (Stored("a", (*IN, *IN[:1])), "connector a: TYPE was given already"),
    ],
)
def test_a_fault_names_connector_and_reason(stored: Stored, fault: str) -> None:
    found = faults(stored)
    assert len(found) == 1, found
    assert found[0].startswith(fault)


def test_stored_connectors_see_each_other_and_those_of_the_file() -> None:
    a, b = Stored("a", (*IN, ("ROUTE", "b"))), Stored("b", (*OUT, ("REDIRECT", "filed")))
    assert faults(a, b) == []
    assert faults(a) == ["connector a: ROUTE=b: there is no such connector"]
    assert "goes round in a circle" in faults(a, Stored("b", (*OUT, ("REDIRECT", "b"))))[0]


def test_a_faulty_connector_takes_no_other_along() -> None:
    found = examine(FILE, [Stored("a", IN), Stored("bad", (("TYPE", "x"),))], {}, "")
    assert list(found.connectors) == ["a"]
    assert {fault.connector for fault in found.faults} == {"bad"}


def test_a_variable_that_is_not_set_here_is_a_warning_that_names_it() -> None:
    lines = (*OUT[:-1], ("PASSWORD", "${PW}"), ("THROUGHPUT", "${RATE}"))
    found = examine(FILE, [Stored("a", lines)], {"PW": "hugo"}, "")
    assert found.faults == []
    assert [warning.keyword for warning in found.warnings] == ["THROUGHPUT"]
    assert "RATE is not set here" in found.warnings[0].reason
    assert found.connectors["a"].password == "hugo"


def test_secrets_show_only_as_references() -> None:
    assert shown("PASSWORD", "hugo") == "***"
    assert shown("PASSWORD", "${PW}") == "${PW}"
    assert shown("PASSWORD", "'${PW}'") == "***"
    assert shown("XAUTHPASSWORD", "x") == "***", "also of a keyword that we don't know"
    assert shown("USERNAME", "hugo") == "hugo"
    assert not [fault for fault in faults(Stored("a", (*OUT[:-1], ("PASSWORD", "hu go #x")))) if "hu go" in fault]


@given(
    st.text(max_size=12),
    st.lists(
        st.tuples(st.sampled_from([*ROWS, "X", ">", "", "INCLUDE"]) | st.text(max_size=5), st.text(max_size=20)),
        max_size=8,
    ),
)
def test_nothing_breaks_out_of_its_section(name: str, lines: list[tuple[str, str]]) -> None:
    """Whatever a row holds, another connector's section is read as it stands."""
    sound = Stored("sound", IN)
    found = examine(FILE, [Stored(name, tuple(lines)), sound], {}, "")
    assert (
        name == "sound"
        or found.connectors.get("sound") == examine(FILE, [sound], {}, "").connectors["sound"]
        or any("listens on already" in fault.reason or "MSGID_FORMAT" in fault.reason for fault in found.faults)
    )
    assert all(isinstance(fault, StoredFault) for fault in found.faults)


def test_a_section_is_written_as_in_the_file() -> None:
    text = section(Stored("b", (("STATIC", ""), ("SYSTEMTYPE", ""), ("PASSWORD", '"a b"')), disabled=True))
    assert text == 'CONNECTOR b <\nSTATIC\nSYSTEMTYPE=\nPASSWORD="a b"\nDISABLED\n>\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        ('"a #b"', "a #b"),
        ("'${X}'", "${X}"),
        ("$${X}", "${X}"),
        ("${X}", None),
        ('"a', None),
        ("a\nb", None),
        ("", ""),
    ],
)
def test_a_value_as_text(value: str, text: str | None) -> None:
    assert plain(value) == text


@pytest.mark.parametrize("text", ["a", " a ", "a #b", '"', "'x'", "a\\b", "å"])
def test_a_text_as_a_value_is_read_as_it_was(text: str) -> None:
    assert plain(as_value(text)) == text
    assert as_value("${X}:2775") == "${X}:2775"
