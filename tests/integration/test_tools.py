"""The load client against the simulated operator over real sockets: whatever goes wrong in between, their ledgers agree.

Both run in this process unless the test is about the commands themselves; every port is one that the system chose.
"""

import datetime as dt
import ipaddress
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import gevent
import gevent.event
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emg.session import tls
from emg.tools import options
from emg.tools.behaviour import Behaviour
from emg.tools.connect import Login
from emg.tools.esme import LoadRun
from emg.tools.ledger import Ledger, compare
from emg.tools.load import Load, summarize
from emg.tools.receipts import Dialect
from emg.tools.sink import Sink, Station
from emg.tools.smsc import Operator
from emg.tools.traffic import Traffic, own_run
from emg.wire.smpp import machine as smpp
from emg.wire.smpp.names import Status

ROOT = Path(__file__).parents[2]
DEADLINE = 20.0


class Pair:
    """A sink and load clients against it; both ledgers in one folder."""

    def __init__(self, folder, station=None, **behaviour):
        self.client_file, self.operator_file = str(folder / "client"), str(folder / "operator")
        self._behaviour = behaviour
        self._station = station or {}
        self.start()

    def start(self, port=0):
        self.operator = Operator(Behaviour(**self._behaviour), Ledger(self.operator_file), seed=1)
        timers = smpp.Timers(bind=10.0, keepalive=10.0, answer=0.5)
        self.sink = Sink(Station(listen=(("127.0.0.1", port),), **{"timers": timers} | self._station), self.operator)
        (self.address,) = self.sink.start()

    def load(
        self,
        messages=200,
        *,
        rate=0.0,
        client_tls=None,
        password="",
        mode="trx",
        duration=math.inf,
        report_wait=5.0,
        **how,
    ):
        traffic = Traffic(own_run(), options.Numbers("EMG"), options.Numbers("4670", 1), registered_delivery=1)
        run = LoadRun(traffic.each(), Ledger(self.client_file), messages=messages, rate=rate)
        run.reports_wanted = True
        how = {"sessions": 2, "window": 10, "reconnect": False, "answer_wait": 5.0} | how
        login = Login(self.address, "load", password, tls=client_tls, dial_seconds=5.0)
        load = Load(run, login, mode=mode, **how)
        load.open()
        with gevent.Timeout(DEADLINE):
            load.send(duration, report_wait)
        load.close()
        return load

    def stop(self):
        self.sink.stop(2.0)

    def compare(self):
        return compare(self.client_file, self.operator_file)


@pytest.fixture
def pair(tmp_path):
    made = []

    def make(station=None, **behaviour):
        made.append(Pair(tmp_path, station, **behaviour))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_every_message_is_acknowledged_and_reported_once(pair):
    both = pair()
    summary = summarize(both.load(500))
    assert (summary["submitted"], summary["acked"], summary["unknown"]) == (500, 500, 0)
    assert summary["reports"] == {"DELIVRD": 500}
    assert summary["ack_ms"]["count"] == summary["report_ms"]["count"] == 500
    assert summary["reports_missing"] == summary["reports_unmatched"] == 0
    result = both.compare()
    assert result.faults() == []
    assert (result.acked, result.received, result.reports) == (500, 500, 500)


def test_a_transmitter_and_a_receiver_do_the_same(pair):
    both = pair()
    summary = summarize(both.load(mode="tx+rx"))
    assert summary["acked"] == 200
    assert summary["reports_missing"] == 0
    assert both.compare().ok


def test_two_runs_share_a_ledger(pair):
    both = pair()
    both.load(50)
    both.load(50)
    result = both.compare()
    assert result.ok
    assert result.acked == 100


def test_reports_before_answers_and_in_any_order_find_their_messages(pair):
    both = pair(
        report_before_answer=0.5, report_delay=(0.0, 0.1), delay=(0.0, 0.02), report_states={"DELIVRD": 1, "UNDELIV": 1}
    )
    summary = summarize(both.load())
    assert summary["reports_missing"] == summary["reports_unmatched"] == 0
    assert set(summary["reports"]) == {"DELIVRD", "UNDELIV"}
    assert both.compare().ok


def test_refused_messages_are_counted_by_status(pair):
    both = pair(error_rate=0.3, error_status=int(Status.RMSGQFUL))
    summary = summarize(both.load())
    assert summary["refused"] == {"RMSGQFUL": 200 - summary["acked"]}
    assert both.compare().ok


def test_cuts_lose_nothing_that_was_acknowledged_and_the_load_goes_on(pair):
    both = pair(drop=0.02)
    load = both.load(300, reconnect=True)
    summary = summarize(load)
    assert summary["submitted"] == 300
    assert summary["unknown"] == 300 - summary["acked"] > 0
    assert summary["reconnects"] > 0
    result = both.compare()
    assert result.lost == result.missing_reports == result.duplicates == ()
    assert result.unknown == summary["unknown"]


def test_without_reconnect_a_cut_ends_the_load_and_says_so(pair):
    load = pair(drop=1.0).load(300, sessions=1)
    assert load.faults == ["closed by the peer"]
    assert summarize(load)["unknown"] == 10


def test_stalled_messages_become_unknown(pair):
    summary = summarize(pair(stall=1.0).load(5, answer_wait=0.2, report_wait=0.1))
    assert (summary["submitted"], summary["unknown"]) == (5, 5)


def test_a_restarted_operator_gives_new_ids(pair):
    both = pair()
    both.load(50)
    both.stop()
    both.start()
    both.load(50)
    result = both.compare()
    assert result.reused_ids == ()
    assert result.ok


def test_a_load_survives_a_restart_of_the_operator(pair):
    both = pair()
    finished = []
    runner = gevent.spawn(lambda: finished.append(both.load(400, rate=400.0, reconnect=True)))
    with gevent.Timeout(DEADLINE):
        while both.operator.counts["taken"] < 50:
            gevent.sleep(0.01)
        port = both.address[1]
        both.stop()
        both.start(port)
        runner.get()
    result = both.compare()
    assert result.submitted == 400
    assert result.lost == result.duplicates == ()
    assert summarize(finished[0])["reconnects"] >= 1


def test_the_rate_is_not_exceeded(pair):
    load = pair().load(100, rate=200.0)
    # the first burst is free; no upper bound on the time, the machine may be busy
    assert summarize(load)["seconds"] >= 100 / 200 - 0.1


def test_a_duration_ends_the_load(pair):
    summary = summarize(pair().load(math.inf, duration=0.2))
    assert summary["submitted"] == summary["acked"] > 0


def test_the_client_answers_and_counts_mobile_originated_messages(pair):
    both = pair({"mo_rate": 200.0})
    summary = summarize(both.load(100, rate=200.0))
    assert summary["mo"] > 0
    assert summary["acked"] == 100


def test_ids_in_another_form_are_unmatched_and_the_load_still_ends(pair):
    summary = summarize(pair(dialect=Dialect("dec:hex")).load(20, report_wait=0.3))
    assert summary["reports_missing"] == summary["reports_unmatched"] == 20


def test_a_refused_bind_says_why(pair):
    both = pair({"password": "geheim"})
    with pytest.raises(options.LoginRefused, match="RINVPASWD"):
        both.load(password="falsch")
    assert both.load(10, password="geheim").run.counts["acked"] == 10


def certificate(folder):
    """A certificate for 127.0.0.1 that signs itself; (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    return str(files[0]), str(files[1])


def test_both_speak_tls(pair, tmp_path):
    cert, key = certificate(tmp_path)
    both = pair({"tls": tls.server_context(key, cert)})
    summary = summarize(both.load(client_tls=tls.client_context(cert)))
    assert summary["acked"] == 200
    assert summary["reports_missing"] == 0


# The commands


class Command:
    """A running `emg sink`."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "emg.tools.sink", "--listen", "127.0.0.1:0", "--json", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        (self.address,) = json.loads(self._process.stdout.readline())["listening"]

    def stop(self):
        """End it as an operator would; (exit code, what it printed)."""
        self._process.send_signal(signal.SIGTERM)
        output, _ = self._process.communicate(timeout=DEADLINE)
        return self._process.returncode, json.loads(output)


@pytest.fixture
def sink_command():
    commands = []

    def start(*arguments):
        commands.append(Command(*arguments))
        return commands[-1]

    yield start
    for each in commands:
        if each._process.poll() is None:
            each._process.kill()
            each._process.communicate()


def run(tool, *arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-m", f"emg.tools.{tool}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False, env=os.environ | (environment or {}),
    )  # fmt: skip


def test_the_commands_load_and_sink(sink_command, tmp_path):
    client, operator = str(tmp_path / "client"), str(tmp_path / "operator")
    sink = sink_command("--ledger", operator, "--report-delay", "0-0.05")
    done = run(
        "load", "--to", sink.address, "--messages", "300", "--reports", "--sessions", "2", "--ledger", client, "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["acked"] == 300
    code, summary = sink.stop()
    assert code == 0
    assert (summary["taken"], summary["reports acked"], summary["waiting reports"]) == (300, 300, 0)
    assert compare(client, operator).ok


def test_load_prints_a_table_for_people_and_fails_when_messages_were_refused(sink_command):
    sink = sink_command("--error-rate", "0.5:RTHROTTLED", "--seed", "1")
    done = run("load", "--to", sink.address, "--messages", "50")
    assert done.returncode == 1
    assert "50 sent," in done.stdout
    assert "RTHROTTLED" in done.stdout
    assert "p99.9" in done.stdout


def test_load_ends_with_3_for_a_bad_login_and_1_without_a_server(sink_command):
    sink = sink_command("--password", "geheim")
    done = run("load", "--to", sink.address, "--messages", "1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "RINVPASWD" in done.stderr
    sink.stop()
    done = run("load", "--to", sink.address, "--messages", "1")
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_sink_ends_with_1_where_it_can_not_listen(sink_command):
    taken = sink_command()
    done = run("sink", "--listen", taken.address)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr


def test_send_prints_the_id_and_the_report(sink_command):
    sink = sink_command("--password", "geheim", "--first-id", "77")
    word = {options.PASSWORD_VARIABLE: "geheim"}
    done = run("send", "--to", sink.address, "+46701", "hello", "there", environment=word)
    assert (done.returncode, done.stdout) == (0, "77\n")
    done = run("send", "--to", sink.address, "--from", "EMG", "--dlr", "46701", "x" * 161, environment=word)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["78", "79"]
    assert lines[2].startswith("78 DELIVRD: id:78 sub:001")
    done = run("send", "--to", sink.address, "--dlr", "--json", "46701", "\u017e" * 71, environment=word)
    assert json.loads(done.stdout) == [{"id": str(n), "status": "ROK", "state": "DELIVRD"} for n in (80, 81)]
    assert run("send", "--to", sink.address, "46701", "x").returncode == 3


def test_send_fails_when_the_message_does(sink_command):
    sink = sink_command("--error-rate", "1:RINVDSTADR")
    done = run("send", "--to", sink.address, "46701", "hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert "RINVDSTADR" in done.stderr
    sink = sink_command("--report-states", "UNDELIV")
    assert run("send", "--to", sink.address, "--dlr", "46701", "hello").returncode == 1


def test_send_gives_up_on_a_report_that_does_not_come(sink_command):
    sink = sink_command("--no-reports")
    done = run("send", "--to", sink.address, "--dlr", "--dlr-wait", "0.2", "46701", "hello")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].endswith("no report")


def test_send_reads_where_and_as_whom_from_a_configuration(sink_command, tmp_path):
    sink = sink_command("--system-id", "acme", "--password", "geheim", "--first-id", "5")
    file = tmp_path / "server.cfg"
    file.write_text(
        f"CONTROL={tmp_path}/control\nSPOOLDIR={tmp_path}\nLOGDIR={tmp_path}\n"
        f"CONNECTOR customers <\nTYPE=INCOMING\nPROTOCOL=SMPP\nADDRESS={sink.address}\n>\n"
        "USER acme <\nPASSWORD=geheim\n>\n"
    )
    done = run("send", "-c", str(file), "46701", "hello")
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def test_an_interrupted_load_stops_sending_and_still_prints_its_summary(sink_command, tmp_path):
    ledger = tmp_path / "operator"
    sink = sink_command("--ledger", str(ledger))
    process = subprocess.Popen(
        [sys.executable, "-m", "emg.tools.load", "--to", sink.address, "--duration", "60", "--rate", "200", "--json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # a tenth of a second's messages at the operator say that it is under way and its handlers stand
    deadline = time.monotonic() + DEADLINE
    while ledger.read_bytes().count(b"\n") < 20 and time.monotonic() < deadline:
        gevent.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    summary = json.loads(output)
    assert summary["submitted"] == summary["acked"] >= 20


def test_a_load_that_is_interrupted_before_it_could_bind_still_prints_its_summary():
    with socket.socket() as nobody:  # bound, and never listened on
        nobody.bind(("127.0.0.1", 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "emg.tools.load", "--to", f"127.0.0.1:{nobody.getsockname()[1]}", "--reconnect", "--json"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + DEADLINE
        while not catches_terminate(process.pid) and time.monotonic() < deadline:
            gevent.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE)
    assert json.loads(output)["submitted"] == 0, errors
    assert not errors


def catches_terminate(pid):
    """It has handlers of its own: SIGTERM is signal 15."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16) >> 14 & 1
