"""Writes the goldens anew: `python -m tests.formats.accept [scenario ...]`. Look at the diff before you commit it."""

import sys

from .matrix import CLIENTS, golden, render, scenarios


def main(names: list[str]) -> int:
    """Returns 0 after writing the goldens of these scenarios, of all when none is named."""
    changed = 0
    for name in names or scenarios():
        for client in CLIENTS:
            path, text = golden(name, client), render(name, client)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                changed += 1
    sys.stdout.write(f"{changed} goldens changed\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
