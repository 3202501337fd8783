"""The completion scripts are sound for their shells, and offer what the tables hold."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from llr.cli.completion import SHELLS, bash, fish, spots
from llr.cli.ids import KINDS
from llr.cli.main import main
from llr.cli.table import COMMANDS
from llr.control.operations import OPERATIONS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_operation_and_flag_is_in_it(shell: str) -> None:
    script = SHELLS[shell]()
    for name, command in COMMANDS.items():
        assert command.hidden or re.search(rf"\b{name}\b", script)
    for row in OPERATIONS.values():
        assert row.name in script
        for param in row.flags:
            assert f"-l {param.name} " in script if shell == "fish" else f"--{param.name}" in script


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("zsh", marks=pytest.mark.needs("zsh")),
        pytest.param("fish", marks=pytest.mark.needs("fish")),
    ],
)
def test_the_shell_reads_it(shell: str, tmp_path: Path) -> None:
    file = tmp_path / "script"
    file.write_text(SHELLS[shell]())
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


OFFERS = [
    ("llr sta", {"start", "status"}),
    ("llr config vali", {"validate"}),
    ("llr config upsert-provider --api-k", {"--api-key=", "--api-key-env="}),
    ("llr config --config=x upsert-provider --skip", {"--skip-probe"}),
    ("llr config upsert-provider --format=op", {"openai", "openai-chat", "openai-responses"}),
    ("llr completion ", {"bash", "zsh", "fish"}),
    ("llr logs --foll", {"--follow"}),
    ("llr run ", {"claude", "codex"}),
    ("llr help ", {"reference", "layout", "errors", "start"}),
]


CONFIG = {
    "version": 2,
    "providers": [
        {
            "id": "acme",
            "name": "Acme",
            "baseUrl": "https://acme.example/v1",
            "format": "openai",
            "enabled": False,
            "apiKey": "sk-not-shown",
            "models": [{"id": "big"}, {"id": "llama3:8b"}],
            "rateLimits": [{"id": "daily", "models": ["all"], "requests": 9, "window": {"unit": "day", "size": 1}}],
        },
        {"id": "beta", "name": "Beta", "baseUrl": "nonsense", "models": ["small"]},
    ],
    "modelAliases": {"fast": {"targets": [{"ref": "acme/big"}]}, "Gäste": {"targets": []}},
}
IDS = {
    "provider": ["acme", "beta"],
    "model": ["big", "llama3:8b", "small"],
    "alias": ["fast", "Gäste"],
    "route": ["fast", "Gäste", "acme/big", "acme/llama3:8b", "beta/small"],
    "bucket": ["daily"],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / ".llm-router.json"
    file.write_text(json.dumps(CONFIG))
    return file


def test_the_ids_of_a_config(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = config.read_bytes()
    for kind, found in IDS.items():
        assert main(["completion", "ids", kind]) == 0
        assert capsys.readouterr().out.split() == found
    assert main(["completion", "ids", "preset", "--json"]) == 0
    assert "openrouter" in json.loads(capsys.readouterr().out)["data"]["ids"]
    assert config.read_bytes() == before
    for text in ("{", "[]", ""):
        config.write_text(text)
        assert main(["completion", "ids", "provider"]) == 0
        assert capsys.readouterr().out.strip() == ""
    assert main(["completion", "ids", "provders"]) == 2


def test_every_flag_that_names_something_is_completed_with_a_kind_that_exists() -> None:
    kinds = {param.names for found in spots().values() for param in found.flags if param.names}
    assert kinds == set(KINDS)
    for row in OPERATIONS.values():
        for param in row.flags:
            assert param.names or param.name not in ("provider-id", "alias-id", "bucket-id", "preset")


ASKED = [
    ("llr config remove-provider --provider-id=", {"acme", "beta"}),
    ("llr config remove-model --provider-id=acme --model=b", {"big"}),
    ("llr config remove-model --provider-id=acme --model=llama3:", {"8b"}),
    ("llr config set-default-model --model=acme/", {"acme/big"}),
    ("llr config rename-model-alias --alias-id=f", {"fast"}),
    ("llr run codex --model=fa", {"fast"}),
    ("llr config upsert-provider --preset=openr", {"openrouter"}),
    ("llr config --operation=val", {"validate"}),
]
SOURCE = " ".join(shlex.quote(word) for word in (sys.executable, "-m", "llr"))


@pytest.mark.parametrize(("line", "offered"), ASKED)
def test_bash_offers_ids(config: Path, line: str, offered: set[str]) -> None:
    done = bash_offers(line, Path(__file__).resolve().parents[2])
    assert done.stderr == ""
    assert offered <= set(done.stdout.split())


@pytest.mark.needs("fish")
@pytest.mark.parametrize(("line", "offered"), ASKED[:2] + ASKED[4:])
def test_fish_offers_ids(config: Path, line: str, offered: set[str]) -> None:
    drive = f"function llr; {SOURCE} $argv; end\n{fish()}\ncomplete -C '{line}'"
    folder = Path(__file__).resolve().parents[2]
    done = subprocess.run(["fish", "-c", drive], capture_output=True, text=True, check=False, timeout=60, cwd=folder)
    found = {one.partition("\t")[0].partition("=")[2] for one in done.stdout.splitlines()}
    assert offered <= found, done.stdout + done.stderr


def bash_offers(line: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    words = " ".join(f"'{word}'" for word in line.split(" "))
    drive = f"""{bash()}
llr() {{ {SOURCE} "$@"; }}
compopt() {{ :; }}
COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_llr; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return subprocess.run(["bash", "-c", drive], capture_output=True, text=True, check=False, timeout=60, cwd=folder)


@pytest.mark.parametrize(("line", "offered"), OFFERS)
def test_bash_completes(line: str, offered: set[str], tmp_path: Path) -> None:
    done = bash_offers(line, tmp_path)
    assert done.stderr == ""
    found = set(done.stdout.split())
    assert offered <= found
    prefix = line.rpartition(" ")[2].partition("=")[2] or line.rpartition(" ")[2]
    assert all(word.startswith(prefix) for word in found)


def test_wrong_shells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bsh"]) == 2
    assert "did you mean bash?" in capsys.readouterr().err
    assert main(["completion"]) == 2
    assert main(["completion", "fish"]) == 0
    assert capsys.readouterr().out.startswith("# fish completion")
