"""One operation as a row of a table, and what its module does when it runs.

Law: a row only names its code, so that a command line imports nothing it does not use. Time, chance and the network are
asked for facts in `gather`; `apply` is pure.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias, cast

from llr.base.records import dataclass
from llr.config.schema import Doc, Parsed
from llr.control.call import Args, Call
from llr.control.params import Kind, Param
from llr.control.report import Outcome

Facts: TypeAlias = Mapping[str, Any]

CONFIG_PARAM = Param("config", "Config file to work on (default ~/.llm-router.json).", Kind.PATH)

# What every operation that saves understands.
SAVE_PARAMS: tuple[Param, ...] = (
    Param("dry-run", "Show the diff of the config file and write nothing.", Kind.BOOL, default=False),
    Param("if-match", "Save only if the file still has this tag, as `--json` tells it under `etag`."),
)


@dataclass(frozen=True, slots=True)
class Change:
    """What `apply` makes: the new document, one line per thing that changed, and facts for the report.

    `tolerated` are issue codes that may be introduced all the same, None for all. `renamed` says that old errors may
    name something by its new id now.
    """

    doc: Doc
    changes: tuple[str, ...] = ()
    facts: Facts | None = None
    tolerated: frozenset[str] | None = frozenset()
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was saved (or with `dry_run` only thought through), for the report.

    `before` and `after` are the parsed documents, `path` is the file itself.
    """

    call: Call
    path: str
    facts: Facts
    before: Parsed
    after: Parsed
    doc: Doc
    changes: tuple[str, ...]
    changed: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for a person at a terminal, asked when no flag answered it and `when` holds.

    `choices` gives the answers to pick from; None lets any text be typed. An answer is needed unless `optional`; an
    empty one then sets the flags of `empty`. With `pasted` several lines may be typed, and it picks the items out.
    """

    param: str
    question: str
    choices: Callable[[Doc, Args], list[str]] | None = None
    when: Callable[[Doc, Args], bool] = lambda _doc, _args: True
    secret: bool = False
    many: bool = False
    optional: bool = False
    empty: tuple[tuple[str, object], ...] = ()
    pasted: Callable[[str], list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """An operation that saves nothing through this table."""

    run: Callable[[Call], Outcome | Awaitable[Outcome]]
    asks: tuple[Ask, ...] = ()
    confirm: Callable[[Doc, Args], tuple[str, bool] | None] | None = None


@dataclass(frozen=True, slots=True)
class Editing:
    """An operation that changes the document.

    `check` looks at the arguments before anything else happens, `gather` may ask the world, `apply` is pure, `report`
    words the result. `confirm` gives a question and its default when the change destroys something.
    """

    apply: Callable[[Doc, Args, Facts], Change]
    report: Callable[[Done], Outcome]
    gather: Callable[[Call, Doc], Facts | Awaitable[Facts]] | None = None
    asks: tuple[Ask, ...] = ()
    confirm: Callable[[Doc, Args], tuple[str, bool] | None] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what it is called, its flags besides `--config`, and where its code is ("module:NAME")."""

    name: str
    summary: str
    target: str
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    writes: bool = False

    @property
    def flags(self) -> tuple[Param, ...]:
        """Returns every flag besides `--config` and the global ones."""
        return (*self.params, *SAVE_PARAMS) if self.writes else self.params

    def work(self) -> Reading | Editing:
        """Returns what does it; its module is imported now."""
        module, _, name = self.target.partition(":")
        return cast(Reading | Editing, getattr(import_module(module), name))
