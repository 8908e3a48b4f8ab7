"""Messages that are handed over by the control API while the gateway is killed: each key is one message, however often it was asked for."""

import http.client
import random
import threading
import time
from collections import Counter

from emg.engine.events import Accepted
from tests.durability.crashes import seed
from tests.gateways import GatewayProcess, incoming, outgoing, user

CALLS, MESSAGES, KILLS = 60, 20, 12


def test_a_key_is_one_message_whatever_dies(tmp_path, capsys):
    draws = random.Random(seed())
    settings = incoming(ROUTE="dead") + outgoing("dead", "127.0.0.1:1") + user("acme", ROUTE="dead")
    with GatewayProcess(tmp_path, settings) as gateway:
        over, begun = threading.Event(), threading.Event()
        answered: dict[str, int] = {}
        tries = Counter()

        def hand_over():
            for call in range(CALLS):
                keys = [f"{call}:{number}" for number in range(MESSAGES)]
                body = {"messages": [{"key": key, "account": "acme", "dest": "46701234567", "text": "x", "reference": key} for key in keys]}  # fmt: skip
                while True:
                    tries["calls"] += 1
                    begun.set()
                    try:
                        answers = gateway.control("POST", "/messages", body)["messages"]
                    except (OSError, http.client.HTTPException, AssertionError, ValueError):
                        tries["unanswered"] += 1
                        time.sleep(0.02)
                        continue
                    tries["repeated"] += sum(answer.get("repeated", False) for answer in answers)
                    answered.update({answer["key"]: answer.get("id", 0) for answer in answers})
                    if all(answer.get("id") for answer in answers):
                        break
                time.sleep(draws.random() * 0.05)
            over.set()

        client = threading.Thread(target=hand_over, daemon=True)
        client.start()
        kills = 0
        while not over.wait(draws.random() * 0.2):
            if kills < KILLS:
                begun.clear()
                begun.wait(5.0)
                time.sleep(draws.random() * 0.012)  # while the call is carried out
                gateway.kill()
                kills += 1
                gateway.start()
        client.join(60.0)
        told = Counter(event.reference for event in gateway.events(Accepted))
        ids = {event.reference: event.id for event in gateway.events(Accepted)}
        with capsys.disabled():
            print(f"\n{kills} kills, {dict(tries)}: {len(answered)} keys answered, {sum(told.values())} messages kept")
        assert len(answered) == CALLS * MESSAGES
        assert set(told.values()) == {1}
        assert ids == answered
        assert gateway.control("GET", "/queues/dead")["size"] == CALLS * MESSAGES
        assert kills
