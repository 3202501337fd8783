"""The data plane's heart decides and never acts: no sockets, files, threads, clocks, dice."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PURE_FOLDERS = ("base", "wire", "ir", "config", "formats", "routing", "providers", "gateway")
PURE_FILES = tuple(f"llr/state/{name}.py" for name in ("store", "memory", "records", "statefile", "stateless"))
BANNED_MODULES = frozenset(
    {"socket", "ssl", "selectors", "select", "subprocess", "threading", "multiprocessing", "signal", "asyncio"}
    | {"os", "pathlib", "tempfile", "shutil", "locale", "sqlite3", "importlib.resources"}
    | {"fcntl", "pwd", "grp", "termios", "resource", "ctypes"}
    | {"h11", "certifi", "http.client", "urllib.request"}
)
# Where a module's name may stand in annotations, but nothing of it may be called.
NO_CALLS = frozenset({"time", "random", "secrets", "uuid"})
NO_BUILTINS = frozenset({"open", "input", "print", "exec", "eval"})
# The real clock and the real ids live in base; the attempt loop runs tasks.
MAY_IMPORT = {"llr/base/clock.py": {"asyncio"}}
# A stamp is written of an instant that was given.
MAY_CALL = {
    "llr/base/clock.py": {"time"},
    "llr/base/ids.py": {"secrets", "uuid"},
    "llr/base/stamps.py": {"time"},
}
# Writes the __init__ of a record, from field names only.
MAY_EXEC = {"llr/base/records.py"}


def banned(module: str, allowed: set[str]) -> bool:
    parts = module.split(".")
    prefixes = {".".join(parts[: n + 1]) for n in range(len(parts))}
    return bool(prefixes & BANNED_MODULES) and not prefixes & allowed


def impurities(name: str, source: str) -> Iterator[str]:
    """Yields what in the file `name` could act on the world."""
    may_import = MAY_IMPORT.get(name, set()) | ({"asyncio"} if name.startswith("llr/gateway/") else set())
    watched = NO_CALLS - MAY_CALL.get(name, set())
    tree = ast.parse(source)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            imported |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name in watched}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if node.module in watched:
                imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        for module in modules:
            if banned(module, may_import):
                yield f"{name}:{getattr(node, 'lineno', 0)} imports {module}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        target = node.func
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in imported:
            yield f"{name}:{node.lineno} calls {imported[target.value.id]}.{target.attr}"
        elif isinstance(target, ast.Name) and target.id in imported:
            yield f"{name}:{node.lineno} calls {imported[target.id]}"
        elif (
            isinstance(target, ast.Name) and target.id in NO_BUILTINS and not (target.id == "exec" and name in MAY_EXEC)
        ):
            yield f"{name}:{node.lineno} calls {target.id}"


def pure_files() -> Iterator[Path]:
    for folder in PURE_FOLDERS:
        yield from sorted((ROOT / "llr" / folder).rglob("*.py"))
    yield from (ROOT / name for name in PURE_FILES if (ROOT / name).exists())


def test_the_pure_set_is_pure() -> None:
    found: list[str] = []
    for path in pure_files():
        found += impurities(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("llr/routing/plan.py", "import time\n\ndef f():\n    return time.time()"),
        ("llr/routing/plan.py", "from time import monotonic as m\n\nx = m()"),
        ("llr/routing/plan.py", "import random as dice\n\nx = dice.choice([1])"),
        ("llr/routing/plan.py", "from random import Random\n\nx = Random(1)"),
        ("llr/wire/sse.py", "import asyncio"),
        ("llr/config/parse.py", "from os import environ"),
        ("llr/config/parse.py", "x = open('file')"),
        ("llr/gateway/app.py", "import http.client"),
        ("llr/gateway/app.py", "from http import client"),
        ("llr/gateway/app.py", "from importlib import resources"),
        ("llr/base/ids.py", "import time\n\nx = time.time()"),
    ],
)
def test_an_impurity_is_found(name: str, source: str) -> None:
    assert len(list(impurities(name, source))) >= 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("llr/routing/plan.py", "from random import Random\n\ndef f(rng: Random) -> float:\n    return rng.random()"),
        ("llr/gateway/app.py", "import asyncio"),
        ("llr/base/clock.py", "import asyncio, time\n\nx = time.time()"),
        ("llr/wire/sse.py", "from http import HTTPStatus"),
    ],
)
def test_a_pure_file_passes(name: str, source: str) -> None:
    assert list(impurities(name, source)) == []


IMPORT_ALL = """
import importlib, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name in {"h11", "certifi", "sqlite3", "_ctypes", "termios", "resource", "urllib.request", "http.client"}:
            raise ImportError("the pure set reached for " + name)
sys.meta_path.insert(0, Wall())
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def test_the_pure_set_imports_where_sockets_and_files_are_missing() -> None:
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in pure_files()]
    modules = [name.removesuffix(".__init__") for name in names]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(ROOT), *modules], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
