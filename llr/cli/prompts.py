"""Questions to a person at a terminal; without one nothing is asked."""

from collections.abc import Callable, Sequence
from typing import IO

from llr.control.report import INTERRUPTED, refuse


class Prompts:
    """Asks on a terminal. `yes` answers every confirm with its default, `no_input` behaves as no terminal does."""

    def __init__(self, stdin: IO[str], stdout: IO[str], *, yes: bool = False, no_input: bool = False) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._yes = yes
        self.interactive = not no_input and stdin.isatty() and stdout.isatty()

    def _ask(self, question: str) -> str:
        self._stdout.write(question)
        self._stdout.flush()
        try:
            line = self._stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line:
            raise refuse("interrupted", "Cancelled.", exit_code=INTERRUPTED)
        return line.strip()

    def confirm(self, question: str, *, default: bool) -> bool:
        """Returns the answer; `--yes` says yes, without a terminal the default stands."""
        if self._yes:
            return True
        if not self.interactive:
            return default
        answer = self._ask(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
        return default if not answer else answer in ("y", "yes")

    def say(self, text: str) -> None:
        """Writes one line."""
        self._stdout.write(f"{text}\n")

    def text(self, question: str, choices: Sequence[str] = ()) -> str:
        """Returns what was typed, "" for nothing; `choices` are listed with their numbers."""
        for at, choice in enumerate(choices, start=1):
            self.say(f"  {at}. {choice}")
        return self._ask(f"{question} ")

    def lines(self, question: str) -> str:
        """Returns what was typed or pasted, up to an empty line."""
        found = [self._ask(f"{question} (an empty line ends) ")]
        while found[-1]:
            found.append(self._ask(""))
        return "\n".join(found)

    def secret(self, question: str, read: Callable[[str], str]) -> str | None:
        """Returns what was typed without showing it (`read` is `getpass.getpass`), None without a terminal."""
        return read(question).strip() if self.interactive else None
