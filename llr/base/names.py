"""The names of formats, kinds and things, each with one spelling."""

from enum import StrEnum
from typing import NewType

from llr.base.enums import constants

# Where a gateway finds its config and listens, as long as nobody says otherwise.
DEFAULT_CONFIG = "~/.llm-router.json"
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8376
# The commands it is installed as.
PROGRAMS = ("llr", "llm-router", "llm-router-route")
# Yes and no in flags, variables, headers and configs, in lower case.
TRUE_WORDS = frozenset(("1", "true", "yes", "y", "on"))
FALSE_WORDS = frozenset(("0", "false", "no", "n", "off"))
# The ports of addresses that name none.
SCHEME_PORTS = {"http": 80, "https": 443}

ProviderId = NewType("ProviderId", str)
AliasId = NewType("AliasId", str)
# "provider/model", the canonical name of one upstream model.
ModelRef = NewType("ModelRef", str)


@constants
class FormatId(StrEnum):
    """A wire format: what one request or answer looks like, on either side of the gateway."""

    MESSAGES = "anthropic-messages"
    CHAT = "openai-chat"
    RESPONSES = "openai-responses"
    COMPLETIONS = "openai-completions"
    GEMINI = "gemini"


@constants
class ProviderFormat(StrEnum):
    """A format name as configs write it (`formats`, `baseUrlByFormat`); `openai` covers several wire formats."""

    OPENAI = "openai"
    CLAUDE = "claude"
    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    GEMINI = "gemini"

    @property
    def family(self) -> "ProviderFormat":
        """Returns the name persisted state and reports print: `openai` for all three OpenAI names."""
        return _FAMILIES.get(self, self)


_FAMILIES = {
    ProviderFormat.OPENAI_CHAT: ProviderFormat.OPENAI,
    ProviderFormat.OPENAI_RESPONSES: ProviderFormat.OPENAI,
}

# Which provider formats carry a client's wire format without translation, in order of preference.
NATIVE: dict[FormatId, tuple[ProviderFormat, ...]] = {
    FormatId.MESSAGES: (ProviderFormat.CLAUDE,),
    FormatId.CHAT: (ProviderFormat.OPENAI, ProviderFormat.OPENAI_CHAT),
    FormatId.RESPONSES: (ProviderFormat.OPENAI, ProviderFormat.OPENAI_RESPONSES),
    FormatId.COMPLETIONS: (ProviderFormat.OPENAI, ProviderFormat.OPENAI_CHAT),
    FormatId.GEMINI: (ProviderFormat.GEMINI,),
}

# The provider format a client's wire format is persisted and reported under.
CLIENT_FAMILY: dict[FormatId, ProviderFormat] = {
    FormatId.MESSAGES: ProviderFormat.CLAUDE,
    FormatId.CHAT: ProviderFormat.OPENAI,
    FormatId.RESPONSES: ProviderFormat.OPENAI,
    FormatId.COMPLETIONS: ProviderFormat.OPENAI,
    FormatId.GEMINI: ProviderFormat.GEMINI,
}
