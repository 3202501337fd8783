"""The user's own catalogue: written only by a refresh, from an address or a file, and never in the way of serving."""

import json
from pathlib import Path
from typing import Any

import pytest

from llr.config.parse import parse_config
from llr.config.schema import Config
from llr.control import catalogue
from llr.control.report import Refused
from llr.wire.http import Handler, Request, Response
from tests.net.rig import serving

OWN: dict[str, Any] = {"models": {"house": {"contextWindow": 4321}, "gpt-4o": {"contextWindow": 7}}}


def answering(status: int, body: bytes, *fields: tuple[bytes, bytes]) -> Handler:
    async def handle(request: Request) -> Response:
        assert b"authorization" not in request.headers
        return Response(status, [(b"content-type", b"application/json"), *fields], body)

    return handle


async def test_a_refresh_from_an_address(tmp_path: Path) -> None:
    config = str(tmp_path / "router.json")
    async with serving(answering(200, json.dumps(OWN).encode())) as (_, port):
        done = await catalogue.refresh(f"http://127.0.0.1:{port}/models.json", config, {})
    assert (done.models, done.new) == (2, 1)
    assert done.path == str(tmp_path / "router.models.json")
    assert (tmp_path / "router.models.json").stat().st_mode & 0o077 == 0
    found = catalogue.lookup("gpt-4o", 0, config).exact
    assert found is not None
    assert found.context_window == 7
    assert list(tmp_path.iterdir()) == [tmp_path / "router.models.json"]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, b"{}", "it answered 500"),
        (301, b"", "moved to https://elsewhere.example/x"),
        (200, b"<html>", "no model catalogue"),
        (200, b"{}", "no model with"),
    ],
)
async def test_a_source_that_is_none_leaves_the_file_alone(tmp_path: Path, status: int, body: bytes, says: str) -> None:
    config = str(tmp_path / "router.json")
    (tmp_path / "router.models.json").write_text(json.dumps(OWN))
    moved = (b"location", b"https://elsewhere.example/x")
    async with serving(answering(status, body, *((moved,) if status == 301 else ()))) as (_, port):
        with pytest.raises(Refused) as caught:
            await catalogue.refresh(f"http://127.0.0.1:{port}/x", config, {})
    assert says in str(caught.value)
    assert json.loads((tmp_path / "router.models.json").read_text()) == OWN


async def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused):
        await catalogue.refresh(str(tmp_path / "none.json"), str(tmp_path / "router.json"), {})


def config_of(*models: Any) -> Config:
    entry: dict[str, Any] = {
        "id": "p",
        "name": "P",
        "baseUrl": "https://a.example.test/v1",
        "apiKey": "k",
        "models": list(models),
    }
    parsed = parse_config({"version": 2, "providers": [entry]}, {})
    assert parsed.config is not None
    return parsed.config


def test_the_users_file_wins_in_the_config_that_serves(tmp_path: Path) -> None:
    path = str(tmp_path / "router.json")
    (tmp_path / "router.models.json").write_text(json.dumps(OWN))
    known, wrong = catalogue.with_windows(config_of("gpt-4o", "house", "gpt-4.1", "nobody"), path)
    assert wrong == ""
    windows = [model.context_window for model in known.providers[0].models]
    assert windows == [7, 4321, 1_047_576, None]


def test_a_broken_file_is_told_and_does_not_stop_serving(tmp_path: Path) -> None:
    path = str(tmp_path / "router.json")
    (tmp_path / "router.models.json").write_text("{")
    known, wrong = catalogue.with_windows(config_of("gpt-4o"), path)
    assert "router.models.json" in wrong
    assert known.providers[0].models[0].context_window == 128_000


def test_what_states_every_window_reads_no_catalogue(tmp_path: Path) -> None:
    stated = config_of({"id": "gpt-4o", "contextWindow": 5})
    (tmp_path / "router.models.json").write_text("{")
    assert catalogue.with_windows(stated, str(tmp_path / "router.json")) == (stated, "")
