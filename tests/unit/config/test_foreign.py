"""A foreign configuration file: what is taken, what is left out with its reason, and that nothing makes the reader fall."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from emg.config.faults import Unreadable
from emg.config.foreign import NO_PASSWORD, Foreign, in_order, read
from emg.config.hashes import is_sound, matches
from emg.config.load import load_text
from emg.config.stored import Stored
from emg.config.syntax import Source

HERE = load_text("LOGYEAR\n")
OUT = "CONNECTOR op <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=u\nPASSWORD={}\n{}\n>\n"
OUT_LINES = (("TYPE", "OUTGOING"), ("PROTOCOL", "SMPP"), ("ADDRESS", "h:1"), ("USERNAME", "u"))


class Files(Source):
    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def path(self, name: str, including: str) -> str:
        return name

    def read(self, path: str) -> str:
        if path not in self.files:
            raise Unreadable("no such file")
        return self.files[path]


def take(text: str, environ: Mapping[str, str] | None = None, **files: str) -> Foreign:
    found = Files({f"/old/{name}.txt": content for name, content in files.items()})
    return read(text, "old.cfg", "/old", environ or {}, found, HERE)


def left(foreign: Foreign) -> list[str]:
    return [str(item) for item in in_order(foreign.left_out, foreign.read_files)]


def test_a_connector_is_taken_in_its_own_words() -> None:
    foreign = take(OUT.format("${PW}", "STATIC\nSSL_CAFILE=tls/ca.pem").replace("\n", "\r\n"))
    stored = Stored("op", (*OUT_LINES, ("PASSWORD", "${PW}"), ("STATIC", ""), ("SSL_CAFILE", "/old/tls/ca.pem")))
    assert [one.stored for one in foreign.connectors] == [stored]
    assert left(foreign) == []


def test_an_unknown_keyword_is_left_out_and_the_connector_stays() -> None:
    foreign = take(OUT.format("p", "THROUGHPUTT=5\nUDHVIAOPTIONAL\nWAITDELAY=3"))
    assert foreign.connectors[0].stored == Stored("op", (*OUT_LINES, ("PASSWORD", "p")))
    assert left(foreign) == [
        "old.cfg:7: CONNECTOR op: THROUGHPUTT is not a keyword (did you mean THROUGHPUT?)",
        "old.cfg:8: CONNECTOR op: EMG's UDHVIAOPTIONAL is not available yet; use MESSAGEMODE=SAR",
        "old.cfg:9: CONNECTOR op: EMG's WAITDELAY has no effect here",
    ]
    assert [item.keyword for item in foreign.left_out] == ["THROUGHPUTT", "UDHVIAOPTIONAL", "WAITDELAY"]


def test_the_most_similar_keyword_may_stand_elsewhere() -> None:
    assert left(take("THROUHPUT=5\nXYZZY\n")) == [
        "old.cfg:1: THROUHPUT is not a keyword (did you mean THROUGHPUT, which stands in a CONNECTOR section?)",
        "old.cfg:2: XYZZY is not a keyword",
    ]


def test_a_value_that_means_something_else_here_disables_the_connector() -> None:
    foreign = take(OUT.format("p", "WINDOWSIZE=0"))
    assert foreign.connectors[0].stored.disabled
    assert left(foreign) == [
        "old.cfg:1: CONNECTOR op: taken over disabled, because WINDOWSIZE could not be",
        "old.cfg:7: CONNECTOR op: WINDOWSIZE=0 must be a whole number from 1 to 1000, or auto",
    ]


def test_without_what_it_needs_a_connector_is_left_out_as_a_whole() -> None:
    foreign = take(
        "CONNECTOR a <\nTYPE=OUTGOING\nPROTOCOL=UCP\nADDRESS=h:1\n>\nCONNECTOR b <\nTYPE=INCOMING\nPROTOCOL=SMPP\n>\n"
    )
    assert foreign.connectors == []
    assert left(foreign) == [
        "old.cfg:3: CONNECTOR a: left out as a whole: PROTOCOL=UCP is not available yet",
        "old.cfg:6: CONNECTOR b: left out as a whole: without a usable ADDRESS it is no connector",
    ]


def test_users_of_sections_and_files() -> None:
    text = "USERS=all.txt\nCONNECTOR in <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:1\nUSERS=in.txt\n>\nUSER a <\nPASSWORD=x\nACCESS=10.0.0.0/8\n>\n"
    foreign = take(
        text,
        all="b <\nPASSWORD=${PW}\n>\nstray\n",
        **{"in": "USER c <\nPASSWORD=$1$abc$def\nSESSIONS=x\nDISABLED\n>\n"},
    )
    told = {
        user.name: (user.password, user.access, user.connectors, user.disabled, user.held) for user in foreign.users
    }
    assert told == {
        "a": ("x", ("10.0.0.0/8",), (), False, False),
        "b": ("", (), (), False, True),
        "c": ("", (), ("in",), True, True),
    }
    assert left(foreign) == [
        "/old/all.txt:2: USER b: taken over locked: PASSWORD=${PW} is not set in this environment; set a password",
        "/old/all.txt:4: a users file holds USER sections only",
        "/old/in.txt:1: USER c: taken over locked, because SESSIONS could not be",
        "/old/in.txt:2: USER c: taken over locked: its password is an MD5, of which no argon2 hash can be made; set a new one",
        "/old/in.txt:3: USER c: SESSIONS=x must be a whole number from 0 to 10000",
    ]


def test_what_is_no_connector_and_no_user() -> None:
    text = (
        "NODEID=3\nLOGYEAR\nROUTING=r.txt\nBLACKLIST=b.txt\nUSERS=gone.txt\nDB x <\nTYPE=MYSQL\n>\nSATPOOL s <\n>\n"
        "PLUGIN p <\nLIBRARY=x.pl\nINSTANCE=2\n>\nPLUGIN q <\n>\nGROUP g <\nA=1\n>\nCONNECTR c <\n>\n"
    )
    foreign = take(text)
    assert [(file.kind, file.path) for file in foreign.files] == [
        ("ROUTING", "/old/r.txt"),
        ("BLACKLIST", "/old/b.txt"),
    ]
    assert [(plugin.name, plugin.values) for plugin in foreign.plugins] == [("p", {"LIBRARY": "x.pl"})]
    told = left(foreign)
    assert told[0].startswith("old.cfg:1: a general keyword"), (
        "LOGYEAR is not told: the configuration in use has it too"
    )
    assert [line.split(": ", 1)[1] for line in told[1:]] == [
        "USERS=gone.txt can't be read: no such file",
        "DB x: sections of this type are left out: connections to databases are DATABASE at the top of the configuration file",
        "SATPOOL s: sections of this type are left out: pools of source addresses are not available",
        "PLUGIN p: INSTANCE is not a keyword of a plugin (did you mean INSTANCES?)",
        "PLUGIN q: it has neither LIBRARY nor URL",
        "GROUP g: GROUP is not a type of section",
        "CONNECTR c: CONNECTR is not a type of section (did you mean CONNECTOR?)",
    ]


def test_a_variable_that_is_not_set_stays_in_a_connector_and_nowhere_else() -> None:
    text = OUT.format("${PW}", "INSTANCES=${N}\nSSL_CAFILE=${DIR}/ca.pem")
    text += "LOGDIR=${DIR}\nUSER a <\nPASSWORD=x\nFORCE_SOURCEADDR=${NAME}\n>\nPLUGIN p <\nURL=x\nCONFIG=${C}\n>\n"
    foreign = take(text)
    lines = (*OUT_LINES, ("PASSWORD", "${PW}"), ("INSTANCES", "${N}"), ("SSL_CAFILE", "${DIR}/ca.pem"))
    assert [one.stored for one in foreign.connectors] == [Stored("op", lines)]
    assert [(user.texts, user.held) for user in foreign.users] == [({}, True)]
    assert foreign.plugins == []
    assert [line.split(": ", 1)[1] for line in left(foreign)] == [
        "LOGDIR needs the environment variable DIR, which is not set here",
        "USER a: taken over locked, because FORCE_SOURCEADDR could not be",
        "USER a: FORCE_SOURCEADDR needs the environment variable NAME, which is not set here",
        "PLUGIN p: CONFIG needs the environment variable C, which is not set here",
    ]


def test_passwords_are_never_told() -> None:
    foreign = take(OUT.format("hugo #x", "PASSWORDD=hugo") + "USER a <\nPASSWORD=hugo\nTHROUGHPUT=x\n>\n")
    assert foreign.left_out
    assert "hugo" not in "\n".join(left(foreign)) + repr(foreign.users)


def test_nobody_has_the_password_of_no_password() -> None:
    assert is_sound(NO_PASSWORD)
    assert not matches(NO_PASSWORD, b"")


WORDS = st.sampled_from(
    ["CONNECTOR", "USER", "PLUGIN", "DB", " ", "\n", "<", ">", "=", "TYPE", "INCOMING", "OUTGOING", "PROTOCOL", "SMPP", "UCP", "ADDRESS", "h:1",
     "PASSWORD", "USERS", "x.txt", "${", "}", "${A}", "\r\n", "#", '"', "'", "a", "\x00", "\xe9", "ROUTES", "ACCESS", "MD5PASSWORD", "INCLUDE", "1"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=60).map("".join) | st.text(), st.lists(WORDS, max_size=30).map("".join))
def test_no_text_makes_it_fall(text: str, users: str) -> None:
    foreign = take(text, {"A": "a\nb"}, x=users)
    assert all(item.reason for item in foreign.left_out)
    in_order(foreign.left_out, foreign.read_files)
