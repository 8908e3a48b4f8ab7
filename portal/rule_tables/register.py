"""The addresses of a table of rules, and who may ask for each."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint

from portal.guard import needs
from portal.rule_tables import Rules
from portal.rule_tables.pages import Pages


def register(blueprint: Blueprint, rules: Rules) -> Pages:
    """Put the pages of a table into its area's blueprint."""
    pages = Pages(rules)
    seen = (
        ("", "index", pages.index, "GET"),
        ("/export.csv", "export_csv", partial(pages.export, "csv"), "GET"),
        ("/export.xlsx", "export_xlsx", partial(pages.export, "xlsx"), "GET"),
    )
    past = (("/history", "history", pages.history, "GET"), ("/history/<int:number>", "change", pages.change, "GET"))
    changing = (
        ("/new", "new", pages.new, "GET POST"),
        ("/<int:number>", "edit", pages.edit, "GET POST"),
        ("/<int:number>/delete", "ask_delete", pages.ask_delete, "GET"),
        ("/<int:number>/delete", "delete", pages.delete, "POST"),
        ("/delete", "ask_delete_all", pages.ask_delete_all, "GET"),
        ("/delete", "delete_all", pages.delete_all, "POST"),
        ("/import", "ask_import", pages.ask_import, "GET"),
        ("/import", "preview", pages.preview, "POST"),
        ("/import/<token>", "previewed", pages.previewed, "GET"),
        ("/import/<token>", "import_", pages.import_, "POST"),
        ("/history/<int:number>/undo", "ask_undo", pages.ask_undo, "GET"),
        ("/history/<int:number>/undo", "undo", pages.undo, "POST"),
        *((("/<int:number>/switch", "switch", pages.switch, "POST"),) if "enabled" in rules.table.head else ()),
    )
    for permission, rows in ((rules.see, seen), (rules.see_history, past), (rules.change, changing)):
        for address, name, view, methods in rows:
            guarded = needs(permission)(_named(view, name))
            blueprint.add_url_rule(f"/{rules.area}{address}", name, guarded, methods=methods.split())
    return pages


def _named(view: Callable[..., Any], name: str) -> Callable[..., Any]:
    def answer(**values: Any) -> Any:
        return view(**values)

    answer.__name__ = name
    return answer
