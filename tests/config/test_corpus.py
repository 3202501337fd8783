"""Configs as people and the reference router write them: they load, and saving them drops nothing."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from llr.base.jsonio import JSON
from llr.config.document import clone_object, read_document, write_document
from llr.config.edit_providers import remove_provider, rename_provider
from llr.config.edit_root import set_local_server
from llr.config.mask import masked_doc
from llr.config.migrate import upgrade
from llr.config.parse import parse_config
from llr.config.schema import Config, Doc
from llr.config.view import written

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
names = pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])


def document(path: Path) -> Doc:
    value = read_document(path.read_bytes()).value
    assert isinstance(value, dict)
    return value


def config(doc: Doc) -> Config:
    found = parse_config(doc, {}).config
    assert found is not None
    return found


def contains(whole: Any, part: Any) -> bool:
    """Returns whether everything in `part` is in `whole`, in its order; `whole` may hold more keys."""
    if isinstance(part, dict):
        shared = [key for key in whole if key in part] if isinstance(whole, dict) else []
        return shared == list(part) and all(contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        same = isinstance(whole, list) and len(whole) == len(part)
        return same and all(contains(*pair) for pair in zip(whole, part, strict=True))
    return type(whole) is type(part) and whole == part


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 9


@names
def test_written_text_is_the_same_document(path: Path) -> None:
    doc = document(path)
    data = write_document(doc)
    assert json.loads(data) == json.loads(path.read_bytes().decode("utf-8-sig"))
    assert write_document(document_of(data)) == data


def document_of(data: bytes) -> Doc:
    value = read_document(data).value
    assert isinstance(value, dict)
    return value


@names
def test_load_and_save_drop_nothing_and_end_at_once(path: Path) -> None:
    doc = document(path)
    saved = write_document(upgrade(doc))
    again = document_of(saved)
    if "version" in doc:
        doc["version"] = again["version"]
    assert contains(again, doc)
    assert write_document(upgrade(again)) == saved


@names
def test_saving_does_not_change_what_it_means(path: Path) -> None:
    doc = document(path)
    before, after = config(doc), config(document_of(write_document(upgrade(doc))))
    assert before.providers == after.providers
    assert before.aliases == after.aliases
    assert before.local_server == after.local_server


@names
def test_the_normal_form_means_the_same(path: Path) -> None:
    doc = document(path)
    normal = written(doc, {})
    assert [one.id for one in config(normal).providers] == [one.id for one in config(doc).providers]
    assert set(config(normal).aliases) == set(config(doc).aliases)
    assert written(normal, {}) == normal


@names
def test_an_edit_drops_nothing(path: Path) -> None:
    doc = upgrade(document(path))
    made = set_local_server(doc, require_auth=True, port=9001).doc
    metadata: Any = made["metadata"]
    original: Any = doc.get("metadata") or {}
    assert contains(made, {key: value for key, value in doc.items() if key != "metadata"})
    assert contains(metadata, {key: value for key, value in original.items() if key != "localServer"})


@names
def test_no_secret_is_shown(path: Path) -> None:
    shown = write_document(masked_doc(document(path))).decode()
    for secret in ("gw_7Qd1", "sk-acme", "sk-or-v1-s", "amp_sample_key", "BSA-sample", "tvly-sample", "BSA-legacy"):
        assert secret not in shown


EXPECTED = {
    "minimal": (["acme"], []),
    "version-one": (["acme"], []),
    "normalised": (["openrouter"], []),
    "spellings": (["local-ai"], []),
    "subscriptions": (["gpt-sub", "claude-sub", "ollama", "local-models"], []),
    "two-formats": (["dual", "azure", "google"], []),
    "quota-and-search": (["metered", "scripted"], []),
    "byte-order-mark": (["bom"], []),
    "broken-in-places": (
        ["good", "limits"],
        [
            "provider-duplicate",
            "base-url",
            "provider-models",
            "bucket-models-mixed",
            "bucket-requests",
            "bucket-window-unit",
            "bucket-window-size",
            "alias-cycle",
            "alias-duplicate",
            "alias-id",
            "strategy",
            "ref-unknown-model",
            "ref-invalid",
            "search-count",
            "search-provider-unknown",
            "search-route",
            "claude-search-provider",
        ],
    ),
}


@names
def test_what_serves_and_what_is_wrong(path: Path) -> None:
    parsed = parse_config(document(path), {})
    providers, codes = EXPECTED[path.stem]
    assert [issue.code for issue in parsed.errors] == codes
    assert parsed.config is not None
    assert [one.id for one in parsed.config.providers] == providers


def places(value: JSON) -> list[tuple[Any, Any]]:
    """Returns (container, key) of every place in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in pairs for place in ((value, key), *places(item))]


WRONG: list[Any] = [None, 0, -1, 1e300, float("inf"), True, "", "x", "acme/m", "a b", [], {}, [[]], [None], {"": {}}]


@names
def test_no_wrong_value_anywhere_makes_parsing_editing_or_showing_raise(path: Path) -> None:
    dice = random.Random(11)
    for _ in range(60):
        doc = clone_object(document(path))
        for _ in range(dice.choice((1, 1, 3))):
            container, key = dice.choice(places(doc))
            container[key] = copy.deepcopy(dice.choice(WRONG))
        parsed = parse_config(doc, {})
        assert parsed.config is not None
        written(doc, {})
        masked_doc(doc)
        upgraded = upgrade(doc)
        for one in parsed.config.providers:
            if one.type != "local-runtime":
                remove_provider(upgraded, one.id)
                rename_provider(upgraded, one.id, "renamed")
