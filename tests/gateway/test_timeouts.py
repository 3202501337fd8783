"""Whose limit counts for an attempt, and how a provider is reached."""

from typing import Any

import pytest

from llr.base.names import FormatId
from llr.config.parse import parse_config
from llr.config.schema import Settings
from llr.gateway.asking import timeouts_for
from llr.gateway.deps import Live
from llr.routing.route import Kind
from llr.testing import Playbook, json_reply
from llr.wire.http import Timeouts
from tests.gateway.samples import CHAT


def live(root: dict[str, int], provider: dict[str, int], model: dict[str, int], **settings: Any) -> Live:
    entry: dict[str, Any] = {
        "id": "a",
        "baseUrl": "https://a.test/v1",
        "format": "openai",
        "apiKey": "k",
        "timeouts": provider,
        "models": [{"id": "m", "timeouts": model}],
    }
    doc: dict[str, Any] = {"version": 2, "providers": [entry], "timeouts": root}
    config = parse_config(doc, {}).config
    assert config is not None
    return Live(config, Settings(**settings))


ROOT = {"connectMs": 1000, "firstByteMs": 2000, "idleMs": 3000}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (live({}, {}, {}), Timeouts(10, 300, 240)),
        (live(ROOT, {}, {}), Timeouts(1, 2, 3)),
        (live(ROOT, {"idleMs": 4000}, {}), Timeouts(1, 2, 4)),
        (live(ROOT, {"idleMs": 4000}, {"idleMs": 5000, "connectMs": 6000}), Timeouts(6, 2, 5)),
        (live(ROOT, {}, {"firstByteMs": 7000}, upstream_first_byte_s=8.0), Timeouts(1, 8, 3)),
    ],
)
def test_the_nearest_limit_counts_and_the_environment_first(given: Live, found: Timeouts) -> None:
    (candidate,) = given.route("a/m", FormatId.CHAT, Kind.GENERATE).candidates
    assert timeouts_for(candidate, given) == found


async def test_a_provider_is_reached_by_its_own_proxy_and_roots() -> None:
    entry: dict[str, Any] = {
        "id": "a",
        "baseUrl": "https://a.test:8443/v1",
        "format": "openai",
        "apiKey": "k",
        "models": ["m"],
    }
    reached = {"proxy": "http://proxy.test:3128", "caFile": "/etc/own.pem"}
    play = Playbook({"version": 2, "providers": [{**entry, "metadata": {"llr": reached}}]})
    play.upstream("a.test").answers(json_reply(CHAT.answer))
    assert (await play.ask("POST", CHAT.path, CHAT.body("a/m"))).status == 200
    (asked,) = play.upstream("a.test").asked
    origin = asked.origin
    assert (origin.scheme, origin.port) == ("https", 8443)
    assert (origin.proxy, origin.ca_file) == ("http://proxy.test:3128/", "/etc/own.pem")
