"""A person at the portal, and what every page must have: `Visitor` fetches pages through the WSGI door, follows links and fills forms as a browser without scripts does, and
audits each page that it gets.

    page = ann.get("/customers")
    page = ann.submit(page.form("/customers/new"), name="Acme")     # follows the redirect
    assert page.cell("Acme", "Currency") == "EUR"
"""

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from flask import Flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

HIDDEN = ("hidden", "submit", "button", "image", "reset")
INLINE = re.compile(r"^on[a-z]+$")


class Page:
    """An answer that is HTML."""

    def __init__(self, path: str, code: int, octets: bytes, headers: Any) -> None:
        self.path = path
        self.code = code
        self.headers = headers
        self.html = octets.decode()
        self.soup = BeautifulSoup(self.html, "html.parser")

    @property
    def text(self) -> str:
        """What a person reads, blanks and thin spaces made one."""
        return " ".join(self.soup.get_text(" ").split())

    @property
    def heading(self) -> str:
        return " ".join(self.one("h1").get_text(" ").split())

    def one(self, selector: str) -> Tag:
        found = self.soup.select(selector)
        assert len(found) == 1, f"{self.path} has {len(found)} of {selector}"
        return found[0]

    def form(self, action: str = "", button: str = "") -> Tag:
        """The form that posts to this address (a part of it), or has this button."""
        forms = [
            form
            for form in self.soup.select("form")
            if form.get("method", "get").lower() == "post"
            and action in self.action_of(form)
            and (not button or any(button in tag.get_text(" ") for tag in form.select("button")))
            and not self.action_of(form).endswith("/logout")
        ]
        assert len(forms) == 1, (
            f"{self.path} has {len(forms)} forms of {action!r} {button!r}: {[self.action_of(form) for form in self.soup.select('form')]}"
        )
        return forms[0]

    def action_of(self, form: Tag) -> str:
        return urljoin(self.path, str(form.get("action") or self.path))

    def rows(self, table: str = "table") -> list[dict[str, str]]:
        """A table's rows by their headings."""
        found = self.soup.select(table)
        assert found, f"{self.path} has no {table}"
        heads = [" ".join(cell.get_text(" ").split()) for cell in found[0].select("thead th")]
        return [
            dict(
                zip(
                    heads,
                    (" ".join(cell.get_text(" ").split()) for cell in row.find_all(["td", "th"], recursive=False)),
                    strict=False,
                )
            )
            for row in found[0].select("tbody tr")
        ]

    def row(self, name: str, table: str = "table") -> dict[str, str]:
        """The row with this text in one of its cells."""
        [found] = [row for row in self.rows(table) if name in row.values()]
        return found

    def links(self) -> list[str]:
        """Addresses of this portal that it leads to."""
        all_ = [urljoin(self.path, str(tag["href"])) for tag in self.soup.select("a[href]")]
        return [link for link in all_ if not urlsplit(link).netloc and not link.startswith(("mailto:", "data:"))]


class Visitor:
    """One browser. `origin`: from which address it comes."""

    def __init__(self, app: Flask, origin: str = "127.0.0.1") -> None:
        self.app = app
        self.client = app.test_client()
        self.origin = origin

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        data: Any = None,
        htmx: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The bare answer."""
        extra = {"HX-Request": "true"} if htmx else {}
        return self.client.open(
            path, method=method, data=data, headers={**extra, **(headers or {})}, environ_base={"REMOTE_ADDR": self.origin}, buffered=True
        )  # fmt: skip

    def get(self, path: str, code: int = 200, *, htmx: bool = False) -> Page:
        """A page (redirects followed), which must be as all pages are."""
        return self._page(path, self.open(path, htmx=htmx), code, whole=not htmx)

    def submit(self, page: Page, form: Tag, code: int = 200, **fields: Any) -> Page:
        """Fill in a form and send it; fields that it does not have are a mistake of the test."""
        values = self.filled(form)
        for name, value in fields.items():
            assert form.select(f'[name="{name}"]'), f"the form has no field {name}: {sorted(values)}"
            values.pop(name, None)
            if value is not None:
                values[name] = value
        path = page.action_of(form)
        return self._page(path, self.open(path, method="POST", data=values), code, whole=True)

    @staticmethod
    def filled(form: Tag) -> dict[str, Any]:
        """What a browser would send of it as it stands."""
        values: dict[str, Any] = {}
        for tag in form.select("input[name], textarea[name], select[name]"):
            name, kind = str(tag["name"]), str(tag.get("type", "text")).lower()
            if tag.has_attr("disabled") or kind == "file":
                continue
            if tag.name == "select":
                chosen = tag.select("option[selected]") or tag.select("option")[:1]
                values[name] = [str(option.get("value", option.get_text())) for option in chosen]
            elif kind in ("checkbox", "radio"):
                if tag.has_attr("checked"):
                    values.setdefault(name, []).append(str(tag.get("value", "on")))
            elif kind not in ("submit", "button"):
                values[name] = tag.get_text() if tag.name == "textarea" else str(tag.get("value", ""))
        return values

    def _page(self, path: str, answer: Any, code: int, *, whole: bool) -> Page:
        for _hop in range(5):
            if answer.status_code not in (301, 302, 303, 307, 308):
                break
            path = answer.headers["Location"]
            answer = self.open(path)
        page = Page(path, answer.status_code, answer.data, answer.headers)
        assert page.code == code, f"{path} answered {page.code}, not {code}: {page.text[-600:]}"
        if whole:
            audit(page, self.app)
        return page

    def log_in(self, name: str, password: str) -> Page:
        """By the page."""
        page = self.get("/login")
        return self.submit(page, page.form("/login"), name=name, password=password)


def audit(page: Page, app: Flask) -> None:
    """What every page must have; see each sentence."""
    soup, path = page.soup, page.path
    faults = []
    if len(soup.select("h1")) != 1:
        faults.append(f"{len(soup.select('h1'))} first headings")
    if soup.title is None or not soup.title.get_text().split("·")[0].strip():
        faults.append("no title")
    if soup.html is None or not soup.html.get("lang"):
        faults.append("no language")
    identities = [str(tag["id"]) for tag in soup.select("[id]")]
    faults += [f"two have the id {name}" for name in {name for name in identities if identities.count(name) > 1}]
    faults += [
        f"a field without a label: {str(tag)[:120]}"
        for tag in soup.select("input, select, textarea")
        if not labelled(tag, soup)
    ]
    faults += [f"a button without words: {str(tag)[:120]}" for tag in soup.select("button, a") if not named(tag)]
    faults += [f"a heading of a table without scope: {tag}" for tag in soup.select("th:not([scope])")]
    faults += [*inline(soup), *leading(page, app)]
    if "default-src 'none'" not in page.headers.get("Content-Security-Policy", ""):
        faults.append("no Content-Security-Policy")
    assert not faults, f"{path}:\n" + "\n".join(faults)


def inline(soup: BeautifulSoup) -> list[str]:
    """Scripts and styles within the page, which the policy forbids; and what leads to other hosts."""
    faults = []
    for tag in soup.find_all(True):
        strange = [name for name in tag.attrs if INLINE.match(name) or name == "style"]
        faults += [f"<{tag.name} {name}> is inline" for name in strange]
        if tag.name in ("script", "style") and (tag.name == "style" or not tag.get("src")):
            faults.append(f"inline <{tag.name}>")
        for name in ("src", "href", "action"):
            if str(tag.get(name, "")).lower().startswith("javascript:") or urlsplit(str(tag.get(name, ""))).netloc:
                faults.append(f"{tag.name} {name} leads out: {tag.get(name)}")
    return faults


def leading(page: Page, app: Flask) -> list[str]:
    """Forms and links that lead nowhere, and forms without a token."""
    soup, faults = page.soup, []
    for form in soup.select("form"):
        posts = form.get("method", "get").lower() == "post"
        if posts and not form.select("input[name=csrf_token][value]"):
            faults.append(f"a form without a token: {form.get('action')}")
        if not resolves(app, page.action_of(form), "POST" if posts else "GET"):
            faults.append(f"a form to nowhere: {form.get('action')}")
    faults += [f"a link to nowhere: {link}" for link in page.links() if not resolves(app, link, "GET")]
    for tag in soup.select("[hx-get], [hx-post]"):
        method = "GET" if tag.has_attr("hx-get") else "POST"
        if not resolves(app, urljoin(page.path, str(tag.get("hx-get") or tag.get("hx-post"))), method):
            faults.append(f"a part from nowhere: {tag.get('hx-get') or tag.get('hx-post')}")
    return faults


def labelled(tag: Tag, soup: BeautifulSoup) -> bool:
    if str(tag.get("type", "text")).lower() in HIDDEN or tag.get("aria-label") or tag.get("aria-labelledby"):
        return True
    return bool((tag.get("id") and soup.select(f'label[for="{tag["id"]}"]')) or tag.find_parent("label"))


def named(tag: Tag) -> bool:
    return bool(tag.get_text(strip=True) or tag.get("aria-label") or tag.select("[aria-label], [alt]"))


def resolves(app: Flask, link: str, method: str) -> bool:
    """One of our pages takes it."""
    try:
        app.url_map.bind("localhost").match(urlsplit(link).path, method)
    except RequestRedirect:
        return True
    except MethodNotAllowed:
        return False
    except HTTPException:
        return False
    return True
