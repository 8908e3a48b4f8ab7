"""The pages of a table of rules: list, row, delete, export; import with its preview; history and undo."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from flask import Response, abort, flash, request, url_for
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField

from emg.db import accounts, revisions, rule_changes
from emg.db.engine import Session
from emg.db.routes import known_connectors
from emg.db.rule_table import NoSuchRow, NotUndone, Stale, expect, plan, row_id, with_id
from emg.engine.native import run
from emg.errors import EmgError
from emg.rules.csv_rows import text_of
from emg.rules.faults import Fault, TableFaults
from portal import fields, house
from portal import pages as made
from portal.listing import Listing, Shown
from portal.rule_tables import HEADLINES, NUMBERS, Rules, drafts, sheets
from portal.rule_tables.drafts import Draft

SHOWN_FAULTS: Final = 500
SHOWN_DIFFERENCES: Final = 200
SHOWN_NAMES: Final = 5
OFFERED: Final = 500


class Pages:
    """One table's; `register` puts them into a blueprint."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        area = rules.area
        self.listing = Listing(f"{area}.index", rules.table.head, rules.filters)
        self.past = Listing(f"{area}.history", ("-at", "who", "rows"), ("text", "action"))

    def _render(self, template: str, /, **values: Any) -> str:
        rules = self.rules
        return made.render(
            f"rule_tables/{template}.html", rules=rules, area=rules.area, headlines=HEADLINES, numbers=NUMBERS,
            file=rules.instead(house.config()), **values,
        )  # fmt: skip

    def _to(self, endpoint: str, **values: Any) -> str:
        return url_for(f"{self.rules.area}.{endpoint}", **values)

    def _connectors(self, session: Session) -> frozenset[str]:
        return known_connectors(session, house.config().connectors)

    def _changed(self, sentence: str) -> None:
        flash(sentence, "success")
        house.tell_gateway()

    # -- list and export

    def index(self) -> str:
        """A page of the rows."""
        shown = self._asked()
        table = self.rules.table
        with house.reading() as session:
            wanted = self.rules.wanted(session, shown)
            rows, total = table.find(session, wanted, order=shown.sort, offset=shown.offset, limit=shown.limit)
            connectors = sorted(self._connectors(session)) if "connector" in self.rules.filters else []
        seen = [(row_id(row), self.rules.cells(row)) for row in rows]
        return self._render("index", shown=shown, rows=seen, total=total, connectors=connectors)

    def _asked(self) -> Shown:
        shown = self.listing.asked()
        if shown.column not in self.rules.columns:
            abort(400, f"This table is not sorted by {shown.column!r}.")
        return shown

    def export(self, kind: str) -> Response:
        """All rows that fit, as a file."""
        shown = self._asked()
        with house.reading() as session:
            rows = self.rules.table.matching(session, self.rules.wanted(session, shown))
        head = self.rules.columns
        places = [self.rules.table.head.index(name) for name in head]
        cells = ([row[place] for place in places] for row in map(self.rules.table.cells, rows))
        body: Any = sheets.csv_lines(head, cells)
        if kind == "xlsx":
            body = run(partial(sheets.xlsx, head, cells))
        mimetype = sheets.XLSX if kind == "xlsx" else "text/csv; charset=utf-8"
        name = f'attachment; filename="{self.rules.area}.{kind}"'
        return Response(body, content_type=mimetype, headers={"Content-Disposition": name})

    # -- rows

    def _form(self, session: Session, values: dict[str, str] | None) -> Any:
        offered = {"account": list(accounts.names(session)), "connector": sorted(self._connectors(session))}
        members: dict[str, Any] = {}
        for name in self.rules.table.head:
            told = self.rules.helps[name]
            told = told[:1].upper() + told[1:].replace("`", "") + "."
            if name in self.rules.choices:
                members[name] = SelectField(HEADLINES[name], description=told, choices=list(self.rules.choices[name]))
                continue
            keywords = {"maxlength": 300, "data_offered": offered.get(name.partition("_")[0], [])[:OFFERED]}
            members[name] = StringField(HEADLINES[name], description=told, render_kw=keywords)
        return type("RowForm", (FlaskForm,), members)(data=values)

    def _row(self, number: int | None) -> Any:
        table = self.rules.table
        with house.reading() as session:
            old = self._get(session, number) if number is not None else None
            form = self._form(session, self.rules.cells(old) if old is not None else None)
            known = self._connectors(session)
        if form.validate_on_submit():
            cells = {name: str(form[name].data or "") for name in table.head}
            try:
                row = self.rules.row(cells, known)
                with house.writing() as session:
                    if number is None:
                        table.add(session, house.actor(), row)
                        told = "is added"
                    else:
                        different = table.change(session, house.actor(), with_id(row, number))
                        told = "is changed" if different else "is as it was"
                    nobody = accounts.missing(session, {row.account} - {"", *house.config().users})
            except TableFaults as error:
                fields.blame(form, error)
            else:
                self._tell_nobodys(nobody)
                self._changed(f"The {self.rules.one} for {self._called(row)} {told}.")
                return made.turn(self._to("index"))
        title = f"New {self.rules.one}" if number is None else f"{self.rules.one.title()} {number}"
        return self._render("row", form=form, title=title)

    def _get(self, session: Session, number: int) -> Any:
        try:
            return self.rules.table.get(session, number)
        except NoSuchRow as error:
            abort(404, f"{str(error).capitalize()}.")

    def _called(self, row: Any) -> str:
        return f"+{row.prefix}" if row.prefix else "any number"

    @staticmethod
    def _tell_nobodys(nobody: list[str]) -> None:
        if nobody:
            more = f" and {len(nobody) - SHOWN_NAMES:,} more" if len(nobody) > SHOWN_NAMES else ""
            flash(f"There is no account {', '.join(nobody[:SHOWN_NAMES])}{more}: rows that name it are of no use until there is.", "warning")  # fmt: skip

    def new(self) -> Any:
        """A new row."""
        return self._row(None)

    def edit(self, number: int) -> Any:
        """Another content for a row."""
        return self._row(number)

    def ask_delete(self, number: int) -> str:
        """What would be deleted."""
        with house.reading() as session:
            row = self._get(session, number)
        told = ", ".join(f"{HEADLINES[name].lower()} {value}" for name, value in self.rules.cells(row).items() if value)
        return made.confirm(
            f"Delete {self.rules.one} {number}", sentences=[f"This deletes one {self.rules.one}: {told}.", "It can be undone from the history."],
            action=self._to("delete", number=number), verb=f"Delete this {self.rules.one}", back=self._to("index"),
        )  # fmt: skip

    def delete(self, number: int) -> Any:
        """Delete a row."""
        with house.writing() as session:
            self._get(session, number)
            row = self.rules.table.delete(session, house.actor(), number)
        self._changed(f"The {self.rules.one} for {self._called(row)} is deleted.")
        return made.turn(self._to("index"))

    def ask_delete_all(self) -> str:
        """How many rows a filter would delete."""
        shown = self._asked()
        with house.reading() as session:
            total = self.rules.table.find(session, self.rules.wanted(session, shown), limit=0)[1]
            number = revisions.current(session)[self.rules.table.subject]
        filters = {name: value for name, value in shown.filters.items() if value}
        by = ", ".join(f"{name} {value!r}" for name, value in filters.items())
        which = f"{total:,} {self.rules.area} that fit {by}" if by else f"all {total:,} {self.rules.area}"
        return made.confirm(
            f"Delete {total:,} {self.rules.area}", sentences=[f"This deletes {which}.", "It can be undone from the history."],
            action=self._to("delete_all", **filters), verb=f"Delete {total:,} {self.rules.area}", back=shown.address(), fields={"revision": str(number)},
        )  # fmt: skip

    def delete_all(self) -> Any:
        """Delete what fits, if the table is still the one that was looked at."""
        shown = self._asked()
        try:
            with house.writing() as session:
                expect(session, self.rules.table.subject, _whole(request.form.get("revision", "")))
                wanted = self.rules.wanted(session, shown)
                count = self.rules.table.delete_all(session, house.actor(), wanted)
        except Stale:
            flash("The table has changed meanwhile: nothing is deleted. Look at what fits now.", "warning")
            return made.turn(shown.address())
        self._changed(f"{count:,} {self.rules.area} are deleted.")
        return made.turn(self._to("index"))

    def switch(self, number: int) -> Any:
        """Enable a row, or disable it."""
        with house.writing() as session:
            row = self._get(session, number)
            cells = self.rules.cells(row)
            cells["enabled"] = "no" if cells["enabled"] == "yes" else "yes"
            wanted = with_id(self.rules.row(cells, self._connectors(session)), number)
            self.rules.table.change(session, house.actor(), wanted)
        word = "enabled" if wanted.enabled else "disabled"
        self._changed(f"The {self.rules.one} for {self._called(wanted)} is {word}.")
        return made.turn(self._to("index"))

    # -- import

    def ask_import(self) -> str:
        """Where a file is chosen."""
        return self._render("import", faults=(), total=0, name="")

    def preview(self) -> Any:
        """Read an upload, and keep it if it has no faults."""
        upload = request.files.get("file")
        octets = upload.read() if upload is not None and upload.filename else b""
        name = (upload.filename or "")[:200] if upload is not None and octets else "what was pasted"
        octets = octets or request.form.get("text", "").encode()
        if not octets.strip():
            flash("Choose a file, or paste rows with their header.", "danger")
            return made.turn(self._to("ask_import"))
        try:
            token = self._draft(octets, name, merge=request.form.get("mode") == "merge")
        except TableFaults as error:
            return self._faulty(error.faults, name)
        except EmgError as error:
            return self._faulty([Fault(0, "", str(error))], name)
        return made.turn(self._to("previewed", token=token))

    def _faulty(self, faults: Any, name: str) -> str:
        return self._render("import", faults=faults[:SHOWN_FAULTS], total=len(faults), name=name)

    def _draft(self, octets: bytes, name: str, *, merge: bool) -> str:
        rules, table = self.rules, self.rules.table
        with house.reading() as session:
            known = self._connectors(session)
            there = set(accounts.names(session)) | set(house.config().users)
            old = table.load(session)
            revision = revisions.current(session)[table.subject]

        text = sheets.text_of(octets)

        def judge() -> tuple[Any, list[Fault], list[str]]:
            rows = rules.parse(text, known)
            found = plan(old, rows, table.key)
            found = found.merging() if merge else found
            nobody = sorted({row.account for row in rows} - there - {""})
            return found, table.disturbed(old, found) if merge else [], nobody

        found, faults, nobody = run(judge)
        if faults:
            raise table.raised(faults)
        show: Callable[[Any], Any] = lambda row: None if row is None else rules.cells(row)  # noqa: E731 -- two uses in one line
        differences = [(show(was), show(now)) for was, now in found.pairs[:SHOWN_DIFFERENCES]]
        return drafts.keep(
            Draft(house.actor().who, table.subject, name, merge, revision, found.counts, differences, nobody, text)
        )

    def previewed(self, token: str) -> str:
        """What an upload would change."""
        draft = drafts.get(token, self.rules.table.subject)
        with house.reading() as session:
            since = rule_changes.since(session, draft.subject, draft.revision)
        return self._render("preview", draft=draft, token=token, since=since)

    def import_(self, token: str) -> Any:
        """Do what was looked at."""
        rules, draft = self.rules, drafts.get(token, self.rules.table.subject)
        with house.reading() as session:
            known = self._connectors(session)
        rows = run(lambda: rules.parse(draft.text, known))
        try:
            with house.writing() as session:
                expect(session, draft.subject, draft.revision)
                put = rules.table.merge if draft.merge else rules.table.replace
                counts = put(session, house.actor(), rows).counts
        except Stale:
            flash(
                "The table has changed since the file was looked at: nothing is imported. Upload it again.", "warning"
            )
            return made.turn(self._to("previewed", token=token))
        drafts.drop(token)
        self._tell_nobodys(draft.nobodys)
        self._changed(f"Imported: {', '.join(f'{count:,} {word}' for word, count in counts.items())}.")
        return made.turn(self._to("index"))

    # -- history

    def history(self) -> str:
        """Who changed what."""
        shown = self.past.asked()
        with house.reading() as session:
            rows, total = rule_changes.listing(
                session, self.rules.table.subject, **shown.filters, order=shown.sort, offset=shown.offset, limit=shown.limit
            )  # fmt: skip
        return self._render("history", shown=shown, rows=rows, total=total)

    def change(self, number: int) -> str:
        """One entry with its rows."""
        with house.reading() as session:
            entry = self._entry(session, number)
            image = rule_changes.image_of(session, number)
        pairs = rule_changes.pairs_of(image, self.rules.table.kind) if image is not None else []
        show = [
            tuple(None if row is None else self.rules.cells(row) for row in pair) for pair in pairs[:SHOWN_DIFFERENCES]
        ]
        return self._render("change", entry=entry, pairs=show, total=len(pairs))

    def _entry(self, session: Session, number: int) -> Any:
        try:
            return rule_changes.get(session, self.rules.table.subject, number)
        except rule_changes.NoSuchChange as error:
            abort(404, f"{str(error).capitalize()}.")

    def _reversal(self, session: Session, number: int) -> Any:
        """What an undo would do. Raises NotUndone, also where a row that comes back names what is gone."""
        self._entry(session, number)
        back = self.rules.table.reversal(session, number)
        come = [*back.added, *(was for _now, was in back.changed)]
        try:
            text = text_of(self.rules.table.head, map(self.rules.table.cells, come))
            self.rules.parse(text, self._connectors(session))
        except TableFaults as error:
            raise NotUndone([f"row {row_id(come[fault.line - 2])}: {fault.reason}" for fault in error.faults]) from None
        return back

    def ask_undo(self, number: int) -> Any:
        """What undoing would do, or why it can't be."""
        try:
            with house.reading() as session:
                counts = self._reversal(session, number).counts
        except NotUndone as error:
            flash(f"Change {number} can't be undone: {_some(error.reasons)}.", "warning")
            return made.turn(self._to("change", number=number))
        told = f"{counts['added']:,} rows come back, {counts['removed']:,} are taken away, {counts['changed']:,} are as they were before."
        return made.confirm(
            f"Undo change {number}", sentences=[told, "That is a change of its own, which can be undone too."],
            action=self._to("undo", number=number), verb=f"Undo {sum(counts.values()):,} rows", back=self._to("change", number=number),
        )  # fmt: skip

    def undo(self, number: int) -> Any:
        """Take a change back."""
        try:
            with house.writing() as session:
                revisions.touch(session, self.rules.table.subject)
                back = self._reversal(session, number)
                counts = self.rules.table.undo(session, house.actor(), number, back).counts
        except NotUndone as error:
            flash(f"Change {number} can't be undone: {_some(error.reasons)}.", "warning")
            return made.turn(self._to("change", number=number))
        self._changed(f"Change {number} is undone: {sum(counts.values()):,} rows.")
        return made.turn(self._to("history"))


def _some(reasons: Any) -> str:
    more = f", and {len(reasons) - SHOWN_NAMES:,} more rows" if len(reasons) > SHOWN_NAMES else ""
    return "; ".join(reasons[:SHOWN_NAMES]) + more


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else -1
