"""What is known of servers by their address."""

import pytest

from llr.config.cursor import Cursor
from llr.config.traits import TRAITS, read_traits
from llr.providers import traits


@pytest.mark.parametrize(
    ("base", "name", "value"),
    [
        ("https://api.mistral.ai/v1", "tool_id", "nine"),
        ("https://MISTRAL.AI.:443/v1", "tool_id", "nine"),
        ("https://codestral.mistral.ai", "tool_id", "nine"),
        ("https://notmistral.ai", "tool_id", None),
        ("https://mistral.ai.evil.test", "tool_id", None),
        ("http://localhost:11434/v1", "think_tags", True),
        ("http://[::1]:8000", "think_tags", True),
        ("http://192.168.1.5", "prompt_cache_key", False),
        ("https://8.8.8.8", "prompt_cache_key", None),
        ("https://api.openai.com/v1", "prompt_cache_key", None),
        ("https://openrouter.ai/api/v1", "cache_control", True),
        ("http://[broken", "think_tags", None),
        ("", "think_tags", None),
    ],
)
def test_servers_are_known_by_host(base: str, name: str, value: object) -> None:
    assert traits.traits_of(base).get(name) == value


def test_every_row_could_be_written_in_a_config() -> None:
    for row in (*traits._HOSTS.values(), traits._LOCAL, traits._PLAIN):
        assert set(row) <= set(TRAITS)
        issues: list[object] = []
        assert read_traits(Cursor(dict(row), "$", issues), "row") == row  # type: ignore[arg-type]
        assert not issues
