"""Which format is spoken to whom."""

import pytest

from llr.base.names import FormatId, ProviderFormat
from llr.routing.resolve import Resolver
from tests.routing.build import config, provider

CHAT, MESSAGES, RESPONSES = FormatId.CHAT, FormatId.MESSAGES, FormatId.RESPONSES
COMPLETIONS, GEMINI = FormatId.COMPLETIONS, FormatId.GEMINI
OA, C, G = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
OC, OR = ProviderFormat.OPENAI_CHAT, ProviderFormat.OPENAI_RESPONSES

# provider formats, model formats, wire, client -> target, wire format
TABLE = [
    (["openai"], [], None, CHAT, OA, CHAT),
    (["openai"], [], None, RESPONSES, OA, RESPONSES),
    (["openai"], [], None, COMPLETIONS, OA, COMPLETIONS),
    (["openai"], [], None, MESSAGES, OA, CHAT),
    (["openai"], [], None, GEMINI, OA, CHAT),
    (["openai"], [], "responses", MESSAGES, OA, RESPONSES),
    (["openai"], [], "responses", CHAT, OA, RESPONSES),
    (["openai"], [], "chat", RESPONSES, OA, CHAT),
    (["openai"], [], "responses", COMPLETIONS, OA, COMPLETIONS),
    (["claude"], [], None, CHAT, C, MESSAGES),
    (["claude"], [], None, MESSAGES, C, MESSAGES),
    (["claude"], [], None, COMPLETIONS, C, MESSAGES),
    (["openai", "claude"], [], None, MESSAGES, C, MESSAGES),
    (["openai", "claude"], [], "responses", MESSAGES, C, MESSAGES),
    (["claude", "openai"], [], None, CHAT, OA, CHAT),
    (["claude", "openai"], [], None, GEMINI, C, MESSAGES),
    (["openai", "claude"], ["claude"], None, CHAT, C, MESSAGES),
    (["openai-chat"], [], None, RESPONSES, OC, CHAT),
    (["openai-chat"], [], None, COMPLETIONS, OC, COMPLETIONS),
    (["openai-responses"], [], None, CHAT, OR, RESPONSES),
    (["openai-chat", "openai-responses"], [], None, RESPONSES, OR, RESPONSES),
    (["openai-chat", "openai-responses"], [], "responses", CHAT, OR, RESPONSES),
    (["openai"], ["openai-responses"], None, CHAT, OR, RESPONSES),
    (["openai-chat"], ["openai"], None, CHAT, OC, CHAT),
    (["gemini"], [], None, GEMINI, G, GEMINI),
    (["gemini", "openai"], [], None, CHAT, OA, CHAT),
    (["gemini"], [], None, MESSAGES, G, GEMINI),
]


@pytest.mark.parametrize(("formats", "of_model", "wire", "client", "target", "on_the_line"), TABLE)
def test_choice(
    formats: list[str],
    of_model: list[str],
    wire: str | None,
    client: FormatId,
    target: ProviderFormat,
    on_the_line: FormatId,
) -> None:
    model = {"id": "m", "formats": of_model, **({"metadata": {"llr": {"wire": wire}}} if wire else {})}
    found = config([provider("p", model, formats=formats, format=formats[0])])
    candidate = Resolver(found).resolve("p/m", client).candidates[0]
    assert (candidate.target, candidate.wire, candidate.unfit) == (target, on_the_line, None)


def test_the_probe_beats_what_was_configured() -> None:
    entry = provider(
        "p",
        {"id": "m", "formats": ["claude"]},
        formats=["openai", "claude"],
        lastProbe={"ok": True, "modelPreferredFormat": {"m": "openai"}},
    )
    assert Resolver(config([entry])).resolve("p/m", MESSAGES).candidates[0].target is OA
