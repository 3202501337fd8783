"""The daemon's small pure parts: launcher, back-off, log lines, what passes through exec, connection cap."""

import io
import json

import pytest

from llr.daemon import descriptors, respawn, resume, spawn
from llr.daemon.instance import Instance
from llr.daemon.log import Log
from llr.daemon.resume import Kept, Plan
from llr.daemon.spawn import Launcher

LAUNCHERS = [
    (["py", "/a/llr.pyz", "start"], ["/a/llr.pyz", "start"], (), ("/a/llr.pyz",)),
    (["py", "-I", "-S", "/a/llr.pyz"], ["/a/llr.pyz"], ("-I", "-S"), ("/a/llr.pyz",)),
    (["py", "-m", "llr", "start"], ["/x/llr/__main__.py", "start"], (), ("-m", "llr")),
    (["py", "-X", "dev", "-m", "llr"], ["/x/llr/__main__.py"], ("-X", "dev"), ("-m", "llr")),
    (["py", "/venv/bin/llr", "start"], ["/venv/bin/llr", "start"], (), ("/venv/bin/llr",)),
]


@pytest.mark.parametrize(("orig", "argv", "options", "script"), LAUNCHERS)
def test_launcher(orig: list[str], argv: list[str], options: tuple[str, ...], script: tuple[str, ...]) -> None:
    found = spawn.read_launcher("/usr/bin/py", orig, argv)
    assert found == Launcher("/usr/bin/py", options, script)
    assert found.command(["x"]) == ["/usr/bin/py", *options, *script, "x"]
    assert found.command(["x"], "/copy") == ["/usr/bin/py", *options, "/copy", "x"]


def test_relative_script_is_made_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert spawn.read_launcher("py", ["py", "llr.pyz"], ["llr.pyz"]).path == "/llr.pyz"


def test_preflight_says_why() -> None:
    import sys

    assert spawn.preflight([sys.executable, "-c", "pass"], {}, ()) is None
    assert "boom" in (spawn.preflight([sys.executable, "-c", "raise SystemExit('boom')"], {}, ()) or "")
    assert spawn.preflight(["/no/such/program"], {}, ()) == "No such file or directory"


def test_respawn_slows_down() -> None:
    assert [respawn.pause_s(n) for n in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert respawn.recent([0.0, 30.0, 59.0], 60.0) == [30.0, 59.0]
    assert not respawn.hopeless([0.0] * 4)
    assert respawn.hopeless([0.0] * 5)


def test_log_text_and_json() -> None:
    stream = io.StringIO()
    Log(stream, now=lambda: 0.5).event("started", port=1, note="two words", empty=None, key="sk-abcdefghijklmnop")
    assert stream.getvalue() == (
        '1970-01-01T00:00:00.500Z info started port=1 note="two words" empty=- key=[redacted]\n'
    )
    stream = io.StringIO()
    Log(stream, as_json=True, now=lambda: 0.0).warn("odd", n=1.5)
    assert json.loads(stream.getvalue()) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "warn",
        "event": "odd",
        "n": 1.5,
    }


def test_log_keeps_to_its_level_and_its_lines() -> None:
    stream = io.StringIO()
    log = Log(stream, level="warn", now=lambda: 0.0)
    log.event("quiet")
    log.error("loud", text="a\nb")
    assert stream.getvalue().count("\n") == 1
    assert "a\\nb" in stream.getvalue()


def test_log_hides_known_secrets() -> None:
    stream = io.StringIO()
    log = Log(stream, now=lambda: 0.0)
    log.secrets = ("plainword",)
    log.event("x", text="with plainword inside")
    assert "plainword" not in stream.getvalue()


def test_a_closed_terminal_is_no_error() -> None:
    stream = io.StringIO()
    log = Log(stream, now=lambda: 0.0)
    stream.close()
    log.event("x")
    log.event("y")


PLAN = Plan("/s.json", Instance(7, version="1"), ("start-runtime", "--demo=true"), ("start", "--demo"), "/llr.pyz", 2)
KEPT = Kept(PLAN, (3, 4), 5, 6, "/s.sock", None, ((8, 9, "1"), (10, 11, "1")), 12)


def test_what_passes_through_exec() -> None:
    env = resume.to_env(KEPT)
    assert resume.from_env(env) == KEPT
    assert env == {}
    assert KEPT.all_fds() == [3, 4, 5, 6, 9, 11, 12]


def test_another_version_may_say_less_or_more() -> None:
    body = json.loads(resume.to_env(KEPT)[resume.VARIABLE])
    body["future"] = 1
    body["plan"]["future"] = 1
    del body["plan"]["handover_drain_s"]
    assert resume.from_env({resume.VARIABLE: json.dumps(body)}) == KEPT


@pytest.mark.parametrize("text", ["{", "[]", '{"plan": {}}'])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        resume.from_env({resume.VARIABLE: text})


@pytest.mark.parametrize(("limit", "cap"), [(1024, 448), (128, 16), (0, 16), (1_048_576, 524_224)])
def test_connection_cap(limit: int, cap: int) -> None:
    assert descriptors.connection_cap(limit) == cap
