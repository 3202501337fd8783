"""What strangers read is true as far as a test can tell."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from llr.config.parse import parse_config
from llr.control.demo import MODELS, demo_help
from tests.readme import README, blocks, commands

ROOT = README.parent
ENV = {"OPENAI_API_KEY": "set", "ANTHROPIC_API_KEY": "set"}


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 450


def test_the_first_config_has_no_issue() -> None:
    configs = [json.loads(block) for block in blocks("json")]
    assert configs
    for config in configs:
        assert parse_config(config, ENV).issues == ()


def test_the_codex_settings_are_toml() -> None:
    for block in blocks("toml"):
        assert tomllib.loads(block)["model_providers"]["llr"]["wire_api"] == "responses"


@pytest.mark.parametrize("name", ["README.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_folders_and_test_files_that_the_readme_names_exist() -> None:
    named = re.findall(r"`((?:llr|tests)/[\w/.]+)`", README.read_text(encoding="utf-8"))
    assert len(named) >= 7
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_demo_model_is_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"`demo/([a-z0-9-]+)`", text)) == set(MODELS)


def test_every_shell_line_is_one_of_ours() -> None:
    programs = {line.split()[0] for line in commands()}
    assert programs <= {"make", "llr", "curl", "cp", "mkdir", "python3"}


def test_make_has_every_target_that_the_readme_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make (\w+)", README.read_text(encoding="utf-8"))) - {"test"} <= targets
    assert "test" in targets


def test_the_printed_lines_stand_in_the_readme() -> None:
    printed = {line.strip() for line in demo_help("http://127.0.0.1:8376").splitlines() if "curl " in line}
    assert len(printed) >= 5
    assert printed <= set(commands())


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
    assert Path(ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count("## [Unreleased]") == 1
