"""Configs that lead to the demo's upstream."""

import json
import os
from pathlib import Path
from typing import Any

from llr.control.demo import demo_doc
from tests.cli.life import Life

KEY = "sk-upstream-0123456789abcdef"


def document(port: int, **extra: Any) -> dict[str, Any]:
    doc: dict[str, Any] = dict(demo_doc(port))
    doc["providers"][0]["apiKey"] = KEY
    return {**doc, **extra}


def write(life: Life, doc: object) -> Path:
    """Puts the config where a gateway finds it without being told, in one step."""
    path = life.home / ".llm-router.json"
    fresh = life.home / "fresh.json"
    fresh.write_text(doc if isinstance(doc, str) else json.dumps(doc, indent=2) + "\n")
    os.replace(fresh, path)
    return path
