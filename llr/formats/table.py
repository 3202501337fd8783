"""Every wire format, in display order: one row makes a format reachable from and to all others."""

from collections.abc import Mapping

from llr.base.names import FormatId
from llr.formats import anthropic_messages, gemini, openai_chat, openai_completions, openai_responses
from llr.formats.base import Format

FORMATS: Mapping[FormatId, Format] = {
    FormatId.MESSAGES: anthropic_messages.FORMAT,
    FormatId.CHAT: openai_chat.FORMAT,
    FormatId.RESPONSES: openai_responses.FORMAT,
    FormatId.COMPLETIONS: openai_completions.FORMAT,
    FormatId.GEMINI: gemini.FORMAT,
}
