"""Issue paths in both spellings."""

import pytest

from llr.config.cursor import member_path
from llr.control.issues import pointer


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
