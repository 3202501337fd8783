"""The tables that help and reference are made from: complete, and nothing in them is made up."""

import re
from pathlib import Path

import pytest

from llr.config.codes import EDIT_CODES, ISSUE_CODES
from llr.config.environment import config_text, document_from
from llr.config.keys import KEYS, known, provider_key, spellings

LLR = Path(__file__).resolve().parent.parent.parent / "llr"
ELSEWHERE = [LLR / "control" / "configfile.py", LLR / "control" / "validate.py", LLR / "providers" / "windows.py"]
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in [*(LLR / "config").glob("*.py"), *ELSEWHERE])


def test_every_issue_code_is_explained_and_used() -> None:
    called = set(re.findall(r'(?:\.error|\.warn|report)\(\s*"([a-z0-9-]+)"', SOURCES))
    made = set(re.findall(r'Issue\(\s*(?:f?"[^"]*"|[\w.]+(?:\([^)]*\))?),\s*"([a-z0-9-]+)"', SOURCES))
    assert called | made == set(ISSUE_CODES)


def test_every_edit_code_is_explained_and_used() -> None:
    assert set(re.findall(r'EditError\(\s*"([a-z0-9-]+)"', SOURCES)) == set(EDIT_CODES)


def test_every_explanation_is_a_sentence() -> None:
    texts = [*ISSUE_CODES.values(), *EDIT_CODES.values()]
    assert [text for text in texts if not text.endswith(".") or len(text) < 20] == []


@pytest.mark.parametrize("kind", KEYS)
def test_every_key_is_explained_once(kind: str) -> None:
    keys = KEYS[kind]
    assert all(key.meaning and key.type for key in keys.values())
    names = [name for key in keys.values() for name in key.spellings]
    assert len(names) == len(set(names))
    assert all(name == key.name for name, key in keys.items())


def test_keys_are_found_by_any_spelling() -> None:
    assert spellings("provider", "apiKey") == ("apiKey", "credential")
    assert provider_key("credential") == "apiKey"
    assert provider_key("proxy") is None
    assert "proxy" in known("provider")


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({}, ""),
        ({"LLM_ROUTER_JSON": "3", "ROUTE_CONFIG_JSON": "2", "LLM_ROUTER_CONFIG_JSON": "1"}, "1"),
        ({"LLM_ROUTER_JSON": "3", "ROUTE_CONFIG_JSON": "2", "LLM_ROUTER_CONFIG_JSON": ""}, "2"),
        ({"LLM_ROUTER_JSON": "3"}, "3"),
    ],
)
def test_which_variable_holds_the_config(env: dict[str, str], text: str) -> None:
    assert config_text(env) == text


def test_a_config_from_the_environment_is_brought_forward_and_keyed() -> None:
    found = document_from('{"masterKey": "old", "defaultModel": "a/m"}', {"LLM_ROUTER_MASTER_KEY": "new"})
    assert isinstance(found, dict)
    assert (found["version"], found["masterKey"]) == (2, "new")
    assert document_from("", {}) == document_from("{}", {})
    assert document_from("[]", {"LLM_ROUTER_MASTER_KEY": "new"}) == []
