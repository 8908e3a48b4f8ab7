"""For who changes a table: `python -m sql draft TEXT` and `python -m sql schema sqlite|mysql`.

`draft` writes the next migration: what `emg.db.models` has and the migrations so far don't make. Read it, see to it that no data is lost, and run
the tests. `schema` prints the whole schema as SQL; `make docs` keeps it in this folder. Neither needs a server.
"""

import re
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import ClauseElement, Column, MetaData, PrimaryKeyConstraint, String, Table, insert
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from emg.db import schema
from emg.db.engine import Database
from emg.db.models import Base

DIALECTS = {"sqlite": sqlite.dialect(), "mysql": mysql.dialect()}
HEAD = """\
-- The whole schema of revision {revision}, for {name}. Written by `make docs`, never by hand: `emg db upgrade` makes the same, step by step.
"""
NAMES = {"sqlite": "SQLite", "mysql": "MySQL and MariaDB"}


def whole(kind: str) -> str:
    """Every table and index, in an order in which they can be made."""
    version = Table(schema.VERSION_TABLE, MetaData(), Column("version_num", String(32), nullable=False),
        PrimaryKeyConstraint("version_num", name=f"{schema.VERSION_TABLE}_pkc"))  # fmt: skip
    clauses: list[ClauseElement] = []
    for table in (*Base.metadata.sorted_tables, version):
        clauses.append(CreateTable(table))
        clauses += [CreateIndex(index) for index in sorted(table.indexes, key=lambda index: str(index.name))]
    clauses.append(insert(version).values(version_num=schema.known()[-1]))
    compiled = [
        str(clause.compile(dialect=DIALECTS[kind], compile_kwargs={"literal_binds": True})) for clause in clauses
    ]
    written = [re.sub(r"[ \t]+$", "", text.strip(), flags=re.MULTILINE) for text in compiled]
    return "\n".join([HEAD.format(revision=schema.known()[-1], name=NAMES[kind]), *(f"{text};\n" for text in written)])


def draft(text: str) -> str:
    """Write the next migration; its path."""
    number = f"{int(schema.known()[-1]) + 1 if schema.known() else 1:04d}"
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.db")
        if schema.known():
            schema.upgrade(database)
        with database.engine.connect() as connection:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(schema.MIGRATIONS))
            config.set_main_option("file_template", f"{number}_{slug}")
            command.revision(config, text, autogenerate=True, rev_id=number)
        database.close()
    return str(schema.MIGRATIONS / "versions" / f"{number}_{slug}.py")


def main(argv: list[str]) -> int:
    """Run what the first argument names."""
    match argv:
        case ["schema", ("sqlite" | "mysql") as kind]:
            print(whole(kind), end="")
        case ["draft", text]:
            print(f"wrote {Path(draft(text)).relative_to(Path.cwd())}: read it, then `make format docs test`")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
