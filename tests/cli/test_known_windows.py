"""A gateway knows the windows of well-known models where its config says nothing; nobody is asked for them."""

import json

from tests.cli.life import Life


def test_model_lists_and_explanations_have_known_windows(sourced: Life) -> None:
    models = ["gpt-4o", "house-model", {"id": "gpt-4.1", "contextWindow": 5000}]
    entry = {"id": "openai", "name": "OpenAI", "baseUrl": "https://api.openai.com/v1", "apiKey": "k" * 12}
    targets = [{"ref": "openai/gpt-4.1"}, {"ref": "openai/gpt-4o"}]
    document = {
        "version": 2,
        "providers": [{**entry, "format": "openai", "models": models}],
        "modelAliases": {"long": {"strategy": "ordered", "targets": targets}},
    }
    (sourced.home / ".llm-router.json").write_text(json.dumps(document))
    (sourced.home / ".llm-router.models.json").write_text('{"models": {"house-model": {"contextWindow": 77000}}}')
    gateway = sourced.start()
    status, body = gateway.get("/v1/models")
    assert status == 200
    windows = {one["id"]: one.get("context_window") for one in json.loads(body)["data"]}
    assert windows["openai/gpt-4o"] == 128_000
    assert windows["openai/house-model"] == 77_000
    assert windows["openai/gpt-4.1"] == 5_000
    long = {"model": "long", "body": {"model": "long", "messages": [{"role": "user", "content": "word " * 12_000}]}}
    status, body = gateway.get("/llr/explain", method="POST", body=json.dumps(long).encode())
    assert status == 200
    order = [(one["candidate"], one["fit"]) for one in json.loads(body)["candidates"]]
    assert order == [("openai/gpt-4o", "fits"), ("openai/gpt-4.1", "too-small")]
