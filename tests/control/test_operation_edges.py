"""Files that are missing, blank, old, or no config; and what stands beside the table of operations."""

import json
from pathlib import Path
from typing import Any

import pytest

from llr.control.diff import masked_diff
from llr.control.operations import OPERATIONS, find, names
from tests.control.desk import Desk, alias, doc, provider
from tests.control.operation_calls import GOOD, SAVING


def test_a_missing_file_is_an_empty_config(desk: Desk) -> None:
    desk.file.unlink()
    for name in ("list", "validate", "snapshot", "tool-status", "history"):
        assert desk.run(name)[0] == 0, name
    assert "| Exists                | No" in desk.run("validate")[1]
    assert desk.json("list")["data"]["exists"] is False
    assert not desk.file.exists()
    assert desk.json("migrate-config")["error"]["code"] == "config-not-found"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_blank_file_is_an_empty_config(desk: Desk, text: str) -> None:
    desk.file.write_text(text)
    assert desk.run("validate")[0] == 0
    assert desk.run("set-master-key", "--master-key=gw_0123456789")[0] == 0
    assert desk.doc["masterKey"] == "gw_0123456789"


@pytest.mark.parametrize("text", ["[]", "7", '"x"', "null"])
@pytest.mark.parametrize("name", [*SAVING, "list", "snapshot"])
def test_json_that_is_no_object_is_left_alone(desk: Desk, name: str, text: str) -> None:
    if name in ("master-key", "master-key-made") and text == "null":
        return  # null is what an empty document may be written as
    desk.file.write_text(text)
    code, out, err = desk.run(*GOOD[name].line)
    assert code == 2, out + err
    assert desk.file.read_text() == text


def test_an_old_file_is_brought_forward_by_the_first_save(desk: Desk) -> None:
    desk.put({"version": 1, "providers": [provider(doc(), "beta")], "defaultModel": "beta/one"})
    _, out, _ = desk.run("set-master-key", "--master-key=gw_0123456789", "--dry-run")
    assert '-  "version": 1,' in out
    assert '+  "version": 2,' in out
    desk.run("set-master-key", "--master-key=gw_0123456789")
    assert (desk.doc["version"], alias(desk.doc, "default")["targets"]) == (2, [{"ref": "beta/one"}])


def test_a_folder_is_no_config(desk: Desk) -> None:
    desk.file.unlink()
    desk.file.mkdir()
    body = desk.json("list")
    assert (body["exitCode"], body["error"]["code"]) == (1, "os-error")


def test_old_errors_do_not_block_other_edits(desk: Desk) -> None:
    broken = {**doc(), "modelAliases": {"stale": {"targets": [{"ref": "gone/model"}, {"ref": "also/gone"}]}}}
    desk.put(broken)
    assert desk.run("set-model-fallbacks", "--provider-id=acme", "--model=small", "--fallbacks=beta/one")[0] == 0
    assert desk.run("upsert-model-alias", "--alias-id=stale", "--strategy=auto")[0] == 0
    worse = desk.json("upsert-model-alias", "--alias-id=stale", "--targets=gone/model,also/gone,third/gone")
    assert worse["error"]["code"] == "invalid-config"
    assert "third/gone" in worse["error"]["message"]
    assert "gone/model" not in worse["error"]["message"]


def test_an_edit_that_changes_nothing_leaves_the_bytes(desk: Desk) -> None:
    desk.file.write_text(json.dumps(doc(), indent=7))
    before = desk.file.read_bytes()
    body = desk.json("upsert-model-alias", "--alias-id=fast", "--strategy=ordered")
    assert (body["data"]["changed"], desk.file.read_bytes()) == (False, before)
    assert (
        "The file would stay as it is."
        in desk.run("upsert-model-alias", "--alias-id=fast", "--strategy=ordered", "--dry-run")[1]
    )


def test_camel_case_and_spaced_values(desk: Desk) -> None:
    assert desk.run("rename-provider", "--providerId", "acme", "--newId", "a2")[0] == 0
    assert desk.run("rename-provider", "--providerId=beta", "--provider-id=a2", "--new-id=a3")[0] == 0
    assert [one["id"] for one in desk.doc["providers"]] == ["a3", "beta"]


def test_an_empty_value_counts_as_absent(desk: Desk) -> None:
    assert desk.json("remove-provider", "--provider-id=")["error"]["code"] == "missing-flag"
    assert desk.run("upsert-model-alias", "--alias-id=fast", "--strategy=")[0] == 0
    assert desk.run("upsert-model-alias", "--alias-id=fast", "--fallback-targets=")[0] == 0
    assert alias(desk.doc, "fast")["fallbackTargets"] == []


def test_a_bucket_keeps_its_id_under_a_new_name(desk: Desk) -> None:
    line = ("set-provider-rate-limits", "--provider-id=acme", "--bucket-id=burst", "--models=big", "--requests=5")
    desk.run(*line, "--window=minute:1", "--bucket-name=New Name")
    bucket = provider(desk.doc, "acme")["rateLimits"][0]
    assert (bucket["id"], bucket["name"]) == ("burst", "New Name")


def test_a_second_provider_gets_an_id_of_its_own(desk: Desk) -> None:
    line = ("upsert-provider", "--endpoints=https://x.example", "--api-key=k-123456789", "--models=m", "--skip-probe")
    desk.run(*line, "--name=Acme!")
    assert [one["id"] for one in desk.doc["providers"]] == ["acme", "beta", "acme-2"]


def test_several_endpoints_with_their_formats(desk: Desk) -> None:
    line = ("upsert-provider", "--name=Two", "--api-key=k-123456789", "--models=m", "--skip-probe")
    done = desk.run(*line, "--endpoints=https://x.example,https://y.example", "--claude-base-url=https://y.example")
    assert done[0] == 0
    assert provider(desk.doc, "two")["baseUrlByFormat"] == {"claude": "https://y.example/"}


def test_a_new_address_replaces_the_old_ones(desk: Desk) -> None:
    found = doc()
    found["providers"][0]["baseUrlByFormat"] = {"openai": "https://old.example/v1"}
    desk.put(found)
    desk.run("upsert-provider", "--provider-id=acme", "--endpoints=https://new.example/v1", "--skip-probe")
    saved = provider(desk.doc, "acme")
    assert (saved["baseUrl"], saved.get("baseUrlByFormat")) == ("https://new.example/v1", None)
    desk.run("upsert-provider", "--provider-id=acme", "--claude-base-url=https://c.example", "--skip-probe")
    desk.run("upsert-provider", "--provider-id=acme", "--openai-base-url=https://o.example/v1", "--skip-probe")
    urls = {"claude": "https://c.example/", "openai": "https://o.example/v1"}
    assert provider(desk.doc, "acme")["baseUrlByFormat"] == urls


def test_the_table_has_one_row_per_name() -> None:
    assert len(names()) == len(set(names()))
    for name in names():
        assert find(name) is not None
    assert all(row.work() is not None for row in OPERATIONS.values())


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, {"a": 1}, ["--- /dev/null", "+++ f", "@@ -0,0 +1,3 @@", "+{", '+  "a": 1', "+}"]),
        ({"a": 1}, {"a": 1}, []),
        (
            {"apiKey": "same-mask-1-zzzz"},
            {"apiKey": "same-mask-2-zzzz"},
            ['+  "apiKey": "same...zzzz (another value)"'],
        ),
        (
            {"l": [{"apiKey": "k1"}]},
            {"l": [{"apiKey": "k2"}, {"apiKey": "k3"}]},
            ['+      "apiKey": "** (another value)"'],
        ),
    ],
)
def test_diff(before: dict[str, Any] | None, after: dict[str, Any], lines: list[str]) -> None:
    found = masked_diff(before, after, "f").splitlines()
    assert found == lines if before is None or before == after else set(lines) <= set(found)


def test_a_link_is_followed(desk: Desk, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(desk.file)
    linked = Desk(link, desk.capsys)
    assert linked.run("set-default-model", "--model=fast")[0] == 0
    assert link.is_symlink()
    assert desk.doc["defaultModel"] == "fast"


@pytest.mark.parametrize(("flags", "count"), [((), 1), (("--create-backup=false",), 0), (("--backup=no",), 0)])
def test_a_migration_keeps_the_old_bytes_unless_told_not_to(desk: Desk, flags: tuple[str, ...], count: int) -> None:
    desk.put({"version": 1, "providers": []})
    old = desk.file.read_bytes()
    data = desk.json("migrate-config", *flags)["data"]
    kept = [path for path in desk.file.parent.iterdir() if ".bak." in path.name]
    assert [path.read_bytes() for path in kept] == [old] * count
    assert data["backupFile"] == (str(kept[0]) if kept else None)


def test_renaming_goes_on_beside_old_errors(desk: Desk) -> None:
    stale = doc()
    stale["modelAliases"]["fast"] |= {"strategy": "dice", "targets": ["acme/gone", "acme/big"]}
    desk.put(stale)
    assert desk.run("rename-model-alias", "--alias-id=fast", "--new-id=quick")[0] == 0
    assert desk.run("rename-provider", "--provider-id=acme", "--new-id=a2")[0] == 0
    assert alias(desk.doc, "quick")["targets"] == ["a2/gone", "a2/big"]


@pytest.mark.parametrize("version", [1, 2])
def test_who_saves_hears_of_keys_that_are_written_twice(desk: Desk, version: int) -> None:
    text = json.dumps({"version": version, **{key: item for key, item in doc().items() if key != "version"}})
    desk.file.write_text(text[:-1] + ', "note": 1, "note": 2}')
    said = "the key note is written twice in one object, the last one counts"
    assert said in desk.run("validate")[1]
    assert said in desk.run("set-master-key", "--master-key=gw_my-own-key-0123456789", "--dry-run", "--json")[1]
    assert said in desk.run("set-master-key", "--master-key=gw_my-own-key-0123456789")[1]
    assert desk.doc["note"] == 2
    assert said not in desk.run("set-master-key", "--master-key=gw_my-own-key-9876543210")[1]


def test_an_ollama_is_changed_without_an_address_or_a_key(desk: Desk) -> None:
    desk.put({**doc(), "providers": [*doc()["providers"], {"id": "local", "type": "ollama", "models": ["qwen3"]}]})
    assert desk.run("upsert-provider", "--provider-id=local", "--name=Local", "--skip-probe")[0] == 0
    assert provider(desk.doc, "local")["name"] == "Local"
    assert "baseUrl" not in provider(desk.doc, "local")


@pytest.mark.parametrize("broken", ["{ broken", "[1]", '{"a":1'])
def test_undo_brings_a_config_back_over_what_is_none(desk: Desk, broken: str) -> None:
    first = desk.file.read_bytes()
    desk.run("set-default-model", "--model=acme/small")
    desk.file.write_text(broken)
    code, out, _ = desk.run("undo", "--dry-run")
    assert (code, desk.file.read_text()) == (0, broken)
    assert '+  "version": 2' in out
    assert desk.json("undo", "--if-match=x")["error"]["code"] == "config-changed"
    code, out, _ = desk.run("undo")
    assert (code, desk.file.read_bytes()) == (0, first)
    assert "(the file was no config; it is kept as a backup)" in out
    kept = desk.json("history")["data"]["backups"]
    assert Path(kept[0]["file"]).read_text() == broken
    assert desk.run("undo")[0] == 0, "the broken one is passed over"
    assert desk.json("validate")["data"]["valid"]


def test_undo_without_a_backup_that_is_a_config(desk: Desk) -> None:
    desk.file.with_name(f"{desk.file.name}.bak.20260101-000000-1").write_text("{")
    assert desk.json("undo")["error"]["message"] == "No backup is a config."
    assert desk.run("undo", "--to=1")[0] == 2
