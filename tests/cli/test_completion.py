"""The completion scripts are sound for their shells, and offer what the tables hold."""

import re
import subprocess
from pathlib import Path

import pytest

from llr.cli.completion import SHELLS, bash
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
]


@pytest.mark.parametrize(("line", "offered"), OFFERS)
def test_bash_completes(line: str, offered: set[str], tmp_path: Path) -> None:
    words = " ".join(f"'{word}'" for word in line.split(" "))
    drive = f"""{bash()}
compopt() {{ :; }}
COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_llr; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", drive], capture_output=True, text=True, check=False, timeout=30, cwd=tmp_path)
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
