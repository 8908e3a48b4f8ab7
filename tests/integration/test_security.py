"""What the gateway shows to the world and what it keeps to itself (ARCHITECTURE, invariant 10)."""

import http.client
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import argon2
import psutil
import pytest

from emg.wire.smpp import pdus
from emg.wire.smpp.names import Status
from tests.gateways import GatewayProcess, SinkProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import Customer, bound

ROOT = Path(__file__).parents[2]
IN, HASHED, OUT, WRONG, LONG = "Word4In!", "Word4Arg", "Word4Out", "Word4Bad", "Word4KeptInTheEnvironment"
SECRETS = (IN, HASHED, OUT, WRONG, LONG)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("security")
    patch = pytest.MonkeyPatch()
    patch.setenv("LONG_PASSWORD", LONG)
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash(HASHED)
    with (
        SinkProcess(folder / "sink", "--password", OUT) as sink,
        GatewayProcess(
            folder / "gateway",
            "LOGLEVEL=DEBUG2\nMETRICS=127.0.0.1:0\nLOGPDU\n"
            + incoming(ROUTE="operator", ADDRESS="127.0.0.1:0,[::1]:0")
            + incoming("local", ROUTE="operator", ACCESS="10.0.0.0/8")
            + outgoing("operator", sink.address, PASSWORD=OUT)
            + outgoing("refused", sink.address, PASSWORD=WRONG)
            + outgoing("away", "127.0.0.1:1", PASSWORD="${LONG_PASSWORD}")
            + user("acme", PASSWORD=IN)
            + user("hashed", PASSWORD=hashed),
        ) as running,
    ):
        yield running
    patch.undo()


def test_nothing_listens_but_what_the_configuration_says(gateway):
    process = psutil.Process(gateway.pid)
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    }
    assert listening == {
        ("127.0.0.1", gateway.port("customers")),
        ("::1", gateway.port("customers", 1)),
        ("127.0.0.1", gateway.port("local")),
        ("127.0.0.1", gateway.port("METRICS")),
    }
    named = {connection.laddr for connection in process.net_connections("unix") if connection.laddr}
    assert {Path(str(name)).parent for name in named} == {gateway.control_path.parent}
    assert process.children() == []


def test_files_and_the_control_socket_are_nobody_elses(gateway):
    assert stat.S_IMODE(gateway.control_path.stat().st_mode) == 0o660
    files = [file for name in ("log", "spool") for file in (gateway.folder / name).rglob("*")]
    assert len(files) > 3
    assert [f"{file} {file.stat().st_mode:o}" for file in files if file.stat().st_mode & 0o007] == []


@pytest.mark.parametrize(("account", "password"), [("acme", IN), ("hashed", HASHED)])
def test_the_right_password_gets_in_in_plain_and_hashed(gateway, account, password):
    with bound(gateway.port(), account, password) as customer:
        assert customer.submit().status == 0
        assert isinstance(customer.ask(pdus.Unbind()), pdus.UnbindResp)


@pytest.mark.parametrize("account", ["acme", "hashed", "nobody"])
def test_a_name_that_exists_is_refused_like_one_that_does_not(gateway, account):
    with Customer(gateway.port()) as customer:
        answer = customer.bind(account, WRONG)
        assert (answer.status, answer.system_id, answer.tlvs) == (Status.RINVPASWD, "", ())


def test_a_hash_is_not_a_password(gateway):
    stored = (gateway.folder / "server.cfg").read_text().split("PASSWORD=$")[1].splitlines()[0]
    with Customer(gateway.port()) as customer:
        frame = pdus.BindTransceiver(1, system_id="hashed", interface_version=0x34)
        frame.password = ("$" + stored)[:8]
        customer.send(frame)
        assert customer.read().status in (Status.RINVPASWD, Status.RBINDFAIL)


def test_who_is_not_in_access_hears_nothing(gateway):
    with Customer(gateway.port("local")) as customer:
        assert customer.until_closed() == b""


def test_secrets_are_in_no_log_and_in_no_answer(gateway):
    with Customer(gateway.port()) as customer:
        customer.bind("acme", WRONG)
    gateway.wait_for_log("the bind was refused")
    asked = [
        "/",
        "/status",
        "/health",
        "/connectors",
        "/connectors/operator",
        "/connectors/customers",
        "/sessions",
        "/queues",
        "/metrics",
    ]
    answers = [str(gateway.control("GET", path)) for path in asked]
    answers.append(
        str(gateway.control("POST", "/explain", {"dest": "46701234567", "account": "acme", "connector": "customers"}))
    )
    gateway.reload()
    logs = [file.read_text(errors="replace") for file in (gateway.folder / "log").iterdir() if file.is_file()]
    assert any("BindTransceiver" in log or "bind_transceiver" in log for log in logs), "binds are among the PDUs logged"
    for text in logs + answers + [gateway.program.printed()]:
        for secret in SECRETS:
            assert secret not in text
            assert secret.encode().hex() not in text.lower()
        assert "$argon2" not in text


def test_secrets_are_not_on_the_command_line_nor_left_to_children(gateway):
    told = " ".join(psutil.Process(gateway.pid).cmdline())
    assert not [secret for secret in SECRETS if secret in told]


FAULTS = """
NODEID=x
CONNECTOR a <
TYPE=OUTGOING
PROTOCOL=SMPP
ADDRESS=nowhere
USERNAME=u
PASSWORD=Word4Out # and a comment
PASWORD=Word4Bad
>
USER u <
PASSWORD="Word4In!
>
USER v <
PASSWORD=Word4Arg
PASSWORD=Word4Arg
SESSIONS=Word4KeptInTheEnvironment
>
"""


@pytest.mark.parametrize("command", [["check"], ["check", "-v"], ["gateway"]])
def test_secrets_are_in_no_fault_of_a_configuration(tmp_path, command):
    text = FAULTS.replace("SESSIONS=Word4KeptInTheEnvironment\n", "")
    (tmp_path / "server.cfg").write_text(text)
    run = subprocess.run(
        [sys.executable, "app.py", *command, "-c", str(tmp_path / "server.cfg")],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert run.returncode != 0
    told = run.stdout + run.stderr
    assert "server.cfg:2" in told
    assert not [secret for secret in SECRETS if secret in told], told
    assert "Traceback" not in told


def test_secrets_are_in_no_list_of_values_in_effect(gateway):
    run = subprocess.run(
        [sys.executable, "app.py", "check", "-v", "-c", str(gateway.config_file)],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env=os.environ | {"LONG_PASSWORD": LONG},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "operator" in run.stdout
    assert not [secret for secret in (*SECRETS, "$argon2") if secret in run.stdout + run.stderr]


# -- the port for metrics


def ask(gateway, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port("METRICS"), timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_port_for_metrics_shows_metrics_and_health_and_changes_nothing(gateway):
    assert ask(gateway, "GET", "/metrics")[0] == 200
    assert ask(gateway, "GET", "/health")[0] == 200
    for path in ("/", "/status", "/connectors", "/sessions", "/queues", "/messages/1", "/../etc/passwd", "/orphans"):
        assert ask(gateway, "GET", path)[0] == 404, path
    for path in ("/stop", "/reload", "/connectors/operator/stop", "/explain", "/metrics", "/health"):
        assert ask(gateway, "POST", path, "{}")[0] in (404, 405), path
    assert gateway.program.alive


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /health HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
        b"POST /health HTTP/1.1\r\nContent-Length: -1\r\n\r\nx",
        b"POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /metrics\r\n\r\n",
        b"\0" * 5000,
        b"GET /%ff%fe?%00=%zz&a HTTP/1.1\r\nHost: \xff\r\n\r\n",
    ],
)
@pytest.mark.parametrize("where", ["METRICS", "CONTROL"])
def test_rubbish_on_the_http_servers_hurts_nobody(gateway, octets, where):
    if where == "METRICS":
        sock = socket.create_connection(("127.0.0.1", gateway.port("METRICS")), 10)
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(str(gateway.control_path))
    with sock:
        try:
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # hung up on, which is an answer
    assert ask(gateway, "GET", "/health")[0] == 200
    eventually(lambda: gateway.program.alive)
    assert "Traceback" not in gateway.logs() + gateway.program.printed()
