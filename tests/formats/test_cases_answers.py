"""What answers hold besides words, each case by its name: it reaches every client, or says that it is missing."""

import json
from typing import Any

import pytest

from llr.base.names import FormatId
from llr.formats import translate
from llr.formats.table import FORMATS

from .samples import A, C, R, asked, meta

G = FormatId.GEMINI
ASKING: dict[FormatId, dict[str, Any]] = {
    A: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]},
    C: {"model": "m", "messages": [{"role": "user", "content": "x"}]},
    R: {"model": "m", "input": "x"},
    G: {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
}
# Bodies of tests are written as plain dictionaries; JSON as a type would want each of them spelt out.
to_client: Any = translate.response
as_stream: Any = translate.replay_body


def whole(body: dict[str, Any], client: FormatId, upstream: FormatId) -> dict[str, Any]:
    made: dict[str, Any] = to_client(
        body, FORMATS[client], FORMATS[upstream], meta(upstream, asked(client, ASKING[client]))
    )
    return made


def streamed(body: dict[str, Any], client: FormatId, upstream: FormatId) -> str:
    way = meta(upstream, asked(client, ASKING[client]))
    made: bytes = as_stream(body, FORMATS[client], FORMATS[upstream], way)
    return made.decode()


def gemini(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"responseId": "r", "candidates": [{"index": 0, "content": content, "finishReason": "STOP", **fields}]}


@pytest.mark.parametrize("client", [A, C, R])
def test_a_picture_in_an_answer_is_told_of_where_it_cannot_be_shown(client: FormatId) -> None:
    body = gemini({"text": "Look: "}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}})
    for said in (json.dumps(whole(body, client, G)), streamed(body, client, G)):
        assert "Look: " in said
        assert "[image not shown: image/png]" in said


@pytest.mark.parametrize("name", ["citationSources", "citations"])
def test_both_of_googles_names_for_sources_are_read(name: str) -> None:
    body = gemini({"text": "said"}, citationMetadata={name: [{"endIndex": 4, "uri": "https://u.test"}]})
    assert whole(body, A, G)["content"][0]["citations"][0]["url"] == "https://u.test"
    assert whole(body, C, G)["choices"][0]["message"]["annotations"][0]["url_citation"]["url"] == "https://u.test"
    assert "https://u.test" in streamed(body, R, G)
