"""Every file people have: wired, looked at, renamed, unwired, and then the same bytes and mode as before."""

import json
import tomllib
from typing import Any

import pytest

from llr.tools import claude_code, codex, factory_droid, jsontext
from llr.tools.base import BadFile, Binding, Endpoint, Found, Tool
from llr.tools.renames import Renames, rewrite
from tests.tools.corpus import CODEX, CODEX_BROKEN, JSON_BROKEN, JSON_FILES
from tests.tools.fakes import HERE, Machine, doc, routes

CASES: list[Any] = [
    *(
        pytest.param(codex.TOOL, text, {"default_model": "chat.fast"}, id=f"codex {name}")
        for name, text in CODEX.items()
    ),
    *(
        pytest.param(
            claude_code.TOOL, text, {"primary_model": "chat.fast", "thinking_level": "high"}, id=f"claude {name}"
        )
        for name, text in JSON_FILES.items()
    ),
    *(
        pytest.param(
            factory_droid.TOOL,
            text,
            {"default_model": "chat.fast", "mission_worker_model": "smart"},
            id=f"droid {name}",
        )
        for name, text in JSON_FILES.items()
    ),
]
BROKEN = [
    *(pytest.param(codex.TOOL, *row, id=f"codex {name}") for name, row in CODEX_BROKEN.items()),
    *(pytest.param(claude_code.TOOL, *row, id=f"claude {name}") for name, row in JSON_BROKEN.items()),
    *(pytest.param(factory_droid.TOOL, *row, id=f"droid {name}") for name, row in JSON_BROKEN.items()),
]


def renamed(value: dict[str, Any]) -> dict[str, Any]:
    value["modelAliases"] = {
        ("quick" if key == "chat.fast" else key): one for key, one in value["modelAliases"].items()
    }
    value["modelAliases"]["quick"]["id"] = "quick"
    return value


def machine(tool: Tool, text: str | bytes | None, mode: int = 0o640) -> Machine:
    found = Machine(tool)
    if text is not None:
        found.put(text, mode)
    return found


def others(tool: Tool, text: str) -> Any:
    """Returns what a file holds besides what wiring may touch."""
    if tool is codex.TOOL:
        found = tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
        for key in ("model", "model_provider", "model_reasoning_effort", "model_catalog_json"):
            found.pop(key, None)
        for table, key in (("model_providers", "llm-router"), ("features", "enable_request_compression")):
            found.get(table, {}).pop(key, None)
            if not found.get(table, {1: 1}):
                del found[table]
        return found
    found = jsontext.parse(text) if text.strip("\ufeff \n") else {}
    if tool is claude_code.TOOL:
        env = found.pop("env", {})
        found.pop("effortLevel", None)
        kept = env if isinstance(env, dict) else {}
        return found, {
            key: one for key, one in kept.items() if not key.startswith(("ANTHROPIC_", "CLAUDE_CODE_", "MAX_"))
        }
    for key in ("model", "missionOrchestratorModel", "missionModelSettings", "reasoningEffort"):
        found.pop(key, None)
    session = found.pop("sessionDefaultSettings", {})
    session.pop("model", None)
    mine = [one for one in found.pop("customModels", []) if not factory_droid.managed(one)]
    return found, session, mine


@pytest.mark.parametrize(("tool", "text", "binding"), CASES)
def test_there_and_back(tool: Tool, text: str | None, binding: Binding) -> None:
    box = machine(tool, text)
    before = dict(box.files)
    box.wire(binding)
    status = box.status()
    assert (status.routed, status.error, status.token_matches) == (True, "", True)
    assert {name: status.binding[name] for name in binding} == binding
    assert others(tool, box.settings) == others(tool, text or "")
    assert box.files[box.places["settings"]].mode == 0o600

    new = routes(renamed(doc()))
    moved = Endpoint("http://127.0.0.1:9000", "gw_another-key-0123456789")
    follow = {
        name: rewrite(ref, routes(), new, Renames(aliases={"chat.fast": "quick"})) or ""
        for name, ref in binding.items()
    }
    box.wire({**status.binding, **follow}, endpoint=moved, known=new, capture=False)
    after = box.status(moved)
    assert after.routed
    assert after.token_matches
    assert "quick" in after.binding.values()
    assert not box.status().routed
    assert HERE.key not in box.settings

    plan = box.unwire(moved)
    left = {path: found for path, found in box.files.items() if path != box.places["backup"]}
    assert left == before
    assert plan.restored == (text is not None)
    assert json.loads(box.backup) == {}


@pytest.mark.parametrize(("tool", "text", "binding"), CASES)
def test_an_edit_in_between_survives_and_ours_goes(tool: Tool, text: str | None, binding: Binding) -> None:
    box = machine(tool, text)
    first = others(tool, text or "")
    box.wire(binding)
    edited = box.settings
    if tool is codex.TOOL:
        box.put(edited + "\n[mine_later]\nkept = true\n", 0o600)
    else:
        box.put(jsontext.put(edited, ("mineLater",), {"kept": True}), 0o600)
    box.wire(binding, capture=False)
    box.unwire()
    assert HERE.key not in box.settings
    assert HERE.origin not in box.settings
    assert box.status().routed is False
    rest = others(tool, box.settings)
    held = rest if tool is codex.TOOL else rest[0]
    later = held.pop("mine_later" if tool is codex.TOOL else "mineLater")
    assert later == {"kept": True}
    assert rest == first
    # Old values stand again.
    old = tool.grammar.parse(text or "") if isinstance(text, str) else {}
    now = tool.grammar.parse(box.settings)
    for name in ("model", "model_provider", "effortLevel", "reasoningEffort", "missionOrchestratorModel"):
        assert now.get(name) == old.get(name)
    if tool is claude_code.TOOL and isinstance(old.get("env"), dict):
        assert now["env"] == old["env"]


@pytest.mark.parametrize(("tool", "text", "binding"), CASES)
def test_a_second_step_changes_nothing_and_never_the_backup(tool: Tool, text: str | None, binding: Binding) -> None:
    box = machine(tool, text)
    box.wire(binding)
    once = dict(box.files)
    assert box.wire(binding).edits == ()
    assert box.files == once
    backup = box.backup
    box.wire({**binding, **dict.fromkeys(tool.models, "smart")})
    box.wire(binding)
    assert box.backup == backup
    assert tool.grammar.parse(box.settings) == tool.grammar.parse(once[box.places["settings"]].data.decode())


@pytest.mark.parametrize(("tool", "text", "binding"), CASES)
def test_a_tool_that_was_never_wired_is_never_touched(tool: Tool, text: str | None, binding: Binding) -> None:
    box = machine(tool, text)
    before = dict(box.files)
    assert box.unwire().edits == ()
    assert box.files == before


@pytest.mark.parametrize(("tool", "text", "binding"), CASES)
def test_without_a_memory_the_backup_still_gives_the_old_values_back(
    tool: Tool, text: str | None, binding: Binding
) -> None:
    box = machine(tool, text)
    box.wire(binding)
    box.memory = None
    box.unwire()
    assert HERE.key not in box.settings
    assert others(tool, box.settings) == others(tool, text or "")
    old = tool.grammar.parse(text or "") if isinstance(text, str) else {}
    now = tool.grammar.parse(box.settings)
    for name in ("model", "model_provider", "effortLevel", "reasoningEffort", "missionOrchestratorModel"):
        assert now.get(name) == old.get(name)
    if tool is claude_code.TOOL and text is not None:
        assert now == old


@pytest.mark.parametrize(("tool", "text", "line", "column"), BROKEN)
def test_a_broken_file_is_refused_with_its_place_and_left_alone(
    tool: Tool, text: str | bytes, line: int, column: int
) -> None:
    box = machine(tool, text)
    before = dict(box.files)
    with pytest.raises(BadFile) as caught:
        box.wire({})
    assert caught.value.line == line
    if column:
        assert caught.value.column == column
        assert f"line {line}, column {column}" in str(caught.value)
    assert box.places["settings"] in str(caught.value)
    status = box.status()
    assert status.error == str(caught.value)
    assert not status.routed
    assert box.files == before


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        (claude_code.TOOL, '{"env": ["A=1"]}'),
        (claude_code.TOOL, '{"env": "A=1"}'),
        (factory_droid.TOOL, '{"customModels": {"mine": 1}}'),
        (factory_droid.TOOL, '{"sessionDefaultSettings": 7, "missionModelSettings": [1]}'),
    ],
)
def test_what_stood_where_an_object_belongs_comes_back_into_an_edited_file(tool: Tool, text: str) -> None:
    found = machine(tool, text)
    found.wire({next(iter(tool.flags)): "smart"})
    assert found.status().routed
    found.put(jsontext.put(found.settings, ("later",), True))
    found.unwire()
    assert jsontext.parse(found.settings) == {**jsontext.parse(text), "later": True}


def test_a_found_file_keeps_its_mode_only_when_it_comes_back() -> None:
    box = machine(claude_code.TOOL, "{}", 0o664)
    box.wire({})
    assert box.files[box.places["settings"]].mode == 0o600
    box.unwire()
    assert box.files[box.places["settings"]] == Found(b"{}", 0o664)
