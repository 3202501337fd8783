"""Edits that cannot be made, and errors that block one."""

from collections.abc import Callable
from typing import Any

import pytest

from llr.config.edit_limits import remove_rate_limit, set_rate_limits
from llr.config.edit_models import (
    remove_alias,
    remove_model,
    rename_alias,
    rename_model,
    set_default_model,
    set_model_fallbacks,
    upsert_alias,
)
from llr.config.edit_providers import remove_provider, rename_provider
from llr.config.edit_result import Edit, introduced
from llr.config.edit_root import set_master_key
from llr.config.locate import EditError
from llr.config.parse import parse_config
from tests.config.edit_rig import BASE, base, done

# What is refused.

WRONG: list[tuple[str, Callable[[Any], Edit], str, str]] = [
    ("no provider", lambda doc: remove_provider(doc, "nope"), "provider-not-found", "acme, beta, gone"),
    ("rename to taken", lambda doc: rename_provider(doc, "acme", "gone"), "provider-exists", "gone"),
    ("rename to bad", lambda doc: rename_provider(doc, "acme", "Ac Me"), "provider-id", "Ac Me"),
    ("no model", lambda doc: remove_model(doc, "acme", "nope"), "model-not-found", "m, n, off"),
    ("model taken", lambda doc: rename_model(doc, "acme", "m", "n"), "model-exists", "n"),
    ("model taken by alias", lambda doc: rename_model(doc, "acme", "m", "en"), "model-exists", "en"),
    ("model empty", lambda doc: rename_model(doc, "acme", "m", ""), "model-id", "invalid"),
    ("model blank", lambda doc: rename_model(doc, "acme", "m", "a b"), "model-id", "a b"),
    (
        "fallback itself",
        lambda doc: set_model_fallbacks(doc, "acme", "m", ["acme/m"]),
        "fallbacks-invalid",
        "Invalid fallback model(s): acme/m.",
    ),
    (
        "fallback unknown",
        lambda doc: set_model_fallbacks(doc, "acme", "m", ["x/y", "beta/b", "z/w"]),
        "fallbacks-invalid",
        "x/y, z/w.",
    ),
    (
        "fallback by alias",
        lambda doc: set_model_fallbacks(doc, "beta", "b", ["acme/en"]),
        "fallbacks-invalid",
        "acme/en",
    ),
    ("alias id", lambda doc: upsert_alias(doc, "a/b", targets=[{"ref": "x"}]), "alias-id", "a/b"),
    ("alias strategy", lambda doc: upsert_alias(doc, "fast", strategy="dice"), "strategy", "round-robin"),
    ("alias targets", lambda doc: upsert_alias(doc, "fast", targets=[]), "alias-targets", "required"),
    ("no alias", lambda doc: remove_alias(doc, "nope"), "alias-not-found", "default, fast, outer"),
    ("rename no alias", lambda doc: rename_alias(doc, "nope", "x"), "alias-not-found", "nope"),
    ("rename default", lambda doc: rename_alias(doc, "default", "x"), "alias-default", "default"),
    ("rename into default", lambda doc: rename_alias(doc, "fast", "default"), "alias-default", "default"),
    ("rename alias taken", lambda doc: rename_alias(doc, "fast", "outer"), "alias-exists", "outer"),
    ("rename alias bad", lambda doc: rename_alias(doc, "fast", "a b"), "alias-id", "a b"),
    ("default unknown", lambda doc: set_default_model(doc, "acme/nope"), "default-unknown", "acme/nope"),
    ("default itself", lambda doc: set_default_model(doc, "default"), "default-unknown", "default"),
    (
        "no bucket",
        lambda doc: remove_rate_limit(doc, "acme", "x"),
        "bucket-not-found",
        "Rate-limit bucket 'x' not found on provider 'acme'.",
    ),
    ("bucket id", lambda doc: set_rate_limits(doc, "acme", [{"requests": 1}]), "bucket-id", "required"),
    ("empty key", lambda doc: set_master_key(doc, ""), "master-key", "required"),
]


@pytest.mark.parametrize(("what", "make", "code", "words"), WRONG, ids=[row[0] for row in WRONG])
def test_an_edit_that_cannot_be_made(what: str, make: Callable[[Any], Edit], code: str, words: str) -> None:
    doc = base()
    with pytest.raises(EditError) as caught:
        make(doc)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert doc == BASE


def test_aliases_that_are_no_object_are_not_overwritten() -> None:
    with pytest.raises(EditError):
        upsert_alias({"modelAliases": [1]}, "a", targets=[{"ref": "x/y"}])


# Which errors block.


def test_only_errors_that_the_edit_adds_block_it() -> None:
    stale = base()
    stale["modelAliases"]["fast"]["targets"].append("acme/stale")
    before = parse_config(stale, {})
    assert before.errors
    limits: Any = [{"id": "x", "models": ["m"], "requests": 1, "window": {"unit": "day", "size": 1}}]
    assert introduced(before, parse_config(done(set_rate_limits(stale, "acme", limits)), {})) == ()
    targets: Any = [{"ref": "acme/stale"}, {"ref": "acme/other"}]
    after = parse_config(done(upsert_alias(stale, "fast", targets=targets)), {})
    assert [issue.message for issue in introduced(before, after)] == [
        "alias fast targets[1] references unknown model 'acme/other'"
    ]


def test_an_old_error_that_names_the_new_id_is_no_new_one() -> None:
    stale = base()
    stale["modelAliases"]["fast"] |= {"strategy": "dice", "targets": ["acme/stale"]}
    before = parse_config(stale, {})
    for made in (rename_alias(stale, "fast", "quick"), rename_provider(stale, "acme", "a2")):
        after = parse_config(done(made), {})
        assert introduced(before, after, renamed=True) == ()
        assert introduced(before, after) != ()
    worse = parse_config(
        done(rename_alias({**stale, "modelAliases": {**stale["modelAliases"], "/": {}}}, "fast", "q")), {}
    )
    assert [issue.code for issue in introduced(before, worse, renamed=True)] == ["alias-id"]


def test_an_old_error_that_moves_up_a_list_is_no_new_one() -> None:
    stale = base()
    stale["modelAliases"]["fast"]["targets"] = ["acme/n", "acme/stale"]
    before = parse_config(stale, {})
    after = parse_config(done(remove_model(stale, "acme", "n")), {})
    assert introduced(before, after) == ()


def test_the_same_error_twice_as_often_is_a_new_one() -> None:
    one, two = (
        parse_config({"providers": [7, {"id": "9"}]}, {}),
        parse_config({"providers": [{"id": "9"}, {"id": "9"}]}, {}),
    )
    assert len(introduced(one, two)) == len(two.errors) - len(one.errors)
