"""Every operation, in this process: what it says, its exit code, and the bytes of the file before and after."""

import json

import pytest

from llr.control.operations import LATER, OPERATIONS
from tests.control.desk import KEY, MASTER, Desk
from tests.control.operation_calls import BAD, GOOD, SAVING, operation_of


@pytest.mark.parametrize("name", GOOD)
def test_good(desk: Desk, name: str) -> None:
    good = GOOD[name]
    desk.put(good.start())
    before = desk.file.read_bytes()
    code, out, err = desk.run(*good.line)
    assert (code, err) == (0, "")
    for text in good.says:
        assert text in out
    if good.changed is None:
        assert desk.file.read_bytes() == before
    else:
        assert good.changed(desk.doc), json.dumps(desk.doc, indent=1)
        assert desk.file.stat().st_mode & 0o777 == 0o600
        if "unknownKey" in good.start():
            assert desk.doc["unknownKey"] == {"kept": True}


@pytest.mark.parametrize("name", GOOD)
def test_good_as_json(desk: Desk, name: str) -> None:
    good = GOOD[name]
    desk.put(good.start())
    body = desk.json(*good.line)
    assert (body["ok"], body["operation"]) == (True, operation_of(name))
    assert set(good.keys) <= set(body["data"])
    if OPERATIONS[operation_of(name)].writes:
        assert body["data"]["changed"] is True
        assert body["data"]["dryRun"] is False
        assert body["data"]["etag"]
        assert body["data"]["changes"]


@pytest.mark.parametrize("name", SAVING)
def test_dry_run_shows_the_diff_and_writes_nothing(desk: Desk, name: str) -> None:
    good = GOOD[name]
    desk.put(good.start())
    before = desk.file.read_bytes()
    code, out, _ = desk.run(*good.line, "--dry-run")
    assert code == 0
    assert out.startswith("Nothing was written (--dry-run).\n--- ")
    assert "\n@@ " in out
    assert "\n+" in out or "\n-" in out
    body = desk.json(*good.line, "--dry-run")["data"]
    assert body["dryRun"] is True
    assert body["diff"].startswith("--- ")
    assert desk.file.read_bytes() == before
    assert [path.name for path in desk.file.parent.iterdir() if ".bak." in path.name] == []


@pytest.mark.parametrize("name", SAVING)
def test_a_wrong_tag_writes_nothing(desk: Desk, name: str) -> None:
    good = GOOD[name]
    desk.put(good.start())
    before = desk.file.read_bytes()
    for extra in ((), ("--dry-run",)):
        body = desk.json(*good.line, "--if-match=0123", *extra)
        assert (body["exitCode"], body["error"]["code"]) == (2, "config-changed")
        assert desk.file.read_bytes() == before


@pytest.mark.parametrize("name", SAVING)
def test_the_right_tag_saves(desk: Desk, name: str) -> None:
    good = GOOD[name]
    desk.put(good.start())
    tag = desk.json("validate")["data"]["etag"]
    assert desk.json(*good.line, f"--if-match={tag}")["ok"] is True


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("extra", [(), ("--json",), ("--dry-run",), ("--dry-run", "--json")], ids=" ".join)
def test_no_secret_in_any_output(desk: Desk, name: str, extra: tuple[str, ...]) -> None:
    good = GOOD[name]
    if "--dry-run" in extra and name not in SAVING:
        return
    desk.put(good.start())
    _, out, err = desk.run(*good.line, *extra)
    for secret in (KEY, MASTER, "sk-other-0123456789", "token-0123456789", "sk-demo-0123456789"):
        assert secret not in out + err
        assert secret[4:-4] not in out + err
    for own in ("gw_new-master-key-0123", "gw_my-own-key-0123456789"):
        assert own not in out + err
    assert desk.doc["masterKey"] not in out if "masterKey" in desk.doc else True


@pytest.mark.parametrize(("line", "code", "name", "message"), BAD, ids=lambda value: str(value)[:60])
def test_bad(desk: Desk, line: tuple[str, ...], code: int, name: str, message: str) -> None:
    before = desk.file.read_bytes()
    got, out, err = desk.run(*line)
    assert got == code, out + err
    assert message in " ".join(err.split())
    assert out == ""
    body = desk.json(*line)
    assert (body["ok"], body["error"]["code"]) == (False, name)
    assert desk.file.read_bytes() == before


@pytest.mark.parametrize("name", LATER)
def test_later(desk: Desk, name: str) -> None:
    code, _, err = desk.run(name)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "not in this build yet" in err


@pytest.mark.parametrize("name", SAVING)
def test_broken_json_is_refused_with_its_place(desk: Desk, name: str) -> None:
    desk.file.write_text('{"providers": [}')
    body = desk.json(*GOOD[name].line)
    assert (body["exitCode"], body["error"]["code"]) == (2, "bad-json")
    assert ":1:16: " in body["error"]["message"]
    assert desk.file.read_text() == '{"providers": [}'


ELSEWHERE = {f"llr.control.ops.{name}" for name in ("startup", "tools", "effort")}


def test_every_operation_is_tried() -> None:
    tried = {operation_of(name) for name in GOOD} | {line[0] for line, *_ in BAD}
    # Those that reach for other files than the config have tests of their own.
    elsewhere = {row.name for row in OPERATIONS.values() if row.target.split(":")[0] in ELSEWHERE}
    assert set(OPERATIONS) - tried - elsewhere == set()
