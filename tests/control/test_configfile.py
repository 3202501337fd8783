"""The config file on disk: loading, migration, saving, backups, conflicts."""

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llr.config.settings import settings
from llr.control.configfile import (
    ABSENT,
    ConfigChanged,
    ConfigRootError,
    ConfigSyntaxError,
    backups,
    edit,
    etag,
    load,
    resolve_path,
    restore,
    save,
)
from llr.control.disk import SystemDisk

ACME: dict[str, Any] = {"id": "acme", "baseUrl": "https://x.example", "apiKey": "k", "models": ["m"]}
V1 = {"defaultModel": "acme/m", "providers": [ACME]}
CA_FILES = {"near": "ca.pem", "far": "/etc/ca.pem", "home": "~/ca.pem"}
NOON = 1_772_280_000.0  # 2026-02-28 12:00:00 UTC


class ReadOnly(SystemDisk):
    """A disk that cannot be written to."""

    def write_new(self, path: str, data: bytes) -> None:
        raise OSError(30, "Read-only file system", path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if not entry.name.endswith(".lock")}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Loading.


def test_a_missing_file_is_an_empty_config_and_stays_missing(path: Path) -> None:
    found = load(str(path), env={})
    assert (found.exists, found.etag, found.migrated, found.persist_error) == (False, ABSENT, False, None)
    assert found.parsed.issues == ()
    assert found.parsed.config is not None
    assert found.parsed.config.version == 2
    assert [alias.targets for alias in found.parsed.config.aliases.values()] == [()]
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf"])
def test_a_blank_file_is_an_empty_config_and_is_not_written(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    found = load(str(path), env={})
    assert found.exists
    assert found.doc == {}
    assert not found.migrated
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"123", b"[]", b"null", b'"x"', b"true"])
def test_a_root_that_is_no_object_is_fatal_and_never_overwritten(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    found = load(str(path), env={})
    assert found.parsed.config is None
    assert "root must be a JSON object" in found.parsed.issues[0].message
    with pytest.raises(ConfigRootError, match="must be a JSON object"):
        edit(str(path), lambda doc: {**doc, "x": 1})
    with pytest.raises(ConfigRootError):
        save(str(path), {"x": 1})
    assert path.read_bytes() == data
    assert names(path.parent) == {"config.json"}


def test_a_syntax_error_has_line_and_column_and_nothing_is_written(path: Path) -> None:
    path.write_bytes(b'{\n  "a": 1,,\n}')
    with pytest.raises(ConfigSyntaxError) as caught:
        load(str(path), env={})
    assert (caught.value.line, caught.value.column) == (2, 10)
    assert f"{path}:2:10:" in str(caught.value)
    with pytest.raises(ConfigSyntaxError):
        edit(str(path), lambda doc: doc)
    assert path.read_bytes() == b'{\n  "a": 1,,\n}'


def test_who_names_exactly_the_broken_file_may_replace_it(path: Path) -> None:
    path.write_bytes(b"{broken")
    save(str(path), {"version": 2}, if_match=etag(b"{broken"))
    assert json.loads(path.read_bytes()) == {"version": 2}
    assert Path(backups(str(path))[0]).read_bytes() == b"{broken"


def test_a_byte_order_mark_is_accepted(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"version": 2, "masterKey": "k"}')
    assert load(str(path), env={}).doc["masterKey"] == "k"


def test_keys_written_twice_are_reported(path: Path) -> None:
    path.write_bytes(b'{"version": 2, "masterKey": "a", "masterKey": "b"}')
    found = load(str(path), env={})
    assert [issue.code for issue in found.parsed.issues] == ["duplicate-key"]


def test_an_old_file_is_brought_forward_once(path: Path) -> None:
    path.write_text(json.dumps(V1))
    first = load(str(path), env={})
    assert (first.migrated, first.before_version, first.persist_error) == (True, 1, None)
    doc = json.loads(path.read_text())
    assert doc["version"] == 2
    assert doc["modelAliases"] == {
        "default": {"id": "default", "strategy": "ordered", "targets": [{"ref": "acme/m"}], "fallbackTargets": []}
    }
    assert [one["rateLimits"] for one in doc["providers"]] == [[]]
    assert first.etag == etag(path.read_bytes())
    before = path.read_bytes()
    second = load(str(path), env={})
    assert not second.migrated
    assert second.doc == first.doc == doc
    assert path.read_bytes() == before


def test_an_explicit_version_one_with_aliases_becomes_two(path: Path) -> None:
    path.write_text(json.dumps({"version": 1, "modelAliases": {"a": {"targets": []}}}))
    load(str(path), env={})
    assert json.loads(path.read_text())["version"] == 2


@pytest.mark.parametrize("doc", [{"version": 3}, {"version": 2, "zzz": 1}, {"modelAliases": {"a": {"targets": []}}}])
def test_a_file_that_is_not_old_is_not_written(path: Path, doc: dict[str, Any]) -> None:
    text = json.dumps(doc, indent=7)
    path.write_text(text)
    assert not load(str(path), env={}).migrated
    assert path.read_text() == text


def test_reading_deletes_nothing(path: Path) -> None:
    doc = {
        "zzz": {"kept": True},
        "providers": [{**ACME, "x": 1}, {"id": "off", "enabled": False, "models": ["a"]}],
        "modelAliases": {},
    }
    path.write_text(json.dumps(doc))
    load(str(path), env={})
    found = json.loads(path.read_text())
    assert found["zzz"] == {"kept": True}
    assert found["providers"][0]["x"] == 1
    assert found["providers"][1]["enabled"] is False


@pytest.mark.parametrize("version", [1, 2])
def test_files_that_the_config_names_are_looked_for_from_its_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    own: dict[str, Any] = {"state": {"path": "state.json"}, "carrierKeyFile": "keys/carrier"}
    own["routing"] = {"stateFilePath": "../other.json"}
    providers = [{**ACME, "id": name, "metadata": {"llr": {"caFile": ca}}} for name, ca in CA_FILES.items()]
    path.write_text(json.dumps({"version": version, "providers": providers, "metadata": {"llr": own}}))
    monkeypatch.setenv("HOME", "/home/someone")
    loaded = load(str(path), env={})
    config, folder = loaded.parsed.config, path.parent
    assert config is not None
    assert config.state["path"] == str(folder / "state.json")
    assert settings(config, {}).state_path == str(folder / "../other.json")
    assert settings(config, {"LLM_ROUTER_STATE_FILE_PATH": "here.json"}).state_path == "here.json"
    assert config.carrier_key_file == str(folder / "keys/carrier")
    assert [one.ca_file for one in config.providers] == [str(folder / "ca.pem"), "/etc/ca.pem", "/home/someone/ca.pem"]
    # The file itself keeps what its owner wrote.
    assert json.loads(path.read_text())["metadata"]["llr"]["state"] == {"path": "state.json"}


def test_a_read_only_old_file_serves_and_says_so(path: Path) -> None:
    path.write_text(json.dumps(V1))
    found = load(str(path), env={}, disk=ReadOnly())
    assert found.persist_error is not None
    assert "Read-only file system" in found.persist_error
    assert found.parsed.config is not None
    assert found.parsed.config.version == 2
    assert found.migrated
    assert json.loads(path.read_text()) == V1
    assert found.etag == etag(path.read_bytes())


def test_a_file_marked_read_only_is_not_replaced(path: Path) -> None:
    """A rename needs no right on the file itself, so the mark has to be asked for; it counts for root too."""
    path.write_text(json.dumps(V1))
    path.chmod(0o444)
    found = load(str(path), env={})
    assert found.persist_error == f"{path}: Permission denied: the file is read-only"
    assert found.parsed.config is not None
    with pytest.raises(PermissionError):
        save(str(path), {"version": 2})
    with pytest.raises(PermissionError):
        edit(str(path), lambda doc: {**doc, "x": 1})
    assert json.loads(path.read_text()) == V1
    assert mode(path) == 0o444
    assert names(path.parent) == {path.name}


def test_an_edit_of_nothing_leaves_a_read_only_file_read_only(path: Path) -> None:
    path.write_text('{"version": 2}')
    path.chmod(0o444)
    edit(str(path), lambda doc: doc)
    assert mode(path) == 0o400


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_neither_waited_for_nor_replaced(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = os.stat(path).st_mode
    for use in (lambda: load(str(path), env={}), lambda: edit(str(path), lambda doc: {**doc, "x": 1})):
        with pytest.raises(OSError, match=r"Is a directory|Not a regular file"):
            use()
    assert os.stat(path).st_mode == before


def test_a_device_is_no_config() -> None:
    with pytest.raises(OSError, match="Not a regular file"):
        load("/dev/null", env={})


def test_without_persist_nothing_is_written(path: Path) -> None:
    path.write_text(json.dumps(V1))
    found = load(str(path), env={}, persist=False)
    assert found.migrated
    assert found.doc["version"] == 2
    assert json.loads(path.read_text()) == V1


def test_a_file_changed_while_it_is_brought_forward_is_read_again(path: Path) -> None:
    class Busy(SystemDisk):
        reads = 0

        def read(self, name: str) -> bytes:
            self.reads += 1
            data = super().read(name)
            if self.reads == 1:
                path.write_text('{"version": 2, "masterKey": "other"}')
            return data

    path.write_text(json.dumps(V1))
    assert load(str(path), env={}, disk=Busy()).doc["masterKey"] == "other"
    assert json.loads(path.read_text())["masterKey"] == "other"


def test_variables_are_asked_of_the_given_environment(path: Path) -> None:
    provider = {"id": "acme", "baseUrl": "https://x.example", "format": "openai", "apiKeyEnv": "K", "models": ["m"]}
    path.write_text(json.dumps({"version": 2, "providers": [provider]}))
    assert [issue.code for issue in load(str(path), env={}).parsed.issues] == ["env-unset"]
    assert load(str(path), env={"K": "v"}).parsed.issues == ()


def test_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    home = os.path.realpath(tmp_path)
    assert resolve_path(None) == os.path.join(home, ".llm-router.json")
    assert resolve_path("") == resolve_path(None)
    assert resolve_path("~/ü x.json") == os.path.join(home, "ü x.json")


# Saving.


def test_a_save_writes_the_document_and_restricts_it(path: Path) -> None:
    tag = save(str(path), {"ü": "日本", "n": 1})
    assert path.read_text(encoding="utf-8") == '{\n  "ü": "日本",\n  "n": 1\n}\n'
    assert mode(path) == 0o600
    assert tag == etag(path.read_bytes()) == load(str(path), env={}, persist=False).etag
    assert names(path.parent) == {"config.json"}
    assert mode(path.parent / "config.json.lock") == 0o600


def test_a_save_makes_missing_folders(tmp_path: Path) -> None:
    save(str(tmp_path / "a" / "b c" / "config.json"), {})
    assert (tmp_path / "a" / "b c" / "config.json").exists()


def test_a_save_tightens_a_wide_mode_even_without_a_change(path: Path) -> None:
    save(str(path), {"n": 1})
    path.chmod(0o644)
    save(str(path), {"n": 1})
    assert mode(path) == 0o600
    assert backups(str(path)) == []


def test_the_old_bytes_are_kept_before_every_save(path: Path) -> None:
    old = b'{"version":2,  "odd":   "spacing"}'
    path.write_bytes(old)
    path.chmod(0o644)
    save(str(path), {"n": 1}, now=lambda: NOON)
    save(str(path), {"n": 2}, now=lambda: NOON)
    save(str(path), {"n": 3}, now=lambda: NOON + 1)
    stamps = ["20260228-120001-1", "20260228-120000-2", "20260228-120000-1"]
    assert backups(str(path)) == [f"{os.path.realpath(path)}.bak.{stamp}" for stamp in stamps]
    assert Path(backups(str(path))[-1]).read_bytes() == old
    assert {mode(Path(name)) for name in backups(str(path))} == {0o600}


def test_the_newest_twenty_backups_are_kept(path: Path) -> None:
    other = path.parent / "config.json.bak.20200101-000000"
    other.write_text("made by hand")
    for n in range(25):
        save(str(path), {"n": n}, now=lambda: NOON)
    kept = backups(str(path))
    assert len(kept) == 20
    assert [json.loads(Path(name).read_text())["n"] for name in kept] == list(range(23, 3, -1))
    assert other.exists()


def test_a_symlink_is_written_through(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "c.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_text("{}")
    link.symlink_to(real)
    save(str(link), {"n": 1})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"n": 1}
    assert names(tmp_path) == {"real", "link.json"}
    assert len(backups(str(link))) == 1


def test_a_dangling_symlink_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "later.json")
    assert not load(str(tmp_path / "link.json"), env={}).exists
    save(str(tmp_path / "link.json"), {"n": 1})
    assert (tmp_path / "later.json").exists()
    assert (tmp_path / "link.json").is_symlink()


def test_a_save_over_another_version_is_refused(path: Path) -> None:
    tag = save(str(path), {"n": 1})
    other = save(str(path), {"n": 2})
    before = names(path.parent)
    with pytest.raises(ConfigChanged, match="config changed on disk") as caught:
        save(str(path), {"n": 3}, if_match=tag)
    assert (caught.value.expected, caught.value.actual) == (tag, other)
    assert json.loads(path.read_text()) == {"n": 2}
    assert names(path.parent) == before
    with pytest.raises(ConfigChanged):
        save(str(path), {"n": 3}, if_match=ABSENT)
    save(str(path), {"n": 3}, if_match=other)


def test_absent_means_that_no_file_may_be_there(path: Path) -> None:
    save(str(path), {"n": 1}, if_match=ABSENT)
    path.unlink()
    with pytest.raises(ConfigChanged):
        save(str(path), {"n": 1}, if_match=etag(b"x"))


# Editing.


def test_an_edit_sees_the_file_as_it_is_now(path: Path) -> None:
    save(str(path), {"version": 2, "a": 1})
    tag = edit(str(path), lambda doc: {**doc, "b": 2})
    assert json.loads(path.read_text()) == {"version": 2, "a": 1, "b": 2}
    assert tag == etag(path.read_bytes())


def test_an_edit_starts_a_missing_file(path: Path) -> None:
    edit(str(path), lambda doc: {**doc, "masterKey": "k"})
    doc = json.loads(path.read_text())
    assert (doc["version"], doc["masterKey"]) == (2, "k")


def test_an_edit_brings_an_old_file_forward(path: Path) -> None:
    path.write_text(json.dumps(V1))
    edit(str(path), lambda doc: doc)
    assert json.loads(path.read_text())["version"] == 2


class Overtaken(SystemDisk):
    """While the first `times` saves are flushed, an editor that knows no lock writes the file."""

    def __init__(self, file: Path, times: int) -> None:
        self.file, self.times = file, times

    def write_new(self, path: str, data: bytes) -> None:
        super().write_new(path, data)
        if ".tmp-" in path and self.times:
            self.times -= 1
            self.file.write_text(json.dumps({"version": 2, "theirs": self.times}))


@pytest.mark.parametrize("times", [1, 3])
def test_what_an_editor_saves_during_an_edit_is_not_lost(path: Path, times: int) -> None:
    path.write_text('{"version": 2, "theirs": "old"}')
    edit(str(path), lambda doc: {**doc, "ours": True}, disk=Overtaken(path, times))
    assert json.loads(path.read_text()) == {"version": 2, "theirs": 0, "ours": True}
    assert not [name for name in names(path.parent) if ".tmp-" in name]


def test_whoever_saves_a_whole_document_is_told_of_the_editor(path: Path) -> None:
    path.write_text('{"version": 2, "theirs": "old"}')
    for tag in (None, etag(path.read_bytes())):
        path.write_text('{"version": 2, "theirs": "old"}')
        with pytest.raises(ConfigChanged):
            save(str(path), {"version": 2}, if_match=tag, disk=Overtaken(path, 1))
        with pytest.raises(ConfigChanged):
            edit(str(path), lambda doc: {**doc, "x": 1}, if_match=tag, disk=Overtaken(path, 9 if tag is None else 1))
        assert json.loads(path.read_text())["theirs"] != "old"


def test_an_edit_that_raises_writes_nothing(path: Path) -> None:
    path.write_text('{"version": 2}')

    def refuse(doc: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("no")

    with pytest.raises(KeyError):
        edit(str(path), refuse)
    assert path.read_text() == '{"version": 2}'
    edit(str(path), lambda doc: {**doc, "then": "it works"})


def test_an_edit_that_changes_nothing_leaves_the_text_alone(path: Path) -> None:
    text = '{"version":2,\n\n   "odd": "spacing"}'
    path.write_text(text)
    path.chmod(0o644)
    assert edit(str(path), lambda doc: doc) == etag(text.encode())
    assert path.read_text() == text
    assert backups(str(path)) == []
    assert mode(path) == 0o600


def test_a_backup_is_put_back_as_it_was(path: Path) -> None:
    text = b'{"version":2,   "odd": "spacing"}'
    path.write_bytes(text)
    tag = edit(str(path), lambda doc: {**doc, "masterKey": "k"})
    changed = path.read_bytes()
    assert restore(str(path), backups(str(path))[0], if_match=tag) == etag(text)
    assert path.read_bytes() == text
    assert Path(backups(str(path))[0]).read_bytes() == changed
    with pytest.raises(ConfigChanged):
        restore(str(path), backups(str(path))[0], if_match=tag)


def test_what_is_no_config_is_not_put_back(path: Path) -> None:
    path.write_bytes(b"[]")
    save(str(path), {"version": 2}, if_match=etag(b"[]"))
    with pytest.raises(ConfigRootError):
        restore(str(path), backups(str(path))[0])
    assert json.loads(path.read_bytes()) == {"version": 2}


def test_a_broken_file_can_be_undone(path: Path) -> None:
    save(str(path), {"version": 2})
    save(str(path), {"version": 2, "n": 1})
    path.write_bytes(b"{broken")
    restore(str(path), backups(str(path))[0])
    assert json.loads(path.read_bytes()) == {"version": 2}


def test_numbers_unknown_keys_and_order_survive_an_edit(path: Path) -> None:
    numbers = '"n": 1.0,\n    "e": 1e3,\n    "big": 12345678901234567890123'
    text = f'{{\n  "version": 2,\n  "zzz": {{\n    {numbers}\n  }},\n  "a": "\u00fc"\n}}\n'
    path.write_text(text, encoding="utf-8")
    edit(str(path), lambda doc: {**doc, "masterKey": "k"})
    assert path.read_text(encoding="utf-8") == text.replace('"a": "\u00fc"\n', '"a": "\u00fc",\n  "masterKey": "k"\n')


# What a failing or dying writer leaves.


class Killed(BaseException):
    """The process is gone: nothing after this runs, not even cleanup."""


class Dying(SystemDisk):
    """Works until operation number `last`, then fails there and, when `killed`, ever after.

    `half` leaves half of the bytes when it is a write that fails.
    """

    def __init__(self, last: int, *, killed: bool, half: bool) -> None:
        self.left, self.killed, self.half, self.dead = last, killed, half, False

    def _step(self, half: Callable[[], None] | None = None) -> None:
        if self.dead:
            raise Killed
        if self.left:
            self.left -= 1
            return
        self.left = 10**9
        if half is not None and self.half:
            half()
        if self.killed:
            self.dead = True
            raise Killed
        raise OSError(28, "No space left on device")

    def write_new(self, path: str, data: bytes) -> None:
        self._step(lambda: SystemDisk.write_new(self, path, data[: len(data) // 2]))
        super().write_new(path, data)

    def replace(self, source: str, target: str) -> None:
        self._step()
        super().replace(source, target)

    def flush_folder(self, folder: str) -> None:
        self._step()
        super().flush_folder(folder)

    def remove(self, path: str) -> None:
        self._step()
        super().remove(path)

    def names(self, folder: str) -> list[str]:
        self._step()
        return super().names(folder)

    def read(self, path: str) -> bytes:
        self._step()
        return super().read(path)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("killed", [False, True])
def test_whatever_fails_the_file_is_one_of_the_two_versions(path: Path, killed: bool, half: bool) -> None:
    failures = 0
    for last in range(20):
        for name in path.parent.iterdir():
            name.unlink()
        for n in range(21):
            save(str(path), {"n": n}, now=lambda: NOON)
        old = path.read_bytes()
        try:
            save(str(path), {"new": "x" * 5000}, disk=Dying(last, killed=killed, half=half))
        except (OSError, Killed):
            failures += 1
        data = path.read_bytes()
        assert data == old or json.loads(data) == {"new": "x" * 5000}
        assert all(json.loads(Path(name).read_bytes()) for name in backups(str(path)))
        save(str(path), {"after": last})
        assert [name for name in names(path.parent) if "tmp-" in name] == []
        assert json.loads(path.read_bytes()) == {"after": last}
    assert failures >= 7, "the failures were not where the steps are"


def test_a_failed_save_leaves_no_temporary_file(path: Path) -> None:
    save(str(path), {"n": 1})
    with pytest.raises(OSError, match="Read-only"):
        save(str(path), {"n": 2}, disk=ReadOnly())
    assert names(path.parent) == {"config.json"}


def test_a_full_disk_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(json.dumps({"version": 2}))
    before = path.read_bytes()

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(str(path), {"version": 2, "defaultModel": "x"})
    assert names(path.parent) == {path.name}
    assert path.read_bytes() == before
