"""What is asked at a terminal: only what no flag said; destructive steps are confirmed."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from llr.cli.prompts import Prompts
from llr.cli.questions import answered
from llr.control.call import Args, Call
from llr.control.operations import OPERATIONS
from llr.control.perform import perform
from llr.control.report import Outcome, Refused
from tests.control.desk import doc


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Person:
    """Someone who types these lines; what was asked stands in `screen`."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = file
        self.screen = ""
        self.secrets: list[str] = []
        monkeypatch.setattr("getpass.getpass", self._secret)

    def _secret(self, question: str) -> str:
        self.screen += question
        return self.secrets.pop(0)

    def runs(self, operation: str, /, *lines: str, yes: bool = False, no_input: bool = False, **flags: Any) -> Outcome:
        out = Terminal()
        prompts = Prompts(Terminal("".join(f"{line}\n" for line in lines)), out, yes=yes, no_input=no_input)
        call = Call(str(self.file), Args(flags), {}, terminal=True)
        try:
            args = answered(OPERATIONS[operation], call, prompts)
        finally:
            self.screen += out.getvalue()
        return perform(OPERATIONS[operation], Call(str(self.file), args, {}, terminal=True))

    @property
    def doc(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(doc()))
    return Person(file, monkeypatch)


def test_a_removal_is_chosen_and_confirmed(person: Person) -> None:
    person.runs("remove-provider", "2", "y")
    assert "1. acme" in person.screen
    assert "Remove provider 'beta'? [y/N]" in person.screen
    assert [one["id"] for one in person.doc["providers"]] == ["acme"]


@pytest.mark.parametrize("answer", ["", "n", "no", "what"])
def test_a_declined_removal_changes_nothing(person: Person, answer: str) -> None:
    before = person.file.read_bytes()
    with pytest.raises(Refused) as caught:
        person.runs("remove-provider", answer, provider_id="beta")
    assert (caught.value.exit_code, caught.value.problem.message) == (1, "Cancelled.")
    assert person.file.read_bytes() == before


def test_the_end_of_input_is_an_interruption(person: Person) -> None:
    with pytest.raises(Refused) as caught:
        person.runs("remove-provider")
    assert caught.value.exit_code == 130


def test_yes_confirms_and_no_input_does_not_ask(person: Person) -> None:
    person.runs("remove-provider", yes=True, provider_id="beta")
    person.runs("remove-model-alias", no_input=True, alias_id="fast")
    assert person.screen == ""
    assert list(person.doc["modelAliases"]) == ["default"]


def test_a_dry_run_asks_nothing(person: Person) -> None:
    assert "--dry-run" in person.runs("remove-provider", provider_id="beta", dry_run=True).text
    assert person.screen == ""


def test_typed_flags_are_not_asked_for(person: Person) -> None:
    person.runs("set-model-fallbacks", "1 2", provider_id="acme", model="small")
    assert "Which provider?" not in person.screen
    assert "Fallbacks, in order" in person.screen
    assert person.doc["providers"][0]["models"][1]["fallbackModels"] == ["acme/big", "beta/one"]


def test_nothing_is_asked_of_a_complete_line(person: Person) -> None:
    person.runs("upsert-model-alias", alias_id="fast", strategy="auto")
    person.runs("set-default-model", model="fast")
    person.runs("rename-provider", provider_id="acme", new_id="a2")
    assert person.screen == ""


def test_a_new_provider(person: Person) -> None:
    person.secrets = ["sk-typed-0123456789"]
    pasted = ("- g1 on openai @ https://gamma.example/v1: ok", "models=g2[openai]", "done in 3.1s", "")
    person.runs("upsert-provider", "1", "", "Gamma", "try https://gamma.example/v1", "", *pasted, skip_probe=True)
    found = person.doc["providers"][2]
    assert (found["id"], found["apiKey"], [one["id"] for one in found["models"]]) == (
        "gamma",
        "sk-typed-0123456789",
        ["g1", "g2"],
    )
    assert "terms" in person.screen
    assert "sk-typed" not in person.screen


def test_a_plain_word_is_a_model(person: Person) -> None:
    line: dict[str, Any] = {
        "name": "Delta",
        "api_key_env": "DELTA_KEY",
        "base_url": "https://d.example",
        "skip_probe": True,
    }
    person.runs("upsert-provider", "", "", "grok deepseek", "", **line)
    assert person.doc["providers"][2]["models"] == [{"id": "grok"}, {"id": "deepseek"}]


def test_a_preset_asks_only_for_the_key(person: Person) -> None:
    person.secrets = [""]
    person.runs("upsert-provider", preset="groq", skip_probe=True)
    assert person.doc["providers"][2]["apiKeyEnv"] == "GROQ_API_KEY"
    assert person.screen == "API key (empty: its variable)? "


def test_a_stored_key_is_not_overwritten_unasked(person: Person) -> None:
    with pytest.raises(Refused):
        person.runs("upsert-provider", "", provider_id="acme", api_key="sk-new", skip_probe=True)
    person.runs("upsert-provider", "yes", provider_id="acme", api_key="sk-new", skip_probe=True)
    assert person.doc["providers"][0]["apiKey"] == "sk-new"


def test_a_new_alias(person: Person) -> None:
    person.runs("upsert-model-alias", "New alias", "quick", "1", "acme/small@2 1")
    assert person.doc["modelAliases"]["quick"]["strategy"] == "auto"
    assert person.doc["modelAliases"]["quick"]["targets"][0] == {"ref": "acme/small", "weight": 2}


def test_the_menu_of_rate_limits(person: Person) -> None:
    flags: dict[str, Any] = {"provider_id": "acme"}
    before = person.doc
    review = person.runs("set-provider-rate-limits", "4", **flags)
    assert review.report is not None
    assert (review.report.title, person.doc) == ("Rate-Limit Bucket Review", before)
    person.runs("set-provider-rate-limits", "1", "Daily", "all", "9", "1 day", **flags)
    assert person.doc["providers"][0]["rateLimits"][1]["id"] == "daily"
    edit = person.runs("set-provider-rate-limits", "2", "2", "big", "8", "2w", **flags)
    assert edit.report is not None
    assert edit.report.title == "Rate-Limit Bucket Updated: daily"
    assert person.doc["providers"][0]["rateLimits"][1]["requests"] == 8
    person.runs("set-provider-rate-limits", "3", "daily", "y", **flags)
    assert len(person.doc["providers"][0]["rateLimits"]) == 1


def test_an_empty_answer_is_asked_again(person: Person) -> None:
    person.runs("rename-model-alias", "", "quick", alias_id="fast")
    assert person.screen.count("New id?") == 2
    assert "quick" in person.doc["modelAliases"]


def test_an_empty_master_key_means_make_one(person: Person) -> None:
    person.secrets = [""]
    told = person.runs("set-master-key", "y")
    assert "Overwrite the master key?" in person.screen
    assert told.data["generatedKey"] == person.doc["masterKey"]
