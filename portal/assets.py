"""Files that pages load: addresses that change with their content, so that browsers may keep them for ever; and icons, put into the page itself.

`asset('portal.css')` and `icon('send')` stand in templates. Icons are those of Bootstrap, by name. A file that is not there is an error when the page is made, and
`missing` says at start what `make setup` would bring.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from flask import Flask, url_for
from markupsafe import Markup

FOLDER: Final = Path(__file__).parent / "static"
ICONS: Final = FOLDER / "vendor" / "icons"
NEEDED: Final = ("bootstrap.min.css", "bootstrap.bundle.min.js", "htmx.min.js", "chart.umd.min.js")
_NAME: Final = re.compile(r"[a-z0-9-]+")


def missing() -> list[str]:
    """What the pages need of npm's packages and is not there."""
    return [name for name in NEEDED if not (FOLDER / "vendor" / name).is_file()]


@lru_cache(maxsize=500)
def _version(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file in portal/static."""
    return url_for("static", filename=name, v=_version(name))


@lru_cache(maxsize=500)
def icon(name: str, label: str = "") -> Markup:
    """An icon; with a `label` it speaks for itself, else it stands beside words that do."""
    assert _NAME.fullmatch(name), f"{name!r} is no icon's name"
    svg = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    shape = svg[svg.index(">") + 1 : svg.rindex("</svg>")].strip()
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    head = Markup('<svg class="bi" width="16" height="16" fill="currentColor" viewBox="0 0 16 16" {}>').format(told)
    return head + Markup(shape) + Markup("</svg>")  # noqa: S704 -- a file of ours


def install(app: Flask) -> None:
    """For the templates of this application."""
    app.jinja_env.globals.update(asset=asset, icon=icon)
