import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llr.tools.tomltext import BadTOML, parse, put, remove

CODEX = """# my settings
model = "gpt-5"   # the good one
approval_policy = 'never'

[mcp_servers.docs]
command = "npx"
args = [
  "-y", # yes
  "docs#1",
]

[[profiles.list]]
name = "a"
model = "inner"

[notice]
text = \"\"\"
[not.a.header]
model = "no"
\"\"\"
"""
TABLE = ("model_providers", "llm-router")


def test_a_known_key_changes_only_its_value() -> None:
    assert put(CODEX, ("model",), "x/y") == CODEX.replace('"gpt-5"', '"x/y"')


def test_the_same_value_changes_nothing() -> None:
    assert put(CODEX, ("approval_policy",), "never") == CODEX


def test_a_new_top_level_key_stands_behind_the_last_one() -> None:
    assert put(CODEX, ("model_provider",), "llm-router") == CODEX.replace(
        "'never'\n", "'never'\nmodel_provider = \"llm-router\"\n"
    )


def test_a_new_table_comes_at_the_end() -> None:
    text = put(put(CODEX, (*TABLE, "name"), "LLM Router"), (*TABLE, "wire_api"), "responses")
    assert text == CODEX + '\n[model_providers.llm-router]\nname = "LLM Router"\nwire_api = "responses"\n'


def test_removing_what_was_added_gives_the_text_back() -> None:
    text = put(put(CODEX, ("model_provider",), "llm-router"), (*TABLE, "name"), "LLM Router")
    assert remove(remove(text, TABLE), ("model_provider",)) == CODEX


@pytest.mark.parametrize(
    "text",
    [
        'model_providers = { mine = { name = "m" } }\n',
        "model_providers = {}\n",
        '[model_providers]\nmine = { name = "m" }\n',
        '[model_providers]\n  "llm-router" = { name = "old", base_url = "u" } # ours\n',
        'model_providers.llm-router.base_url = "u"\nx = 1\n',
        '[model_providers."llm-router"]\nbase_url = "u"\n[other]\na = 1\n',
        "[model_providers.llm-router]\n",
        '[model_providers.llm-router.headers]\na = "b"\n',
        "",
        "# only a comment",
        "a = 1",
        '[[things]]\nname = "keep"\n[things.llm-router]\nname = "theirs"\n',
        "\ufeff[a]\r\nb = 1\r\n",
    ],
)
def test_every_spelling_of_a_table_is_found(text: str) -> None:
    doc = parse(text)
    edited = put(text, (*TABLE, "name"), "LLM Router")
    assert parse(edited)["model_providers"]["llm-router"]["name"] == "LLM Router"
    assert ("\r\n" in edited) == ("\r\n" in text)
    cleaned = parse(remove(edited, TABLE))
    left = {name: row for name, row in doc.get("model_providers", {}).items() if name != "llm-router"}
    assert cleaned.get("model_providers", {}) == left
    assert {key: value for key, value in cleaned.items() if key != "model_providers"} == {
        key: value for key, value in doc.items() if key != "model_providers"
    }


def test_keys_of_array_tables_are_never_taken_for_ours() -> None:
    text = '[[p]]\nmodel = "a"\n\n[[p]]\nmodel = "b"\n'
    assert put(text, ("model",), "c") == 'model = "c"\n\n' + text


@pytest.mark.parametrize("text", ["a = \n", 'a = "x\n', "[a\n", "a = 1\na = 2\n"])
def test_broken_text_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadTOML) as caught:
        put(text, ("b",), 1)
    assert caught.value.line >= 1
    assert str(caught.value.line) in str(caught.value)


def test_a_path_through_a_scalar_is_refused_and_nothing_is_lost() -> None:
    with pytest.raises(BadTOML):
        put("model_providers = 5\n", (*TABLE, "name"), "x")


def test_strings_that_need_escapes_survive() -> None:
    value = 'a "quoted" \\ path\n\ttab \x7f \x01 é'
    assert tomllib.loads(put("", ("k",), value))["k"] == value


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=8)


@given(
    st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), st.text(max_size=5) | st.integers(0, 9) | st.booleans()))
)
def test_any_row_of_edits_reads_back(edits: list[tuple[list[str], str | int | bool]]) -> None:
    text = "# top\n"
    wanted: dict[tuple[str, ...], str | int | bool] = {}
    for path, value in edits:
        key = tuple(path)
        if any(key[: len(other)] == other or other[: len(key)] == key for other in wanted if other != key):
            continue
        text = put(text, key, value)
        wanted[key] = value
    for key, value in wanted.items():
        found: Any = tomllib.loads(text)
        for step in key:
            found = found[step]
        assert found == value
