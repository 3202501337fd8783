"""Command lines in this process: words in, text and exit code out."""

import errno
import json
import os
from pathlib import Path

import pytest

from llr import __version__
from llr.cli.dispatch import os_problem
from llr.cli.main import main


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLM_ROUTER_RUNTIME_STATE_PATH", str(tmp_path / "run.json"))
    monkeypatch.setenv("NO_COLOR", "1")


Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *tokens: str) -> Run:
    code = main(tokens)
    said = capsys.readouterr()
    return code, said.out, said.err


WRONG = [
    (("strat",), 2, "Action not found: router.strat (did you mean llr start?)"),
    (("router", "nope"), 2, "Action not found: router.nope"),
    (("list",), 2, "Action not found: router.list (did you mean llr config list?)"),
    (("add-provider", "--name=x"), 2, "did you mean llr config upsert-provider?"),
    (("status", "--config"), 2, "--config needs a value. Write --config=…"),
    (("config", "remove-model", "--model", "--yes"), 2, "--model needs a value."),
    (("config", "remove-model"), 2, "required. See `llr config remove-model --help`."),
    (("nope", "-h"), 2, "No help target found"),
    (("status", "--chekc"), 2, "did you mean --check?"),
    (("status", "word"), 2, "does not take the word 'word'"),
    (("status", "--check=perhaps"), 2, "--check takes true or false, not 'perhaps'"),
    (("start", "--demo", "--workers=0"), 2, "--workers must be within 1 and 64, not 0"),
    (("reclaim", "--pid=1"), 2, "--pid must be at least 2, not 1."),
    (("start", "--demo", "--workers=many"), 2, "--workers takes a whole number"),
    (("start", "--demo", "--port=70000"), 2, "--port must be a port number"),
    (("start", "--demo", "--log-format=xml"), 2, "--log-format must be one of text, json"),
    (("start", "--demo", "--host=0.0.0.0"), 2, "--require-auth"),
    (("start", "--demo", "--require-auth"), 2, "the demo has none"),
    (("start", "--config=/nowhere/at/all.json"), 2, "/nowhere/at/all.json"),
    (("start", "--config=/nowhere/at/all.json"), 2, "`llr config upsert-provider --preset=…`"),
    (("start", "--config=/nowhere/at/all.json"), 2, "`llr start --demo`"),
    (("stop", "--zzzzzzzz"), 2, "It knows --now,"),
    (("config", "remove-alias", "--zz"), 2, "did you mean remove-model-alias?"),
    (("config", "remove-model", "--zzzzzzzz"), 2, "It knows --operation, --config, --provider-id, --model, --prune"),
    (("config", "remove-model", "--zzzzzzzz"), 2, "See `llr config remove-model --help`."),
    (("--op=remove-model", "--provder-id=x"), 2, "did you mean --provider-id?"),
    (("run",), 2, "Say which tool to run: claude or codex."),
    (("run", "cluade"), 2, "There is no tool 'cluade' to run (did you mean claude?)."),
    (("start-runtime",), 2, "started by a running gateway"),
    (("config", "--operation=nope"), 2, "Unknown config operation 'nope'"),
    (("config", "vaildate"), 2, "did you mean validate?"),
    (("--tui",), 1, "--tui flow was removed"),
    (("start", "--tui"), 1, "--tui flow was removed"),
    (("deploy",), 1, "not in this build yet"),
    (("reload",), 1, "No running LLM Router instance detected."),
    (("status", "--check"), 1, ""),
]


@pytest.mark.parametrize(("tokens", "code", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong(capsys: pytest.CaptureFixture[str], tokens: tuple[str, ...], code: int, message: str) -> None:
    got, out, err = run(capsys, *tokens)
    assert got == code
    assert message in err
    assert "Traceback" not in err + out


@pytest.mark.parametrize(("tokens", "code", "message"), WRONG[:-1], ids=lambda value: str(value)[:40])
def test_wrong_as_json(capsys: pytest.CaptureFixture[str], tokens: tuple[str, ...], code: int, message: str) -> None:
    _, out, _ = run(capsys, *tokens, "--json")
    body = json.loads(out)
    assert (body["ok"], body["exitCode"]) == (False, code)
    assert message in f"{body['error']['message']} {body['error']['fix']}"
    assert body["error"]["code"]


@pytest.mark.parametrize(
    ("number", "path", "said"),
    [
        (
            errno.EACCES,
            "/a b/c.json",
            "Permission denied: /a b/c.json. Look at who owns it and its folder: `ls -la '/a b'`.",
        ),
        (errno.EROFS, "x.json", "Read-only file system: x.json. Look at who owns it and its folder: `ls -la .`."),
        (errno.ENOSPC, None, "No space left on device. Make room on the disk; the file is as it was before."),
        (errno.EISDIR, "/a", "Is a directory: /a."),
    ],
)
def test_what_the_system_refuses_comes_with_advice(number: int, path: str | None, said: str) -> None:
    assert str(os_problem(OSError(number, os.strerror(number), path))).startswith(said)


def test_a_file_that_is_mounted_by_itself_is_named() -> None:
    said = str(os_problem(OSError(errno.EBUSY, "Device or resource busy", "/c.json.tmp-1", None, "/c.json")))
    assert said.startswith("Device or resource busy: /c.json. A file that a container mounts by itself")


def test_without_a_home_folder_the_reason_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert run(capsys, "config", "list", "--config=x.json")[0] == 0, "all that is needed was named"
    assert run(capsys, "completion", "bash")[0] == 0
    for line in (("config", "list"), ("status",), ("start", "--demo")):
        code, _, err = run(capsys, *line)
        assert (code, "HOME is not set" in err) == (2, True)


def test_an_interruption_while_modules_load(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_tokens: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("llr.cli.dispatch.dispatch", interrupted)
    assert run(capsys, "status") == (130, "", "Interrupted.\n")


@pytest.mark.parametrize("tokens", [["--version"], ["-V"], ["version"]])
def test_version(capsys: pytest.CaptureFixture[str], tokens: list[str]) -> None:
    assert run(capsys, *tokens) == (0, f"llr {__version__}\n", "")


@pytest.mark.parametrize("tokens", [[], ["web"], ["config"], ["setup"], ["--config=x.json"]])
def test_without_a_task_the_next_steps_are_shown(capsys: pytest.CaptureFixture[str], tokens: list[str]) -> None:
    code, out, err = run(capsys, *tokens)
    assert (code, err) == (0, "")
    assert "Next Steps" in out
    assert "llr start --demo" in out


@pytest.mark.parametrize(
    "tokens",
    [
        ["web", "--port=9999"],
        ["web", "--port", "9999"],
        ["web", "--open"],
        ["web", "--open=false"],
        ["web", "--no-open"],
        ["config", "--port=9999"],
        ["setup", "--router-require-auth"],
        ["--port=9999"],
        ["--allow-remote-clients", "web"],
    ],
)
def test_flags_of_the_console_say_that_there_is_none_yet(capsys: pytest.CaptureFixture[str], tokens: list[str]) -> None:
    assert run(capsys, *tokens) == (1, "", "✖ The web console is not in this build yet.\n")


@pytest.mark.parametrize("name", ["start", "stop", "reload", "restart", "status", "config", "web"])
def test_help_has_every_part(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert out.startswith(f"# HELP\nMODULE: router\nACTION: {name}\n\n## SUMMARY\n- ")
    for heading in ("ARGS", "EXAMPLES", "USE-CASES", "KEYBINDINGS"):
        assert f"\n\n## {heading}\n- " in out
    assert "- json (optional): " in out


def test_module_help_lists_the_actions(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "- start - " in out
    assert "start-runtime" not in out
    assert run(capsys, "help", "start")[1] == run(capsys, "start", "-h")[1]


def test_help_of_one_operation(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "config", "--operation=validate", "-h")[1]
    assert "- strict (optional)" in out
    assert "- strict (optional)" not in run(capsys, "config", "-h")[1]


def test_lenient_ignores_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "stop", "--frobnicate", "--lenient")
    assert code == 0
    assert "Unknown flag --frobnicate" in out


@pytest.mark.parametrize(
    "tokens",
    [
        ["config", "--operation=validate", "--config={}"],
        ["config", "validate", "--config={}"],
        ["config", "--config={}", "validate"],
        ["--config={}", "config", "validate"],
        ["--operation=validate", "--config={}"],
        ["--op", "validate", "--config", "{}"],
        ["setup", "validate", "--config", "{}"],
        ["router", "config", "validate", "--config={}"],
    ],
)
def test_every_way_to_name_an_operation(capsys: pytest.CaptureFixture[str], tmp_path: Path, tokens: list[str]) -> None:
    file = tmp_path / "c.json"
    file.write_text("{}")
    code, out, _ = run(capsys, *(token.format(file) for token in tokens))
    assert code == 0
    assert "Config Validation" in out
    assert str(file) in out


PROVIDER = {
    "id": "p",
    "name": "Prov",
    "baseUrl": "https://p.example/v1",
    "format": "openai",
    "apiKey": "sk-1234567890abcdef",
    "models": [{"id": "m", "contextWindow": 128000}],
}


def test_validate_valid(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"version": 2, "masterKey": "gw_abcdefghijkl", "providers": [PROVIDER]}))
    before = file.read_bytes()
    code, out, err = run(capsys, "config", "validate", f"--config={file}")
    assert (code, err) == (0, "")
    assert "| Validation            | Passed" in out
    assert "| JSON Parse            | Passed" in out
    assert file.read_bytes() == before


def test_validate_bad_json_goes_to_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"providers": [}')
    code, out, err = run(capsys, "config", "validate", f"--config={file}")
    assert (code, out) == (2, "")
    assert "Blocked by parse error" in err
    assert "JSON parse error: " in err
    body = json.loads(run(capsys, "config", "validate", f"--config={file}", "--json")[1])
    assert body["data"]["issues"][0]["code"] == "bad-json"


def test_validate_names_every_issue(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    broken = {**PROVIDER, "baseUrl": "nope", "models": []}
    file.write_text(json.dumps({"version": 2, "providers": [broken, "x"]}))
    code, _, err = run(capsys, "config", "validate", f"--config={file}")
    assert code == 2
    assert "Failed (" in err
    assert "$.providers[1]" in err


def test_list_masks_every_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"version": 2, "masterKey": "gw_abcdefghijkl", "providers": [PROVIDER]}))
    for extra in ((), ("--json",)):
        code, out, _ = run(capsys, "config", "list", f"--config={file}", *extra)
        assert code == 0
        assert "sk-1...cdef" in out
        assert "567890ab" not in out
        assert "gw_a...ijkl" in out


def test_list_of_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, "config", "list", f"--config={tmp_path / 'none.json'}")
    assert code == 0
    assert "No providers configured." in out
    assert not (tmp_path / "none.json").exists()


def test_status_lists_what_has_no_effect(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.json"
    keyless = {**PROVIDER, "apiKey": None, "apiKeyEnv": "LLR_TEST_UNSET_KEY"}
    file.write_text(json.dumps({"version": 2, "providers": [keyless]}))
    monkeypatch.setenv("LLM_ROUTER_WEB_PORT", "1")
    monkeypatch.setenv("LLM_ROUTER_DRAIN_TIMEOUT_MS", "1500")
    body = json.loads(run(capsys, "status", f"--config={file}", "--json")[1])["data"]
    assert body["running"] is False
    assert "LLM_ROUTER_WEB_PORT" in body["unusedVariables"]
    assert body["unsetKeyVariables"] == ["LLR_TEST_UNSET_KEY"]
    assert body["settings"]["drainTimeoutSeconds"] == 1.5
