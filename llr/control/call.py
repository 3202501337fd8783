"""What an operation is called with."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the config file, the flags by `Param.dest`, the environment."""

    config_path: str
    args: Mapping[str, object]
    env: Mapping[str, str]

    def flag(self, name: str) -> bool:
        """Returns whether a BOOL flag is set."""
        return self.args.get(name) is True

    def text(self, name: str) -> str | None:
        """Returns the text of a flag, None when it is absent."""
        value = self.args.get(name)
        return value if isinstance(value, str) else None
