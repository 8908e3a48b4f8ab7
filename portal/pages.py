"""Making a page, or the part of it that htmx asks for; and asking once more before an act that can't be taken back.

A page's template extends `base.html`, whose blocks are `title`, `actions` (beside the heading) and `content`. A part is a block of the same template: `render` gives it alone when the
request comes from htmx and names it (`?part=rows`), so that a page and its renewed parts can't differ.
"""

from typing import Any

from flask import abort, current_app, render_template, request
from werkzeug.wrappers import Response

from portal.guard import is_part


def render(template: str, **values: Any) -> str:
    """The page; or, for htmx, the block that it names with `part`."""
    part = request.args.get("part", "")
    if not part or not is_part():
        return render_template(template, **values)
    current_app.update_template_context(values)
    made = current_app.jinja_env.get_template(template)
    block = made.blocks.get(part)
    if block is None:
        abort(404, f"this page has no part {part!r}")
    # blocks see what the template imports and sets at its top: a module is made of it first
    return "".join(block(made.new_context(values, shared=False)))


def confirm(
    title: str, *, sentences: list[str], action: str, verb: str, back: str, fields: dict[str, str] | None = None, danger: bool = True
) -> str:  # fmt: skip
    """A page that says what an act will do (to how many messages, which sessions), and a button that does it.

    `action` is posted to with `fields`; `verb` stands on the button; `back` is where one goes who does not want it.
    """
    return render_template(
        "confirm.html", title=title, sentences=sentences, action=action, verb=verb, back=back, fields=fields or {}, danger=danger
    )  # fmt: skip


def turn(place: str) -> Response:
    """To another page after a POST; htmx takes the browser there as a whole."""
    if is_part():
        return Response(status=204, headers={"HX-Redirect": place})
    return Response(status=303, headers={"Location": place})
