"""Commands that ask the running gateway about its routing."""

import json
import re

from tests.cli.life import Life


def test_cooldowns_are_shown_and_cleared(life: Life) -> None:
    gateway = life.start("--demo")
    assert "Nothing is cooling down." in life.run("cooldowns").stdout
    assert gateway.ask("demo")[0] == 200
    rows = life.json("cooldowns")["data"]["cooldowns"]
    assert "demo/rate-limited" in {row["name"] for row in rows}
    assert all(row["secondsLeft"] > 0 for row in rows)
    shown = life.run("cooldowns").stdout
    assert "demo/rate-limited" in shown
    assert " rate limited " in shown
    life.run("cooldowns", "clear", "demo/rate-limited")
    assert "demo/rate-limited" not in {row["name"] for row in life.json("cooldowns")["data"]["cooldowns"]}
    life.run("cooldowns", "clear")
    assert life.json("cooldowns")["data"]["cooldowns"] == []
    assert life.run("cooldowns", "clear", "demo/no-such").stdout.startswith("Nothing of 'demo/no-such' rests")
    wrong = life.run("cooldowns", "clean")
    assert (wrong.returncode, "`clear`" in wrong.stderr) == (2, True)


def test_explain_names_the_candidates_in_order(life: Life) -> None:
    life.start("--demo")
    found = life.json("explain", "--model", "demo")["data"]
    assert [row["candidate"] for row in found["candidates"]] == [
        *("demo/overloaded", "demo/rate-limited", "demo/error-in-200", "demo/ok"),
    ]
    assert "demo/overloaded" in life.run("explain", "--model=demo").stdout
    body = life.home / "request.json"
    body.write_text(json.dumps({"model": "demo/ok", "messages": [{"role": "user", "content": "Hello"}]}))
    assert life.json("explain", f"--body={body}", "--format=claude")["data"]["requested"] == "demo/ok"


def test_explain_says_why_a_candidate_rests_and_until_when(life: Life) -> None:
    gateway = life.start("--demo")
    assert gateway.ask("demo")[0] == 200
    shown = life.run("explain", "--model=demo").stdout
    assert re.search(r"cooldown: rate limited until \d{4}-\d\d-\d\dT", shown)
    assert gateway.ask("demo/rate-limited")[0] == 429
    lines = [gateway.wait_for("attempt-failed") for _ in range(6)]
    for words in ("then=same-again next=-", "then=next next=demo/rate-limited", "then=give-up next=-"):
        assert any(f" {words} " in line for line in lines)


def test_explain_says_what_is_wrong(sourced: Life) -> None:
    assert sourced.run("explain", "--model=x").returncode == 1
    sourced.start("--demo")
    for args, message in (
        ((), "--model is missing"),
        (("--body=/no/such/file",), "cannot be read"),
        (("--model=nothing-like-it",), "nothing-like-it"),
        (("--model=demo", "--format=klingon"), "format must be one of"),
    ):
        done = sourced.run("explain", *args)
        assert done.returncode == 2
        assert message in done.stderr
