"""Whatever happens in whatever order, healing keeps its promises."""

from hypothesis import given
from hypothesis import strategies as st

from watchdog.healing import BLIND_SECONDS, CONTINUE_SECONDS, LATE_SECONDS, SETTLE_SECONDS, Healing
from watchdog.model import Act, Cure, Facts, Finding, ProgramFacts

RESTARTS, WINDOW, STOP = 3, 60.0, 10.0
STATES = ["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"]

LOOK = st.fixed_dictionaries(
    {
        "passed": st.sampled_from([0.25, 1.0, 3.0, 12.0, 70.0]),
        "late": st.sampled_from([0.0, 0.0, 0.0, 0.0, 5.0]),
        "supervisor": st.sampled_from(["", "", "", "", "it does not answer"]),
        "state": st.sampled_from([*STATES, *["RUNNING"] * 12]),
        "new_process": st.sampled_from([True, False]),
        "letter": st.sampled_from(["S", "S", "R", "T", "Z"]),
        "cures": st.lists(st.sampled_from([*Cure, Cure.KILL, Cure.KILL, Cure.RESTART]), max_size=3),
    }
)


@given(st.lists(LOOK, max_size=60))
def test_healing_keeps_its_promises(looks):
    healing = Healing(RESTARTS, WINDOW, {"gateway": STOP})
    now, pid, late_at = 1000.0, 1, -1e9
    asked: dict[int, float] = {}  # pid → when it was asked to stop
    killed: set[int] = set()
    restarts: list[float] = []
    continued = -1e9
    for look in looks:
        now += look["passed"]
        pid += look["new_process"]
        alive = look["state"] in ("STARTING", "RUNNING", "STOPPING")
        late_at = now if look["late"] > LATE_SECONDS else late_at
        program = ProgramFacts("gateway", look["state"], pid if alive else 0, process_state=look["letter"])
        findings = [Finding(f"x:{cure.value}", "x", program="gateway", cure=cure) for cure in look["cures"]]
        facts = Facts(now, now, look["late"], supervisor=look["supervisor"], programs={"gateway": program})
        actions = healing.decide(facts, findings).actions
        assert len(actions) <= 1
        for action in actions:
            assert not look["supervisor"]
            assert look["state"] not in ("STOPPED", "UNKNOWN"), "stopped on purpose"
            assert action.pid == (0 if action.act is Act.START else pid)
            if action.act is Act.START:
                assert look["state"] in ("BACKOFF", "EXITED", "FATAL")
                continue
            if action.act is Act.CONTINUE:
                assert look["letter"] == "T"
                assert now - continued >= CONTINUE_SECONDS
                continued = now
                continue
            assert look["state"] == "RUNNING"
            assert now - late_at >= BLIND_SECONDS, "who was late blames nobody"
            assert pid not in killed, "nobody is killed twice"
            if action.act is Act.KILL:
                killed.add(pid)
            if action.act is Act.KILL and pid in asked:
                assert now - asked[pid] >= STOP
                continue  # part of the restart that asked it
            assert pid not in asked, "nobody is asked twice"
            assert all(now - moment >= SETTLE_SECONDS for moment in restarts[-1:])
            restarts.append(now)
            assert sum(now - moment < WINDOW for moment in restarts) <= RESTARTS
            if action.act is Act.RESTART:
                asked[pid] = now
