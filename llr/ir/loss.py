"""What a translation could not carry."""

from enum import StrEnum

from llr.base.enums import constants
from llr.base.records import dataclass


@constants
class LossLevel(StrEnum):
    """`silent` is cosmetic, `warn` changes quality, `reject` changes meaning. `strict` refuses the last two."""

    SILENT = "silent"
    WARN = "warn"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss: where in the client's request (`messages[3].content[0]`), what it was, why it could not stay."""

    path: str
    what: str
    why: str
    level: LossLevel = LossLevel.WARN
