"""The map of the code, from what each package says of itself."""

import ast
from importlib.util import find_spec

# From the ground up, as the layers stand.
PACKAGES = (
    *("base", "wire", "ir", "config", "state", "formats", "routing", "providers", "gateway", "net"),
    *("tools", "daemon", "control", "cli"),
)


def docstring(package: str) -> str:
    """Returns what a package says of itself, "" when it says nothing.

    Read from the source: shipped bytecode carries no docstrings.
    """
    spec = find_spec(package)
    source = getattr(spec.loader, "get_source", None) if spec is not None else None
    text = source(package) if source is not None else None
    return (ast.get_docstring(ast.parse(text)) or "") if text else ""


def layout() -> list[tuple[str, str]]:
    """Returns every package and its text, lowest layer first."""
    return [(f"llr/{name}/", docstring(f"llr.{name}")) for name in PACKAGES if find_spec(f"llr.{name}") is not None]
