"""Programs, logs, the configuration file, settings."""

import stat
from pathlib import Path

import pytest
from bs4 import Tag

from portal.server.configuration import mask, unmask
from tests.portal_visitor import Visitor


@pytest.mark.parametrize(
    "path", ["/server", "/server/logs", "/server/logs/general", "/server/licences", "/server/about"]
)
def test_pages_answer_without_a_watchdog(erik: Visitor, path: str) -> None:
    page = erik.get(path)
    assert path in ("/server/licences", "/server/about") or "No watchdog answers" in page.text


def test_nothing_is_stopped_without_a_watchdog(ann: Visitor) -> None:
    page = ann.get("/server/programs/gateway/stop")
    assert "takes in nothing more" in page.text
    assert "was not touched" in ann.submit(page, page.form("/server/programs/gateway/stop")).text


def typed(visitor: Visitor, form: Tag) -> str:
    """The text as a browser sends it: without the line's end behind <textarea>."""
    return str(visitor.filled(form)["text"]).removeprefix("\n")


def test_the_file_is_checked_compared_applied_and_gone_back_from(ann: Visitor, tmp_path: Path) -> None:
    file = tmp_path / "server.cfg"
    before = file.read_text()
    page = ann.get("/server/configuration")
    assert "not-to-be-seen" not in page.html
    form = page.form("/server/configuration")
    text = typed(ann, form)
    faulty = ann.submit(page, form, text=text.replace("TYPE=OUTGOING", "TYPE=SIDEWAYS"))
    assert "line" in faulty.one(".alert-danger").get_text()
    assert file.read_text() == before
    page = ann.submit(page, form, text="# a change\n" + text)
    assert "+# a change" in page.text
    assert "not-to-be-seen" not in page.html
    form = page.form("/server/configuration/apply")
    page = ann.submit(page, form, text=typed(ann, form), why="a test")
    assert "is written" in page.text
    assert file.read_text() == "# a change\n" + before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(page.rows()) == 2
    old = page.rows()[1]["Version"]
    page = ann.get(f"/server/configuration/versions/{old}")
    assert "not-to-be-seen" not in page.html
    form = page.form("/server/configuration")
    page = ann.submit(page, form, text=typed(ann, form))
    file.write_text(file.read_text() + "# by hand\n")
    form = page.form("/server/configuration/apply")
    refused = ann.submit(page, form, text=typed(ann, form))
    assert "changed meanwhile" in refused.text
    form = refused.form("/server/configuration")
    page = ann.submit(refused, form, text=typed(ann, form))
    form = page.form("/server/configuration/apply")
    ann.submit(page, form, text=typed(ann, form))
    assert file.read_text() == before


def test_secrets_are_put_back_where_they_were() -> None:
    text = "DATABASE=mysql://u:pw@h/n\nUSER a <\nPASSWORD=one\n>\nUSER b <\nPASSWORD=two # c\n>\nX=${PASSWORD}\nPASSWORD=${NAME}\n#PASSWORD=old\n"
    hidden = mask(text)
    assert not any(word in hidden for word in ("pw", "one", "two", "old"))
    assert "PASSWORD=${NAME}" in hidden
    assert unmask(hidden, text) == (text, [])
    assert unmask("USER c <\nPASSWORD=***\n>", text)[1]


def test_settings_are_kept_and_the_password_never_shown(ann: Visitor) -> None:
    page = ann.get("/server/settings")
    page = ann.submit(page, page.form("/server/settings"), keep_texts="30", smtp_password="mail-secret")
    assert "are kept" in page.text
    assert "mail-secret" not in page.html
    page = ann.submit(page, page.form("/server/settings"), keep_texts="many")
    assert "whole number" in page.text
    page = ann.get("/server/settings")
    assert page.one("[name=keep_texts]")["value"] == "30"
