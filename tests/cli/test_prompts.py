import io

import pytest

from llr.cli.prompts import Prompts
from llr.control.report import INTERRUPTED, Refused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


ANSWERS = [("y\n", False, True), ("yes\n", False, True), ("\n", True, True), ("\n", False, False), ("n\n", True, False)]


@pytest.mark.parametrize(("typed", "default", "answer"), ANSWERS)
def test_confirm(typed: str, default: bool, answer: bool) -> None:
    assert Prompts(Terminal(typed), Terminal()).confirm("Sure?", default=default) is answer


def test_nobody_is_asked_without_a_terminal() -> None:
    screen = io.StringIO()
    for prompts in (Prompts(io.StringIO("y\n"), screen), Prompts(Terminal("y\n"), Terminal(), no_input=True)):
        assert prompts.confirm("Sure?", default=False) is False
        assert prompts.secret("Key?", lambda _: "typed") is None
    assert screen.getvalue() == ""


def test_yes_answers_everything() -> None:
    assert Prompts(io.StringIO(), io.StringIO(), yes=True).confirm("Sure?", default=False) is True


def test_end_of_input_is_an_interruption() -> None:
    with pytest.raises(Refused) as caught:
        Prompts(Terminal(""), Terminal()).confirm("Sure?", default=True)
    assert caught.value.exit_code == INTERRUPTED
