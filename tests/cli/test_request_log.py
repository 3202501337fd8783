"""The request log and windows on a calendar, as the built archive keeps them."""

import json
from pathlib import Path
from typing import Any

from tests.cli.life import Life
from tests.cli.providers import Providers, ask, write


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_request_leaves_a_line_where_the_config_says_so(archived: Life, providers: Providers) -> None:
    doc = providers.document()
    write(archived, doc)
    log = archived.home / "..llm-router.requests.jsonl"
    gateway = archived.start("--no-watch-config")
    ask(gateway)
    missing = archived.run("logs", "--requests")
    assert missing.returncode == 1
    assert "metadata.llr.requestLog.enabled" in missing.stderr
    doc["metadata"]["llr"]["requestLog"] = {"enabled": True}
    write(archived, doc)
    archived.json("reload")
    ask(gateway)
    providers.status["a"] = 500
    ask(gateway)
    gateway.process.terminate()
    assert gateway.wait() == 0
    plain, failed_over = rows(log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert [one["candidate"] for one in plain["attempts"]] == ["a/m"]
    results = [(one["candidate"], one["status"], one["result"]) for one in failed_over["attempts"]]
    assert results == [("a/m", 500, "temporary_error"), ("b/m", 200, "ok")]
    shown = archived.run("logs", "--requests", "-n", "1").stdout
    assert "any -> b/m" in shown
    assert "2 attempts" in shown
    assert archived.json("logs", "--requests")["data"]["lines"] == [plain, failed_over]


def test_workers_write_one_log(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    archived.env["LLM_ROUTER_REQUEST_LOG"] = "1"
    gateway = archived.start("--workers=2")
    for _ in range(40):
        assert ask(gateway)[0] == 200
    gateway.process.terminate()
    assert gateway.wait() == 0
    found = rows(archived.home / "..llm-router.requests.jsonl")
    assert len({row["id"] for row in found}) == 40


def test_a_window_on_a_calendar(archived: Life, providers: Providers) -> None:
    write(archived, providers.document())
    window = {"unit": "month", "size": 1, "timezone": "Europe/Berlin", "anchor": "2026-01-15T09:00"}
    made = archived.json(
        *("config", "set-provider-rate-limits", "--provider-id=a", "--bucket-id=cap", "--bucket-models=all"),
        *("--bucket-requests=5", f"--bucket-window={json.dumps(window)}"),
    )
    assert made["data"]["rateLimits"][0]["window"] == {**window, "anchor": "2026-01-15T09:00:00"}
    assert "1 month, Europe/Berlin, from 2026-01-15 09:00" in archived.run("config", "list").stdout
    refused = archived.run(
        *("config", "set-provider-rate-limits", "--provider-id=a", "--bucket-id=cap", "--bucket-models=all"),
        *("--bucket-requests=5", f"--bucket-window={json.dumps({**window, 'timezone': 'Europe/Berlln'})}"),
    )
    assert refused.returncode != 0
    assert "unknown time zone Europe/Berlln" in refused.stderr
    gateway = archived.start()
    ask(gateway)
    (count,) = archived.json("cooldowns")["data"]["counts"]
    # Nine in Berlin on the fifteenth of some month: seven or eight in UTC.
    assert count["resets"][7:16] in ("-15T07:00", "-15T08:00")
    assert count["window"].startswith("month:1:")
    assert "-15T09:00:00+0" in count["window"]
    assert ", anew " in archived.run("explain", "--model=any").stdout
