"""The whole way once, over real sockets: a provider is probed, saved, listed and explained."""

import json
import socket

from tests.cli.life import Life


def test_a_provider_is_probed_and_saved(archived: Life) -> None:
    gateway = archived.start("--demo")
    file = archived.home / "mine ü.json"
    url = f"http://{gateway.address[0]}:{gateway.address[1]}/v1"
    line = ("--name=Local", f"--endpoints={url}", "--api-key=-", "--models=demo/ok,demo/tools", "--probe-rpm=60000")
    done = archived.run("config", "upsert-provider", *line, f"--config={file}", stdin="sk-live-probe-0123\n")
    assert done.returncode == 0, done.stderr
    assert "[discover] Progress 1/" in done.stdout
    assert "| Auto-detection           | Completed" in done.stdout
    assert "sk-live-probe-0123" not in done.stdout + done.stderr
    saved = json.loads(file.read_text())["providers"][0]
    assert (saved["id"], saved["apiKey"], saved["lastProbe"]["ok"]) == ("local", "sk-live-probe-0123", True)
    assert [one["id"] for one in saved["models"]] == ["demo/ok", "demo/tools"]
    found = archived.json("config", "discover-provider-models", "--provider-id=local", f"--config={file}")
    assert "demo/ok" in found["data"]["models"]
    failed = archived.json(
        *("config", "test-provider", "--provider-id=local", "--models=demo/none", "--probe-rpm=60000"),
        f"--config={file}",
    )
    assert (failed["exitCode"], failed["error"]["code"]) == (1, "probe-incomplete")


def test_an_unreachable_provider_is_not_saved(sourced: Life) -> None:
    file = sourced.home / "c.json"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"--endpoints=http://127.0.0.1:{silent.getsockname()[1]}/v1"
        line = ("--name=Gone", url, "--api-key=k-0123456789", "--models=m", "--probe-rpm=60000")
        body = sourced.json("config", "upsert-provider", *line, f"--config={file}")
    assert (body["exitCode"], body["error"]["code"]) == (1, "probe-failed")
    assert not file.exists()
