"""Issue paths in both spellings."""

import pytest

from llr.config.cursor import member_path
from llr.config.schema import Issue, Level
from llr.control.issues import line, pointer


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", ""),
        ("$.providers[1].baseUrl", "/providers/1/baseUrl"),
        (member_path("$.modelAliases", "fast[1m]"), "/modelAliases/fast[1m]"),
        (member_path("$.modelAliases", 'a "b" /c~d.e'), '/modelAliases/a "b" ~1c~0d.e'),
        (member_path("$.modelAliases", "grün") + ".targets[0]", "/modelAliases/grün/targets/0"),
    ],
)
def test_pointer(path: str, found: str) -> None:
    assert pointer(path) == found


def test_a_hint_stands_apart_from_its_message() -> None:
    issue = Issue("$.a", "unknown-key", "unknown key a, kept and ignored", Level.WARNING, "did you mean b?")
    assert line(issue) == "warning: $.a: unknown key a, kept and ignored (did you mean b?)"
