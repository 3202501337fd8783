"""Persisted keys, letter for letter."""

import pytest

from llr.base.names import FormatId, ProviderFormat
from llr.routing.keys import bucket_key, candidate_key, enc, pin_key, route_key, slot_key, token_bucket_key

ENC = [
    ("acme/smart-2", "acme%2Fsmart-2"),
    ("aZ09-_.!~*'()", "aZ09-_.!~*'()"),
    ("a b@c:d", "a%20b%40c%3Ad"),
    ("ü€", "%C3%BC%E2%82%AC"),
    ("fast[1m]", "fast%5B1m%5D"),
    ("\ud800", "%3F"),
]


@pytest.mark.parametrize(("text", "encoded"), ENC)
def test_enc(text: str, encoded: str) -> None:
    assert enc(text) == encoded


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("alias", "chat.default", FormatId.CHAT), "route:alias:chat.default@openai"),
        (("alias", "chat.default", FormatId.RESPONSES), "route:alias:chat.default@openai"),
        (("direct", "acme/m", FormatId.MESSAGES), "route:direct:acme%2Fm@claude"),
        (("bare-model", "m", FormatId.GEMINI), "route:bare-model:m@gemini"),
        (("", "", None), "route:direct:smart@auto"),
    ],
)
def test_route_key(parts: tuple[str, str, FormatId | None], key: str) -> None:
    assert route_key(*parts) == key


@pytest.mark.parametrize(
    ("target", "tail"),
    [
        (ProviderFormat.OPENAI, "openai"),
        (ProviderFormat.OPENAI_CHAT, "openai"),
        (ProviderFormat.OPENAI_RESPONSES, "openai"),
        (ProviderFormat.CLAUDE, "claude"),
        (ProviderFormat.GEMINI, "gemini"),
        (None, "auto"),
    ],
)
def test_candidate_key(target: ProviderFormat | None, tail: str) -> None:
    assert candidate_key("acme/smart-2", target) == f"candidate:acme%2Fsmart-2@{tail}"


def test_other_keys() -> None:
    assert bucket_key("acme", "monthly-cap") == "bucket:acme:monthly-cap"
    assert token_bucket_key("acme", "a b") == "bucket:acme:a%20b#tokens"
    assert token_bucket_key("acme", "a") != bucket_key("acme", "a#tokens")
    assert slot_key("model", "acme/m") == "slot:model:acme%2Fm"
    assert pin_key("route:alias:a@openai", "00ff") == "pin:route:alias:a@openai:00ff"
