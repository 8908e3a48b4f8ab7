"""Guards over lists: what holds for every file, module, layer, program and target, so that forgetting fails the build."""

import ast
import importlib
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import app

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Top level: the folders of ARCHITECTURE.md, and the files that tools expect there.
FOLDERS = {
    ".ci", "ansible", "config", "docs", "emg", "kickstart", "portal", "scripts", "sql", "tests", "watchdog",
}  # fmt: skip
FILES = {
    ".editorconfig", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md", "SECURITY.md",
    "Vagrantfile", "app.py", "pyproject.toml", "requirements-dev.lock", "requirements.lock",
}  # fmt: skip

# Longer than the rule, each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
MAX_LINES = 400
MAX_TEST_LINES = 600
MAX_FUNCTION = 45

# Nothing in the repository knows on which machine it was written or from where packages come, and nothing is left for later.
FORBIDDEN_TEXT = re.compile(
    r"/work/|/root/|/opt/(pypi|wheels)|\.pyenv|pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|\b(TODO|FIXME|XXX|HACK)\b"
)
# Names that say nothing about what a thing does.
FORBIDDEN_NAME = re.compile(r"(^|_)(manager|helpers?|utils?|process)(_|$)|(Manager|Helper|Util|Processor)$", re.ASCII)

# A test's name is a sentence, and the system's processes may be what it tells of.
SENTENCE = re.compile("test_.*process")

# Called by SQLAlchemy and APScheduler under these names.
THEIR_NAMES = {"process_bind_param", "process_result_value", "_process_jobs"}


@cache
def tracked() -> list[str]:
    """Files that git knows, or would take on `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


PYTHON = [name for name in tracked() if name.endswith(".py")]
MIGRATIONS = "sql/migrations/versions/"  # lists, as long as the tables that they make
PRODUCT = [name for name in PYTHON if not name.startswith(("tests/", MIGRATIONS))]


def test_top_level_holds_what_the_architecture_names() -> None:
    found = {name.split("/")[0] for name in tracked()}
    assert found <= FOLDERS | FILES


def test_every_module_says_what_it_is() -> None:
    silent = [name for name in PYTHON if not ast.get_docstring(tree(name))]
    assert silent == []


def test_no_file_is_too_long() -> None:
    lengths = {name: (ROOT / name).read_text().count("\n") for name in PYTHON if not name.startswith(MIGRATIONS)}
    limits = {name: MAX_TEST_LINES if name.startswith("tests/") else MAX_LINES for name in lengths}
    too_long = {name: length for name, length in lengths.items() if length > limits[name]}
    assert too_long.keys() == LONG_FILES.keys()


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{name}:{node.name}": length
        for name in PRODUCT
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef) and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    }
    assert too_long.keys() == LONG_FUNCTIONS.keys()


def test_names_say_what_things_do() -> None:
    modules = [name for name in PYTHON if FORBIDDEN_NAME.search(Path(name).stem)]
    definitions = [
        f"{name}:{node.name}"
        for name in PYTHON
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and FORBIDDEN_NAME.search(node.name)
        if node.name not in THEIR_NAMES and not SENTENCE.match(node.name)
    ]
    assert modules + definitions == []


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    this_file = Path(__file__).relative_to(ROOT).as_posix()
    told = []
    for name in tracked():
        text = (ROOT / name).read_bytes().decode(errors="replace")
        if name != this_file and (match := FORBIDDEN_TEXT.search(text)):
            told.append(f"{name}: {match[0]}")
    assert told == []


def test_every_package_has_its_layer() -> None:
    layers = next(contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"] if contract["id"] == "layers")
    named = {part.strip("() ") for line in layers["layers"] for part in line.split("|")}
    children = {
        path.stem for path in (ROOT / "emg").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    # The tools stand beside the layers, with a contract of their own.
    assert {f"emg.{child}" for child in children} - {"emg.__init__", "emg.tools"} <= named


def test_every_top_package_is_linted_and_typed() -> None:
    packages = {name for name in ("portal", "watchdog") if (ROOT / name / "__init__.py").exists()}
    assert packages <= set(PYPROJECT["tool"]["importlinter"]["root_packages"])
    assert packages - {"portal"} <= set(PYPROJECT["tool"]["mypy"]["files"])


def test_configuration_is_pure_but_for_its_loading() -> None:
    pattern = re.compile(
        r"^\s*(from emg\.config import .*\b(load|cli)\b|(from|import) emg\.config\.(load|cli)\b)", re.MULTILINE
    )
    files = [path for path in (ROOT / "emg/config").glob("*.py") if path.stem not in ("load", "cli")]
    assert [path.name for path in files if pattern.search(path.read_text())] == []


def test_one_module_lets_the_event_loop_wait_for_children() -> None:
    """From the first child of gevent's own `subprocess` on, the loop takes the end of *every* child of its process: whoever waits for one by other means is told that it ended well."""
    found = [
        name
        for name in PYTHON
        if re.search(r"gevent(\.subprocess| import .*\bsubprocess)\b", (ROOT / name).read_text())
    ]
    assert [name for name in found if name != "tests/unit/test_house.py"] == ["emg/reader_watch.py"]


def test_every_program_has_a_main() -> None:
    for program in app.PROGRAMS.values():
        assert callable(importlib.import_module(program.module).main)


def test_every_target_of_the_interface_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"setup", "run", "test", "lint", "bench", "fuzz", "soak", "docs", "clean"} <= targets


def test_every_dependency_is_pinned_with_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    wanted = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["dev"]]
    assert wanted
    for requirement in wanted:
        assert "==" in requirement
        line = next(line for line in lines if f'"{requirement}"' in line and "requires =" not in line)
        assert re.search(r"# \w", line), f"{requirement} has no reason beside it"
