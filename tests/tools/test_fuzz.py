"""Files nobody would write, wired, edited and unwired: nothing of their owner's is lost, and nothing crashes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.tools import claude_code, codex, factory_droid, jsontext, tomltext
from llr.tools.base import BadFile, Binding, Tool
from tests.tools.fakes import Machine

KEYS = ["a", "x y", "env", "model", "features", "ANTHROPIC_MODEL", "effortLevel", "customModels", "model_providers"]
GAPS = st.sampled_from(["", " ", "\n", "\n\t", "/* c , } */", ' // l { , "\n', "\r\n  "])
SCALARS = st.sampled_from(['"s"', '"a\\"b//x"', "1", "-1.50", "1e5", "true", '"\\u00e9"', '""', "12345678901234567890"])
TOML_KEYS = [*(key.replace(" ", "-") for key in KEYS), '"llm-router"', "'li.t'", "model_providers . llm-router", "a.b"]
TOML_VALUES = [
    '"x"',
    "'y # z'",
    '"""multi\n# not\n[x]\nk = 1"""',
    "'''lit\n\"\"\"\n#'''",
    '""""q""""',
    "1_000",
    "1979-05-27T07:32:00Z",
    "[1, # c]\n 2,\n]",
    '{ b.c = "}", d = [ { e = 1 } ] }',
    "{}",
]


@st.composite
def json_values(draw: st.DrawFn, depth: int = 0) -> str:
    """Yields a JSON value with comments, odd gaps and trailing commas."""
    kind = draw(st.sampled_from("oas" if depth < 3 else "s")) if depth else "o"
    if kind == "s":
        return draw(SCALARS)
    parts = []
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
    for key in keys:
        head = f'"{key}"{draw(GAPS)}:{draw(GAPS)}' if kind == "o" else ""
        parts.append(f"{draw(GAPS)}{head}{draw(json_values(depth + 1))}{draw(GAPS)}")
    more = draw(st.sampled_from(["", ","])) if parts else ""
    opening, closing = "{}" if kind == "o" else "[]"
    return f"{opening}{','.join(parts)}{more}{draw(GAPS)}{closing}"


@st.composite
def toml_documents(draw: st.DrawFn) -> str:
    """Yields a TOML document: lines that fit, in any order."""
    text = ""
    for _ in range(draw(st.integers(0, 8))):
        key, indent = draw(st.sampled_from(TOML_KEYS)), draw(st.sampled_from(["", "  ", "\t"]))
        value, tail = draw(st.sampled_from(TOML_VALUES)), draw(st.sampled_from(["", " # tail", "  "]))
        line = draw(st.sampled_from([f"[{key}]", f"[[ {key} ]]", f"{key} = {value}", f"{key}={value}", "# note", ""]))
        more = f"{text}{indent}{line}{tail}\n"
        try:
            tomltext.parse(more)
        except tomltext.BadTOML:
            continue
        text = more
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text = f"# first!\n{text}# last!\n"
    return draw(st.sampled_from(["", "\ufeff"])) + text.replace("\n", newline)


def there_and_back(tool: Tool, text: str, binding: Binding, more: str) -> Any:
    """Returns what is left after wiring twice, an edit that adds `more`, and unwiring; None for a refused file."""
    machine = Machine(tool)
    machine.put(text)
    before = dict(machine.files)
    try:
        machine.wire(binding)
    except BadFile:
        assert machine.files == before
        return None
    assert machine.status().routed
    machine.wire(dict.fromkeys(binding, "chat.fast"))
    wired = machine.files[machine.places["settings"]]
    if not more:
        machine.unwire()
        assert machine.files[machine.places["settings"]] == before[machine.places["settings"]]
        return tool.grammar.parse(text)
    machine.put(tool.grammar.put(wired.data.decode(), ("added-since",), more), wired.mode)
    machine.unwire()
    # Comments inside what was replaced go with it; those around stay.
    assert [machine.settings.count(word) for word in ("first!", "last!")] == [1, 1]
    return tool.grammar.parse(machine.settings)


@pytest.mark.parametrize(
    ("tool", "name"),
    [(claude_code.TOOL, "primary_model"), (factory_droid.TOOL, "default_model")],
    ids=["claude", "droid"],
)
@given(text=json_values(), more=st.sampled_from(["", "x"]))
def test_json_comes_back(tool: Tool, name: str, text: str, more: str) -> None:
    left = there_and_back(tool, f"// first!\n{text} // last!\n", {name: "smart"}, more)
    assert left == {**jsontext.parse(text), **({"added-since": "x"} if more else {})}


@given(text=toml_documents(), more=st.sampled_from(["", "x"]))
def test_toml_comes_back(text: str, more: str) -> None:
    left = there_and_back(codex.TOOL, text, {"default_model": "smart"}, more)
    if left is not None:
        assert left == {**tomltext.parse(text), **({"added-since": "x"} if more else {})}
