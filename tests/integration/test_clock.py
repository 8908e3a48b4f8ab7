"""The clock of the machine jumps while the gateway runs: sessions and messages go on, validity follows the new time."""

import time

import pytest

from emg.wire.smpp import pdus, times
from tests.gateways import GatewayProcess, eventually, incoming, outgoing, user
from tests.rawsmpp import Operator, Wire, bound


@pytest.fixture
def clock(tmp_path, monkeypatch):
    """Sets the clock of programs started after it: `clock(seconds)` moves it against the real one."""
    file = tmp_path / "clock"
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time\n"
        "_real = time.time\n"
        f"_file = {str(file)!r}\n"
        "def _shifted():\n"
        "    with open(_file) as file:\n"
        "        return _real() + float(file.read() or 0)\n"
        "time.time = _shifted\n"
    )

    def shift(seconds: float) -> None:
        fresh = file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(file)

    shift(0)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return shift


DAY = 86400.0


@pytest.mark.parametrize("step", [DAY, -DAY, 60 * DAY], ids=["a day on", "a day back", "two months on"])
def test_the_clock_may_jump(tmp_path, clock, step):
    """Sessions stay, messages go on, ids stay unique; what is to expire does as the new time says."""
    served = []

    def serve(wire: Wire) -> None:
        while True:
            request = wire.read(30)
            if isinstance(request, pdus.SubmitSm):
                served.append(request.short_message)
                wire.send(pdus.SubmitSmResp(request.sequence, 0, str(len(served))))
            else:
                wire.answer(request)

    operator = Operator(serve)
    text = (
        incoming(ROUTE="operator") + incoming("waiting", ROUTE="held") + outgoing("operator", f"127.0.0.1:{operator.port}")
        + outgoing("held", f"127.0.0.1:{operator.port}", HOLD=True) + user()
    )  # fmt: skip
    try:
        with (
            GatewayProcess(tmp_path / "gateway", text) as gateway,
            bound(gateway.port()) as customer,
            bound(gateway.port("waiting")) as waiting,
        ):
            hour = times.format_absolute(time.time() + 3600)
            ids = [waiting.submit(b"waits", validity_period=hour, registered_delivery=1).message_id]
            ids += [customer.submit(b"before").message_id for _ in range(10)]
            clock(step)
            ids += [customer.submit(b"after").message_id for _ in range(10)]
            assert len({int(number) for number in ids}) == 21
            eventually(lambda: served.count(b"after") == 10, wanted="messages go on")
            assert customer.is_alive()
            if step > 0:
                receipt = waiting.read()
                assert b"stat:EXPIRED" in receipt.short_message
                waiting.answer(receipt)
            else:
                gateway.control("POST", "/connectors/held/release")
                eventually(lambda: b"waits" in served, wanted="what has not expired is sent")
            assert gateway.control("GET", "/health")["ok"]
            assert "WARNING" not in gateway.logs(), gateway.logs()
    finally:
        operator.stop()
