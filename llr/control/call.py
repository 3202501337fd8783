"""What an operation is called with."""

from collections.abc import Callable, Mapping

from llr.base.jsonio import JSON
from llr.base.records import dataclass

# One event of something that takes long: `phase` and what the phase is about.
Progress = Callable[[Mapping[str, JSON]], None]


def silent(_event: Mapping[str, JSON]) -> None:
    """Tells nobody."""


class Args:
    """The flags of a call by `Param.dest`; what was not typed has its default, None for most."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """Returns the text of a flag, None when it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """Returns whether a BOOL flag is set."""
        return self._values.get(name) is True

    def choice(self, name: str) -> bool | None:
        """Returns a BOOL flag, None when it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else None

    def whole(self, name: str) -> int | None:
        """Returns the number of an INT flag, None when it is absent."""
        value = self._values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def given(self, name: str) -> bool:
        """Returns whether a flag is there, perhaps with an empty value."""
        return self._values.get(name) is not None

    def with_values(self, more: Mapping[str, object]) -> "Args":
        """Returns the same with further values."""
        return Args({**self._values, **more})


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the config file, the flags, the environment.

    `progress` is told what a long operation does; `terminal` says that a person reads the text of the outcome.
    `confirm` asks that person a question whose default is no; without one the answer is no.
    """

    config_path: str
    args: Args
    env: Mapping[str, str]
    progress: Progress = silent
    terminal: bool = False
    confirm: Callable[[str], bool] | None = None
