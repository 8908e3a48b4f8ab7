"""What `emg check` finds: each fault and warning by an example, and all at once."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emg.config.build import TABLES
from emg.config.load import ConfigFaults, load_text
from emg.config.model import ConnectorType, LogLevel, Protocol, ServerConfig
from emg.errors import ConfigError

IN = "TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:{}"
OUT = "TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=peer:2775\nUSERNAME=u\nPASSWORD=p"
USER = "USER joe <\nPASSWORD=p\n>\n"


def connector(name: str, *lines: str) -> str:
    return "\n".join([f"CONNECTOR {name} <", *lines, ">\n"])


def incoming(name: str, *lines: str, port: int = 2775) -> str:
    return connector(name, IN.format(port), *lines)


def outgoing(name: str, *lines: str) -> str:
    return connector(name, OUT, *lines)


def faults(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        load_text(text, environ)
    return [str(fault) for fault in caught.value.faults]


def fault(text: str) -> str:
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def warnings(text: str) -> list[str]:
    return [str(warning) for warning in load_text(text).warnings]


def good(text: str) -> ServerConfig:
    config = load_text(text)
    assert config.warnings == ()
    return config


def test_a_small_configuration() -> None:
    config = good("NODEID=7\n" + incoming("in", "ROUTE=out") + outgoing("out", "STATIC", "WINDOWSIZE=10") + USER)
    assert config.nodeid == 7
    assert list(config.connectors) == ["in", "out"]
    out = config.connectors["out"]
    assert (out.type, out.protocol, out.static, out.windowsize) == (ConnectorType.OUTGOING, Protocol.SMPP, True, 10)
    assert (out.instances, config.connectors["in"].instances) == (1, 100)
    assert out.address[0] == ("peer", 2775)
    assert config.users["joe"].password == "p"


def test_nothing_at_all_is_a_configuration_with_a_warning() -> None:
    assert warnings("") == ["server.cfg: there is no CONNECTOR: no message comes in or goes out"]


def test_connectors_take_general_keywords_over() -> None:
    text = (
        "LOGLEVEL=DEBUG\nDEFAULT_VP=1h\nLOGPDU\n"
        + incoming("in")
        + outgoing("out", "LOGLEVEL=ERROR", "LOGPDU=0")
        + USER
    )
    config = good(text)
    first, second = config.connectors.values()
    assert config.connector_loglevel is first.loglevel is LogLevel.DEBUG
    assert (first.default_vp, first.logpdu) == (3600.0, True)
    assert (second.loglevel, second.logpdu) == (LogLevel.ERROR, False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NODEID=9000", "server.cfg:1: NODEID=9000 must be a whole number from 0 to 8999"),
        ("NODEID", "server.cfg:1: NODEID needs a value: a whole number from 0 to 8999"),
        ("NODEDI=1", "server.cfg:1: NODEDI is not a keyword (did you mean NODEID?)"),
        (
            "THROUGHPUT=1",
            "server.cfg:1: THROUGHPUT does not belong here; it stands in a CONNECTOR section or in a USER section",
        ),
        ("LOGYEAR=soon", "server.cfg:1: LOGYEAR=soon must be yes or no (1 or 0)"),
        ("NODEID=1\nNODEID=2", "server.cfg:2: NODEID was given already, in server.cfg line 1"),
        ("DATABASE=hunter2", "must be a URL"),
        ("DBCONFIG", "server.cfg:1: EMG's DBCONFIG is not available yet"),
        ("CONECTOR a <\n>", "server.cfg:1: CONECTOR is not a type of section (did you mean CONNECTOR?)"),
        (incoming("a", "WINDOWSIZE=0"), "server.cfg:5: WINDOWSIZE=0 must be a whole number from 1 to 1000, or auto"),
        (incoming("a", "INSTANCES=10001"), "INSTANCES=10001 must be a whole number from 0 to 10000"),
        (incoming("a", "NODEID=1"), "NODEID does not belong here; it stands at the top level"),
        (incoming("a", "PLUGIN=x"), "EMG's PLUGIN is not available yet"),
        (
            incoming("a") + incoming("a", port=2776),
            "server.cfg:6: there is a CONNECTOR a already, in server.cfg line 1",
        ),
        (USER + USER, "server.cfg:4: there is a USER joe already, in server.cfg line 1"),
        ("USER joe <\n>", "server.cfg:1: USER joe has no PASSWORD; every user needs it"),
        ("USER joe <\nPASSWORD=\n>", "server.cfg:2: PASSWORD must be text of 1 to 256 characters"),
        (connector("a", "PROTOCOL=SMPP", "ADDRESS=h:1"), "CONNECTOR a has no TYPE; every connector needs it"),
        (connector("a", "TYPE=INCOMING", "PROTOCOL=SMPP"), "CONNECTOR a has no ADDRESS; every connector needs it"),
        (
            connector("a", OUT.replace("\nPASSWORD=p", "")),
            "CONNECTOR a has no PASSWORD; an OUTGOING connector needs it",
        ),
        (connector("a", OUT.replace("SMPP", "UCP")), "server.cfg:3: PROTOCOL=UCP is EMG's, but not available yet"),
        (connector("a", OUT.replace("2775", "0")), "ADDRESS of the OUTGOING connector a needs a port to connect to"),
        (outgoing("a", "ROUTE=b") + incoming("bb"), "ROUTE=b: there is no such connector (did you mean bb?)"),
        (outgoing("a", "ROUTEDLR=nowhere"), "ROUTEDLR=nowhere: there is no such connector"),
        (outgoing("a", "REDIRECT=nowhere"), "REDIRECT=nowhere: there is no such connector"),
        ("USER joe <\nPASSWORD=p\nROUTE=x\n>", "server.cfg:3: ROUTE=x: there is no such connector"),
        ("USER joe <\nPASSWORD=p\nCONNECTOR=x\n>", "server.cfg:3: CONNECTOR=x: there is no such connector"),
        (outgoing("a", "REDIRECT=a"), "REDIRECT goes round in a circle: a → a"),
        (outgoing("a", "REDIRECT=b") + outgoing("b", "REDIRECT=a"), "REDIRECT goes round in a circle: a → b → a"),
        (
            outgoing("x", "REDIRECT=a") + outgoing("a", "REDIRECT=b") + outgoing("b", "REDIRECT=a"),
            "server.cfg:15: REDIRECT goes round in a circle: a → b → a",
        ),
        (
            outgoing("a", "PROVIDER=p", "MSGID_FORMAT=hex") + outgoing("b", "PROVIDER=p"),
            "server.cfg:10: MSGID_FORMAT differs from that of a, which has the same PROVIDER",
        ),
        (incoming("a", "SSL"), "server.cfg:5: CONNECTOR a has no SSL_KEYFILE; SSL needs it here"),
        (incoming("a", "SSL", "SSL_KEYFILE=k", "SSL_CLIENT_CERT"), "server.cfg:7: SSL_CLIENT_CERT needs SSL_CAFILE"),
        (outgoing("a", "SSL", "SSL_CERTFILE=c"), "CONNECTOR a has no SSL_KEYFILE; SSL needs it here"),
        (f"CONTROL=/{'x' * 200}", "server.cfg:1: CONTROL is a path of more than 107 octets"),
        (incoming("a", "PASSWORD='x"), "server.cfg:5: the value starts with ' and must end with it"),
    ],
)
def test_one_fault(text: str, sentence: str) -> None:
    assert sentence in fault(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "BACKEND=TC\n" + outgoing("a"),
            "server.cfg:1: EMG's BACKEND has no effect here; the spool is always local, in SPOOLDIR",
        ),
        (
            outgoing("a") + "PLUGIN x <\nLIBRARY=x.so\n>",
            "sections of type PLUGIN are not available yet; this one is ignored",
        ),
        (incoming("a", "STATIC") + USER, "server.cfg:5: STATIC has no effect in an INCOMING connector"),
        (outgoing("a", "ACCESS=::1"), "ACCESS has no effect in an OUTGOING connector"),
        (outgoing("a", "SSL_VERIFY=PEER"), "SSL_VERIFY has no effect without SSL"),
        (outgoing("a", "SSL", "SSL_VERIFY=NONE"), "whoever sits in between can read and change everything"),
        (outgoing("a", "DEFAULT_DLR=1", "FORCE_DLR=1"), "DEFAULT_DLR has no effect beside FORCE_DLR"),
        (incoming("a"), "nobody can log in at a: there is neither USER nor DATABASE"),
        (incoming("a", "INSTANCES=9", "MAXCONNECTIONS=8") + USER, "INSTANCES exceeds MAXCONNECTIONS"),
        ("MAXVP=1h\n" + outgoing("a"), "server.cfg:1: DEFAULT_VP exceeds MAXVP"),
        (outgoing("a").replace("=p\n", "=ninechars\n"), "server.cfg:6: PASSWORD is longer than the 8 characters"),
        (incoming("a") + "USER u <\nPASSWORD=ninechars\n>", "PASSWORD is longer than the 8 characters"),
        (incoming("a") + "USER sixteenlettersxx <\nPASSWORD=p\n>", "the name is longer than the 15 characters"),
        (outgoing("a", "ROUTE=b") + outgoing("b", "DISABLED"), "ROUTE=b: that connector is DISABLED"),
        (outgoing("a") + "USER u <\nPASSWORD=p\nCONNECTOR=a\n>", "nobody logs in at a: it is an OUTGOING connector"),
    ],
)
def test_one_warning(text: str, sentence: str) -> None:
    found = warnings(text)
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("0.0.0.0:1", "192.0.2.1:1"),
        ("192.0.2.1:1", "0.0.0.0:1"),
        ("[::]:1", "[2001:db8::1]:1"),
        ("[::]:1", "0.0.0.0:1"),
        ("localhost:1", "[::1]:1"),
        ("localhost:1", "127.0.0.1:1"),
        ("[2001:db8:0:0::1]:1", "[2001:DB8::1]:1"),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1:1"),
        ("192.0.2.1:2,192.0.2.1:1", "192.0.2.1:3,192.0.2.1:1"),
        ("Host.example:1", "host.example:1"),
    ],
)
def test_two_connectors_on_one_address(one: str, other: str) -> None:
    text = connector("a", IN.format(1).replace("127.0.0.1:1", one)) + connector(
        "b", IN.format(1).replace("127.0.0.1:1", other)
    )
    assert fault(text) == "server.cfg:9: b would listen on an address that CONNECTOR a listens on already"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:1", "127.0.0.1:2"),
        ("127.0.0.1:1", "[::1]:1"),
        ("192.0.2.1:1", "192.0.2.2:1"),
        ("0.0.0.0:0", "0.0.0.0:0"),
    ],
)
def test_addresses_that_do_not_overlap(one: str, other: str) -> None:
    good(
        connector("a", IN.format(1).replace("127.0.0.1:1", one))
        + connector("b", IN.format(1).replace("127.0.0.1:1", other))
        + USER
    )


def test_one_connector_may_listen_on_all_of_both_families() -> None:
    good(connector("a", "TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=0.0.0.0:1,[::]:1") + USER)


def test_other_clashes() -> None:
    assert "names one address twice" in fault(connector("a", "TYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=h:1,h:1"))
    assert "that METRICS listens on" in fault("METRICS=0.0.0.0:2775\n" + incoming("a"))
    good(incoming("a") + incoming("b", "DISABLED") + USER)


def test_all_faults_at_once_in_the_order_of_the_lines() -> None:
    text = (
        "NODEID=x\nDBCONFIG\n"
        + incoming("a", "WINDOWSIZE=x", "ROUTE=y", "SSL")
        + connector("b", "what is this", "TYPE=INCOMING")
        + ">"
    )
    lines = [int(re.match(r"server.cfg:(\d+)", line)[1]) for line in faults(text)]  # type: ignore[index]
    assert lines == [1, 2, 7, 8, 9, 11, 11, 12, 15]


def test_a_value_that_can_not_be_read_is_not_called_missing() -> None:
    assert len(faults(connector("a", "TYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=x\nUSERNAME=a # b\nPASSWORD=${NO}"))) == 3


def test_secrets_and_variables_stay_out_of_texts() -> None:
    text = "DATABASE=${S}\nNODEID=${S}\n" + outgoing("a", "ROUTE=${S}").replace(
        "PASSWORD=p", f"PASSWORD={'hunter2' * 20}"
    )
    text += f"USER u <\nPASSWORD='{'hunter2' * 99}'\nROUTE=${{S}}\n>"
    found = faults(text, {"S": "hunter2"})
    assert len(found) == 6
    assert not any("hunter2" in line for line in found)
    assert "server.cfg:2: NODEID=${S} must be a whole number from 0 to 8999" in found


def test_users_files_give_users_to_the_connectors_that_name_them() -> None:
    text = incoming("a", "USERS=u.cfg") + incoming("b", "USERS=u.cfg", port=1) + incoming("c", port=2) + USER
    config = load_text(text, files={"u.cfg": "USER ann <\nPASSWORD=p\n>\nUSER bob <\nPASSWORD=p\nCONNECTOR=c\n>"})
    assert {name: user.connector for name, user in config.users.items()} == {
        "joe": (),
        "ann": ("a", "b"),
        "bob": ("c",),
    }


def test_faults_in_and_around_users_files() -> None:
    with pytest.raises(ConfigFaults) as caught:
        load_text(incoming("a", "USERS=u.cfg"), files={"u.cfg": "NODEID=1\nCONNECTOR x <\n>\nUSER ann <\nX=1\n>"})
    assert [str(fault) for fault in caught.value.faults] == [
        "u.cfg:1: a users file holds USER sections only",
        "u.cfg:2: a users file holds USER sections only",
        "u.cfg:4: USER ann has no PASSWORD; every user needs it",
        "u.cfg:5: X is not a keyword",
    ]
    assert fault(incoming("a", "USERS=no.cfg")) == "server.cfg:5: USERS=no.cfg can't be read: no such file"


def outcome(text: str, environ: Mapping[str, str]) -> ServerConfig | list[ConfigError]:
    """The configuration, or its faults; any other exception is the test's failure."""
    try:
        return load_text(text, environ, folder="/etc/emg")
    except ConfigFaults as found:
        return found.faults


WORDS = st.sampled_from(
    [
        *(name for rows in TABLES.values() for name in rows), "CONNECTOR a <", "USER u <", ">", "DB d <", "INCLUDE", "INCOMING", "SMPP",
        "127.0.0.1:2775", "${A}", '"', "#", "=", "a", "0", "1", "\n", "\n", "\n",
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(WORDS, max_size=60).map("".join)))
def test_any_text_is_a_configuration_or_a_list_of_faults(text: str) -> None:
    assert outcome(text, {"A": "\udcff"})


SETTING = st.builds("{}{}{}".format, WORDS, st.sampled_from(["=", ""]), WORDS | st.text())


@given(st.lists(SETTING, max_size=8), st.lists(SETTING, max_size=8), st.lists(SETTING, max_size=8))
def test_any_sections_are_a_configuration_or_a_list_of_faults(
    general: list[str], one: list[str], two: list[str]
) -> None:
    text = "\n".join([*general, "CONNECTOR a <", *one, ">", "CONNECTOR b <", *two, ">", "USER u <", *one, ">"])
    assert outcome(text, {"A": "a"})


def test_with_a_database_a_connector_may_stand_there() -> None:
    text = (
        "{}CONNECTOR c <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nROUTE=stored\n>\nUSER u <\nPASSWORD=p\n>\n"
    )
    with pytest.raises(ConfigFaults, match="there is no such connector"):
        load_text(text.format(""))
    config = load_text(text.format("DATABASE=sqlite:///emg.db\n"))
    assert [warning.reason for warning in config.warnings] == [
        "ROUTE=stored: no such connector stands here; it must be one of the database's"
    ]
