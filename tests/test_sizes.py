"""Small things are read; big ones are scrolled past. Aims are reported, twice the aim fails."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FILE_LINES = 400
FUNCTION_LINES = 40
POSITIONAL = 5
# A package's __init__ says what the package is for, and runs nothing.
INIT_LINES = 40
# "Far over" the aim: worth a line in the report, not yet a failure.
FAR = 1.5


def sources() -> Iterator[Path]:
    yield ROOT / "build_zipapp.py"
    yield from sorted((ROOT / "llr").rglob("*.py"))


def measures() -> Iterator[tuple[str, int, int]]:
    """Yields (what, size, aim) for every file and function."""
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        yield f"{name} lines", len(text.splitlines()), INIT_LINES if path.name == "__init__.py" else FILE_LINES
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                where = f"{name}:{node.lineno} {node.name}"
                yield f"{where} lines", (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION_LINES
                names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
                yield f"{where} positional parameters", len([n for n in names if n not in {"self", "cls"}]), POSITIONAL


def test_nothing_is_twice_as_big_as_it_should_be() -> None:
    found = list(measures())
    for what, size, aim in found:
        if FAR * aim < size <= 2 * aim:
            warnings.warn(f"{what}: {size}, the aim is {aim}", stacklevel=1)
    assert [f"{what}: {size}, the aim is {aim}" for what, size, aim in found if size > 2 * aim] == []


TEXT = {"", ".py", ".md", ".toml", ".json", ".txt", ".golden", ".js", ".css", ".html", ".cfg", ".ini", ".yml"}
NOT_OURS = {"build", "node_modules", "__pycache__"}


def project_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        cache = any(part in NOT_OURS or (part.startswith(".") and part != ".ci") for part in inside[:-1])
        if path.is_file() and not cache and path.suffix in TEXT:
            yield path


def test_nothing_names_the_place_where_it_was_written() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if f"{ROOT}/" in line or f"{Path.home()}/" in line
    ]
    assert found == []
