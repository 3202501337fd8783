"""What a command or an operation may be told: one declaration for parsing, help, completion and the reference."""

from enum import StrEnum

from llr.base.jsonio import JSON
from llr.base.records import dataclass


class Kind(StrEnum):
    """How the text of a flag becomes a value."""

    TEXT = "text"
    PATH = "path"
    INT = "int"
    BOOL = "bool"
    CHOICE = "choice"
    LIST = "list"
    JSON = "json"
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Param:
    """One flag (`name` in kebab case, without dashes) or, with `positional`, one word.

    An empty value counts as absent unless `keep_empty`. An INT outside `minimum`..`maximum` is refused; with `loose` it
    is floored, above the maximum it is the maximum, and what is too low or no number gives the default. A BOOL may
    stand alone, take a value, or be written `--no-NAME`. A SECRET of `-` is read from stdin. `short` is one letter.
    `names` is the kind of ids that a shell may offer for it.
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
    loose: bool = False
    example: str = ""
    short: str = ""
    names: str = ""

    @property
    def dest(self) -> str:
        """Returns the name under which the parsed value is found."""
        return self.name.replace("-", "_")
