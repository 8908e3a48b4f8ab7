"""supervisord's configuration: as the table says, as supervisord itself reads it, without secrets, and fresh in the repository."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions, UnhosedConfigParser

from emg.config.load import load_text
from emg.config.model import ServerConfig
from emg.errors import EmgError
from watchdog import document
from watchdog.programs import BY_NAME, PROGRAMS, chosen, open_files, stop_limit
from watchdog.render import Place, demo_place, main, render, socket_path, write

HARD = 1 << 20
OPERATOR = "CONNECTOR operator <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2776\nUSERNAME=u\nPASSWORD=hidden\nINSTANCES=3\n>\n"
CUSTOMERS = "CONNECTOR customers <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS=127.0.0.1:2775\nINSTANCES={}\n>\n"


def place(folder: Path | str = "/etc/emg", **values: object) -> Place:
    chosen_values = {"emg": ("/opt/emg/bin/emg",), "config": f"{folder}/server.cfg", "most_files": HARD} | values
    return Place(**chosen_values)  # type: ignore[arg-type]


def config(
    folder: Path | str = "/run/emg", text: str = OPERATOR + CUSTOMERS.format(1), database: bool = True
) -> ServerConfig:
    head = f"CONTROL={folder}/emg.sock\nLOGDIR={folder}/log\nDRAINTIME=12\n"
    return load_text(head + ("DATABASE=mysql+pymysql://emg:hidden@127.0.0.1/emg\n" if database else "") + text)


def sections(text: str) -> UnhosedConfigParser:
    parser = UnhosedConfigParser()
    parser.read_string(text)
    return parser


@pytest.mark.parametrize(
    ("name", "file"), [("appliance", "config/supervisord.conf"), ("demo", "config/demo/supervisord.conf")]
)
def test_the_files_in_the_repository_are_fresh(name, file):
    assert (document.ROOT / file).read_text() == document.DOCUMENTS[name](), "run: make docs"


def test_supervisord_reads_it_as_it_is_meant(tmp_path):
    """By supervisord's own reader, in a folder whose name holds what its syntax and the shell treat as special."""
    folder = tmp_path / "50% 'off' (ä)#1"
    (folder / "log").mkdir(parents=True)
    file = folder / "supervisord.conf"
    place_here = demo_place(("/bin/my emg", "app.py"), f"{folder}/server.cfg", HARD)
    server = config(folder)
    file.write_text(render(server, place_here))
    options = ServerOptions()
    options.realize(["-c", str(file)], doc="")
    assert [group.name for group in sorted(options.process_group_configs)] == [
        program.name for program in chosen(server, demo=True)
    ]
    for group in options.process_group_configs:
        row = BY_NAME[group.name]
        (found,) = group.process_configs
        words = shlex.split(found.command)
        assert words[:2] == ["/bin/my emg", "app.py"]
        assert [word for word in words if word.endswith("server.cfg")] == [f"{folder}/server.cfg"] * (
            row.name not in ("operator", "traffic")
        )
        assert found.stopwaitsecs >= row.stop_limit(server)
        assert found.autorestart.__name__ == "RestartUnconditionally"
        log = found.stderr_logfile if row.listener else found.stdout_logfile
        assert log == f"{folder}/log/{row.log}"
    assert options.server_configs[0]["file"] == f"{folder}/supervisor.sock" == socket_path(server)
    assert options.logfile == f"{folder}/log/supervisord.log"


def test_every_row_is_there_or_has_no_use():
    everything = [program.name for program in chosen(config(), demo=True)]
    assert sorted(everything) == sorted(program.name for program in PROGRAMS)
    assert [program.name for program in chosen(config(database=False))] == ["gateway", "watchdog"]
    assert "operator" not in [program.name for program in chosen(config(text=""), demo=True)]


def test_each_row_can_be_told_apart_and_found():
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    assert len({program.order for program in PROGRAMS}) == len(PROGRAMS), "the order of a stop is no matter of chance"
    assert all(program.name.isalpha() and program.name.islower() for program in PROGRAMS)


def test_a_stop_of_the_gateway_may_take_longer_than_draintime():
    """What takes longer than stopwaitsecs is killed: with DRAINTIME=12 the gateway waits 12 s for answers, and then has to commit and close."""
    assert sections(render(config(), place()))["program:gateway"]["stopwaitsecs"] == "27"
    assert stop_limit(config()) > 27


def test_nothing_is_ever_given_up():
    rows = sections(render(config(), place()))
    for name in rows.sections():
        if name.startswith(("program:", "eventlistener:")):
            assert rows[name]["autostart"] == rows[name]["autorestart"] == "true"
            assert int(rows[name]["startretries"]) >= 1_000_000
            assert int(rows[name]["startsecs"]) > 0, (
                "without it, what can't start would be started again and again without a pause"
            )


def test_every_log_rotates():
    rows = sections(render(config(), place()))
    for section in map(rows.__getitem__, rows.sections()):
        for key, value in section.items():
            if key.endswith("logfile") and value != "NONE":
                assert 0 < int(section[f"{key}_maxbytes"]) <= 10 << 20
                assert 0 < int(section[f"{key}_backups"]) <= 5


def test_no_secret_stands_in_it():
    for text in (render(config(), place()), render(config(), place(demo=True))):
        assert "hidden" not in text
        told = text.replace("--password demo", "", 1)  # the demo's, which its welcome prints
        assert "password" not in told.lower()


@pytest.mark.parametrize(("instances", "hard", "files"), [(1, HARD, 16384), (10000, HARD, 20518), (10000, 4096, 4096)])
def test_files_are_enough_for_two_a_session(instances, hard, files):
    server = config(text=OPERATOR + CUSTOMERS.format(instances))
    assert open_files(server) == 2 * (instances + 3) + 512
    assert sections(render(server, place(most_files=hard)))["supervisord"]["minfds"] == str(files)


def test_the_user_is_named_everywhere_or_nowhere():
    named, nobody = (sections(render(config(), place(user=user))) for user in ("emg", ""))
    holders = [name for name in named.sections() if "user" in named[name]]
    assert holders == [
        "supervisord",
        *(name for name in named.sections() if name.split(":")[0] in ("program", "eventlistener")),
    ]
    assert not any("user" in nobody[name] for name in nobody.sections())


@pytest.mark.parametrize("folder", ["/a ;b", "/a #b", "/a\nb", "/a "])
def test_what_the_file_can_not_hold_is_refused(folder):
    with pytest.raises(EmgError, match="can't hold"):
        render(ServerConfig(logdir=folder), place())


def test_the_command_prints_it_and_writes_it(tmp_path, capsys):
    (tmp_path / "server.cfg").write_text(f"CONTROL={tmp_path}/run/emg.sock\nLOGDIR={tmp_path}/log\n{OPERATOR}")
    assert main(["-c", str(tmp_path / "server.cfg")]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "supervisord.conf"
    assert main(["-c", str(tmp_path / "server.cfg"), "--write", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert file.read_text() == printed
    assert (tmp_path / "log").is_dir()
    assert (tmp_path / "run").is_dir(), "supervisord does not start without its folders"


def test_a_file_is_replaced_only_when_it_differs(tmp_path):
    file = tmp_path / "supervisord.conf"
    server = config(tmp_path)
    write(file, "one\n", server)
    before = file.stat().st_ino
    write(file, "one\n", server)
    assert file.stat().st_ino == before
    write(file, "two\n", server)
    assert file.read_text() == "two\n"
    assert (tmp_path / "log").is_dir()
    with pytest.raises(EmgError, match="can't be written"):
        write(tmp_path / "none" / "supervisord.conf", "", server)
