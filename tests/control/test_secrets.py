"""A secret in any place of the config is in no output: not in a report, not as JSON, not in a diff, not in an error."""

import json
import re
from typing import Any

import pytest

from tests.control.desk import Desk, doc
from tests.control.operation_calls import GOOD, SAVING

SECRET = re.compile(r"S3cr3tV4lue")


def secretive() -> dict[str, Any]:
    """Returns a config with a marked secret wherever the file may hold one."""
    found = doc()
    found["masterKey"] = "gw_S3cr3tV4lue_master"
    acme, beta = found["providers"]
    acme["apiKey"] = "sk-S3cr3tV4lue-acme"
    acme["headers"] = {
        "Authorization": "Bearer S3cr3tV4lue-header",
        "X-Api-Key": "S3cr3tV4lue-header-key",
        "Cookie": "a=S3cr3tV4lue",
        "X-Session-Token": "S3cr3tV4lue-token",
    }
    acme["metadata"] = {"llr": {"proxy": "http://user:S3cr3tV4lue@proxy.example:3128"}}
    acme["quotaProbe"] = {
        "enabled": True,
        "capKind": "dollars",
        "http": {
            "url": "https://q.example/usage?api_key=S3cr3tV4lue",
            "headers": [{"key": "Authorization", "value": "Bearer S3cr3tV4lue-quota"}],
        },
    }
    beta["credential"] = "S3cr3tV4lue-credential"
    beta.pop("apiKey")
    beta["baseUrl"] = "https://me:S3cr3tV4lue@beta.example"
    found["webSearch"] = {
        "providers": [{"id": "brave", "apiKey": "S3cr3tV4lue-brave"}, {"id": "exa", "key": "S3cr3tV4lue"}]
    }
    found["amp"] = {
        "upstreamUrl": "https://amp:S3cr3tV4lue@amp.example",
        "upstreamApiKey": "S3cr3tV4lue-amp",
        "webSearch": {"providers": {"tavily": {"api-key": "S3cr3tV4lue-tavily"}}},
    }
    found["metadata"] = {"llr": {"state": {"backend": "redis", "url": "redis://:S3cr3tV4lue@cache.example:6379/0"}}}
    return found


# Changes of every kind; each diff shows its surroundings.
LINES = [GOOD[name].line for name in GOOD if name in SAVING and GOOD[name].start is doc]
LINES += [
    ("set-master-key", "--master-key=gw_S3cr3tV4lue_othermas"),
    ("upsert-provider", "--provider-id=acme", "--api-key=sk-S3cr3tV4lue-next", "--skip-probe"),
    ("upsert-provider", "--provider-id=acme", '--headers={"X-Api-Key":"S3cr3tV4lue-new-header"}', "--skip-probe"),
    ("remove-provider", "--provider-id=acme"),
    ("remove-provider", "--provider-id=beta"),
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
@pytest.mark.parametrize("extra", [("--dry-run",), ("--dry-run", "--json"), (), ("--json",)], ids=" ".join)
def test_a_change_shows_no_secret(desk: Desk, line: tuple[str, ...], extra: tuple[str, ...]) -> None:
    desk.put(secretive())
    code, out, err = desk.run(*line, *extra)
    assert code == 0, err
    assert not SECRET.search(out + err)


@pytest.mark.parametrize("name", ["list", "validate", "snapshot", "tool-status", "history", "startup-status"])
@pytest.mark.parametrize("extra", [(), ("--json",)], ids=" ".join)
def test_a_report_shows_no_secret(desk: Desk, name: str, extra: tuple[str, ...]) -> None:
    desk.put(secretive())
    code, out, err = desk.run(name, *extra)
    assert code in (0, 2)
    assert not SECRET.search(out + err)


def test_undo_shows_no_secret(desk: Desk) -> None:
    desk.put(secretive())
    desk.run("set-master-key", "--master-key=gw_S3cr3tV4lue_othermas")
    for extra in ((), ("--dry-run",), ("--dry-run", "--json"), ("--json",)):
        _, out, err = desk.run("undo", *extra)
        assert not SECRET.search(out + err)


def test_a_changed_secret_shows_that_it_changed(desk: Desk) -> None:
    desk.put({**secretive(), "masterKey": "short"})
    _, out, _ = desk.run("set-master-key", "--master-key=other", "--dry-run")
    assert re.search(r'^-  "masterKey": "\*{5}",$', out, re.MULTILINE)
    assert re.search(r'^\+  "masterKey": "\*{5} \(another value\)",$', out, re.MULTILINE)


@pytest.mark.parametrize(
    "line",
    [
        ("upsert-provider", "--provider-id=acme", '--headers={"Authorization": "S3cr3tV4lue', "--skip-probe"),
        ("upsert-provider", "--provider-id=acme", "--headers=S3cr3tV4lue", "--skip-probe"),
        ("set-provider-rate-limits", "--provider-id=acme", "--rate-limits=S3cr3tV4lue"),
        ("upsert-model-alias", "--alias-id=fast", "--alias-metadata=S3cr3tV4lue"),
        ("upsert-provider", "--name=X", "--api-key=S3cr3tV4lue", "--endpoints=https://x.example"),
        (
            "discover-provider-models",
            "--endpoints=https://u:S3cr3tV4lue@x.example",
            "--headers=1",
            "--api-key=S3cr3tV4lue",
        ),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("extra", [(), ("--json",)], ids=" ".join)
def test_a_refusal_quotes_no_secret(desk: Desk, line: tuple[str, ...], extra: tuple[str, ...]) -> None:
    code, out, err = desk.run(*line, *extra)
    assert code == 2
    assert not SECRET.search(out + err)


def test_broken_json_is_not_quoted(desk: Desk) -> None:
    desk.file.write_text('{"masterKey": "gw_S3cr3tV4lue", }')
    for name in ("list", "validate", "snapshot", "set-default-model"):
        _, out, err = desk.run(name, *(("--model=x",) if name == "set-default-model" else ()))
        assert not SECRET.search(out + err)


def test_the_ai_brief_shows_no_secret(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    from llr.cli.main import main

    desk.put(secretive())
    for extra in ((), ("--json",)):
        assert main(["ai-help", f"--config={desk.file}", *extra]) == 0
        assert not SECRET.search(capsys.readouterr().out)
    assert json.loads(desk.file.read_text())["masterKey"] == "gw_S3cr3tV4lue_master"
