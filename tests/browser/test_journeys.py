"""What people do with the portal, in a real browser on the real stack: gateway, MariaDB, recorder, scheduler, an SMPP client and operators."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from emg.wire.smpp.pdus import DeliverSm
from tests.browser.conftest import Person, Site
from tests.gateways import Esme, eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]


def test_an_owner_takes_on_a_customer_who_sends_and_sees_it_delivered(
    site: Site, person: Callable[..., Person]
) -> None:
    """Customer, account and first top-up in one form; a bind with the password that was shown once; the message with its story, price and balance; the hour's figures."""
    ann = person("ann")
    page = ann.go("/customers/new")
    page.locator("[name='c-name']").fill("Journey Ltd")
    page.locator("[name='a-name']").fill("journey")
    page.locator("[name='a-access']").fill("127.0.0.0/8")
    page.locator("[name='a-prepaid']").check()
    page.locator("[name='a-opening']").fill("10.00")
    page.get_by_role("button", name="Make the customer").click()
    password = page.locator("#secret").input_value()
    page.get_by_role("link", name="Go on").click()
    expect(page.locator("h1")).to_contain_text("Journey Ltd")

    port = site.stack.files.port("customers")
    eventually(
        lambda: "journey" in str(site.stack.files.control("GET", "/accounts")), 10, "the gateway knows the account"
    )
    client = Esme.bound(port, "journey", password)
    number = client.accepted("46700000001", "An errand of a browser's", registered_delivery=1)
    report = client.pick(lambda pdu: isinstance(pdu, DeliverSm) and f"id:{number} ".encode() in pdu.short_message, 10)
    client.answer(report)
    client.close()

    story = f"{site.address}/messages/{number}"
    eventually(lambda: ann.page.request.get(story).ok, 15, "the recorder has written it")
    page = ann.go(f"/messages/{number}")
    eventually(lambda: page.reload() and page.get_by_text("delivered").count(), 15, "the log has it delivered")
    expect(page.locator("main")).to_contain_text("journey")
    expect(page.locator("main")).to_contain_text("46700000001")
    expect(page.locator("main")).to_contain_text("0.04")
    ann.picture("journey-message")
    page = ann.go("/accounts/journey")
    expect(page.locator("main")).to_contain_text("9.96")
    page = ann.go("/messages?number=46700000001")
    page.locator("main table tbody a").first.click()
    expect(page.locator("main")).to_contain_text(number)


def test_an_engineer_moves_a_queue_away_from_a_provider_that_is_down(site: Site, person: Callable[..., Person]) -> None:
    """The provider dies, its queue grows; looked at, moved to another connector by its count, it drains."""
    erik = person("erik")
    site.operator.kill()
    try:
        stack = site.stack
        client = Esme.bound(stack.files.port("customers"), "mover", "secret")
        for _ in range(12):
            client.accepted("46700000002")
        client.close()
        page = erik.go("/queues/operator")
        expect(page.locator("main")).to_contain_text("12")
        erik.picture("journey-queue")
        page.get_by_role("link", name="Move …").click()
        page.locator("[name=to]").fill("backup") if page.locator("input[name=to]").count() else page.locator(
            "[name=to]"
        ).select_option("backup")
        page.get_by_role("button", name="Count them").click()
        expect(page.locator("main")).to_contain_text("12 messages")
        erik.picture("journey-queue-move")
        page.locator("main form button[type=submit]").last.click()
        eventually(lambda: stack.files.control("GET", "/queues/operator")["size"] == 0, 10, "the queue is empty")
        eventually(
            lambda: stack.files.control("GET", "/connectors/backup")["counters"]["sent"] >= 12,
            10,
            "the other provider has them",
        )
    finally:
        site.operator.start()
    eventually(
        lambda: site.stack.files.control("GET", "/connectors/operator")["state"] == "up", 20, "the provider is back"
    )


def test_somebody_sends_to_the_lines_of_a_file_and_follows_the_batch(site: Site, person: Callable[..., Person]) -> None:
    """Parts while typing, a preview with the line that is none, confirmed; the scheduler hands it to the gateway, the operator has it, and each message has its story."""
    ann = person("ann")
    page = ann.go("/send")
    page.locator("[name=account]").fill("acme")
    page.locator("[name=source]").fill("1234")
    page.locator("[name=text]").fill("Dear {name}, your order is at the door.")
    file = "number;name\n46700000071;Astrid\n46700000072;Bo\nnobody;Carl\n"
    page.locator("[name=file]").set_input_files({"name": "orders.csv", "mimeType": "text/csv", "buffer": file.encode()})
    expect(page.locator("#counted")).to_contain_text("GSM 7-bit")
    ann.picture("journey-send")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#faults")).to_contain_text("Line 4")
    expect(page.locator("#items")).to_contain_text("Dear Astrid, your order is at the door.")
    ann.picture("journey-send-preview")
    with (
        page.expect_navigation()
    ):  # else the first reload may come between the press and its answer, which Chromium has no page for
        page.get_by_role("button", name="Send 2 messages").click()
    eventually(lambda: page.reload() and page.locator("#items a").count() == 2, 30, "both are sent")
    expect(page.locator("#progress")).to_contain_text("done")
    ann.picture("journey-send-done")
    number = page.locator("#items a").first.inner_text()
    story = f"{site.address}/messages/{number}"
    eventually(lambda: ann.page.request.get(story).ok, 20, "the recorder has written it")
    page = ann.go(f"/messages/{number}")
    eventually(lambda: page.reload() and page.get_by_text("delivered").count(), 20, "the log has it delivered")
    expect(page.locator("main")).to_contain_text("46700000071")


def test_a_customer_sees_his_own_and_nothing_of_others(site: Site, person: Callable[..., Person]) -> None:
    """Charlie looks for what Acme has, by menu and by guessed addresses."""
    charlie = person("charlie", "narrow", "dark")
    page = charlie.go("/")
    menu = page.locator("nav#menu")
    for words in ("Connectors", "Queues", "Routes", "Server"):
        assert menu.get_by_text(words, exact=True).count() == 0, words
    page = charlie.go("/accounts")
    expect(page.locator("main")).to_contain_text("charlie")
    assert "acme" not in page.locator("main").inner_text()
    for path in ("/accounts/acme", "/customers/Acme", "/connectors", "/queues", "/server", "/people/audit"):
        answer = page.request.get(site.address + path)
        assert answer.status in (403, 404), path
        assert "acme2" not in answer.text(), path


def test_without_a_gateway_every_page_answers_and_says_so(site: Site, person: Callable[..., Person]) -> None:
    erik = person("erik")
    site.stack.supervisor.stop("gateway", 30)
    try:
        for path in ("/", "/connectors", "/queues", "/accounts", "/messages", "/server"):
            page = erik.go(path)
            assert page.locator("h1").count() == 1
        page = erik.go("/connectors")
        expect(page.locator("main")).to_contain_text("No gateway answers")
        erik.picture("no-gateway-connectors")
    finally:
        site.stack.supervisor.start("gateway")
        eventually(site.stack.well, 30, "all is well again")
