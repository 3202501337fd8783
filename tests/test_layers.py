"""The house stands on its order: a layer imports only lower layers and its own folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From the ground up; folders on one level do not import each other.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("wire",),
    ("ir", "config", "state"),
    ("formats", "routing"),
    ("providers",),
    ("gateway",),
    ("net", "edge"),
    ("tools", "local", "daemon", "deploy"),
    ("control",),
    ("console",),
    ("cli",),
)
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}
# Narrower than its level: formats know a target, never a provider or its configuration.
ONLY = {"formats": {"base", "wire", "ir"}}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yields (line, absolute module name) of each import, also of those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            if base == "llr":
                yield from ((node.lineno, f"llr.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base


def violations(name: str, source: str) -> list[str]:
    """Returns what is wrong with the imports of the file `name` ("llr/wire/http.py")."""
    parts = name.split("/")
    folder = parts[1] if len(parts) > 2 else ""
    found: list[str] = []
    for line, module in imports(ast.parse(source), ".".join(parts[:-1])):
        if not module.startswith("llr."):
            continue
        target = module.split(".")[1]
        if target == "testing":
            found.append(f"{name}:{line} imports the test fakes")
        elif not folder:
            if name == "llr/__main__.py" and target == "cli":
                continue
            if name != "llr/testing.py":
                found.append(f"{name}:{line} imports {module}")
        elif target == folder or target == "__version__":
            continue
        elif target not in LEVEL:
            found.append(f"{name}:{line} imports {module}, which has no level")
        elif LEVEL[target] >= LEVEL[folder] or (folder in ONLY and target not in ONLY[folder]):
            found.append(f"{name}:{line} imports {module}")
    return found


def test_every_file_imports_only_what_lies_below_it() -> None:
    found: list[str] = []
    for path in sorted((ROOT / "llr").rglob("*.py")):
        found += violations(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    assert found == []


def test_every_folder_has_a_level() -> None:
    folders = {path.parent.name for path in (ROOT / "llr").glob("*/__init__.py")}
    assert folders <= LEVEL.keys()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("llr/wire/sse.py", "from llr.config.schema import Config"),
        ("llr/wire/sse.py", "def f():\n    import llr.gateway.app"),
        ("llr/config/parse.py", "from llr.state import store"),
        ("llr/config/parse.py", "from ..state import store"),
        ("llr/formats/errors.py", "from llr.config.schema import Provider"),
        ("llr/gateway/app.py", "from llr import net"),
        ("llr/net/server.py", "from llr.testing import FakeClock"),
        ("llr/net/server.py", "from llr.elsewhere import thing"),
        ("llr/__init__.py", "from llr.base import clock"),
    ],
)
def test_a_wrong_import_is_found(name: str, source: str) -> None:
    assert len(violations(name, source)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("llr/wire/sse.py", "import json\nfrom llr.base.jsonio import JSON\nfrom llr.wire.stage import Stage"),
        ("llr/routing/plan.py", "from llr.config.schema import Config\nfrom llr.state.store import Store"),
        ("llr/cli/main.py", "from llr import __version__\nfrom .output import show"),
        ("llr/__main__.py", "from llr.cli.main import main"),
        ("llr/testing.py", "from llr.gateway.app import Gateway"),
    ],
)
def test_a_right_import_passes(name: str, source: str) -> None:
    assert violations(name, source) == []
