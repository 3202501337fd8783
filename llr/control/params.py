"""What a command or an operation may be told: one declaration for parsing, help, completion and the reference."""

from dataclasses import dataclass
from enum import StrEnum

from llr.base.jsonio import JSON


class Kind(StrEnum):
    """How the text of a flag becomes a value."""

    TEXT = "text"
    PATH = "path"
    INT = "int"
    BOOL = "bool"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Param:
    """One flag (`name` in kebab case, without dashes) or, with `positional`, one word.

    An empty value counts as absent unless `keep_empty`. An INT outside `minimum`..`maximum` is refused. A BOOL may
    stand alone, take a value, or be written `--no-NAME`.
    """

    name: str
    summary: str
    kind: Kind = Kind.TEXT
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    default: JSON = None
    minimum: int | None = None
    maximum: int | None = None
    keep_empty: bool = False
    positional: bool = False
    hidden: bool = False

    @property
    def dest(self) -> str:
        """Returns the name under which the parsed value is found."""
        return self.name.replace("-", "_")
