"""Parts of the composition: kept flags, carrier key, choice of store, state passed from process to process."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from llr.base.clock import SystemClock
from llr.base.jsonio import JSON
from llr.cli import carrierkey, configuration, stores
from llr.cli.cmd_cooldowns import reason_words
from llr.cli.cmd_status import overview
from llr.cli.launch import SERVING_PARAMS, Launch, from_worker_args
from llr.cli.merges import MERGES
from llr.cli.parser import build
from llr.cli.stores import Chosen
from llr.config.schema import Doc, Settings
from llr.control.effective import settings_facts
from llr.control.report import Refused
from llr.daemon.channel import Answer, Ask, problem
from llr.daemon.instance import Instance
from llr.state.file import FileStore
from llr.state.memory import MemoryStore
from llr.state.store import BucketKey, Keys, Reserve, SetCursor

LOCAL: list[tuple[Doc, dict[str, Any], Doc]] = [
    ({}, {"requireAuth": True}, {"metadata": {"localServer": {"requireAuth": True}}}),
    ({"metadata": {"localServer": {"requireAuth": True}}}, {"requireAuth": False}, {}),
    (
        {"metadata": {"x": 1, "localServer": {"requireAuth": True, "other": 2}}},
        {"watchConfig": False, "requireAuth": False},
        {"metadata": {"x": 1, "localServer": {"other": 2, "watchConfig": False}}},
    ),
]


@pytest.mark.parametrize(("doc", "changed", "expected"), LOCAL)
def test_typed_flags_in_the_document(doc: Doc, changed: dict[str, Any], expected: Doc) -> None:
    before = repr(doc)
    assert configuration._with_local_server(doc, changed) == expected
    assert repr(doc) == before


def test_settings_have_stable_names() -> None:
    facts = settings_facts(Settings())
    assert facts["drainTimeoutSeconds"] == 30.0
    assert facts["maxBodyBytes"] == 32 * 1024 * 1024
    assert facts["allowedIps"] == []


def test_carrier_key_is_made_once(tmp_path: Path) -> None:
    path = str(tmp_path / ".llr-carrier.key")
    key = carrierkey.load_or_make(path)
    assert len(key) == 64
    assert carrierkey.load_or_make(path) == key
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [".llr-carrier.key"]


def test_a_short_carrier_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"short\n")
    with pytest.raises(OSError, match="holds no key"):
        carrierkey.load_or_make(str(path))


def test_carrier_key_lies_beside_the_config() -> None:
    assert carrierkey.key_path("/a/b.json", None) == "/a/.llr-carrier.key"
    assert carrierkey.key_path("/a/b.json", "keys/x") == "/a/keys/x"
    assert carrierkey.key_path("/a/b.json", "/k") == "/k"


BACKENDS = [
    ("file", False, 1, "file"),
    ("file", False, 2, "sqlite"),
    ("file", True, 1, "memory"),
    ("sqlite", False, 1, "sqlite"),
    ("memory", False, 4, "memory"),
]


@pytest.mark.parametrize(("wanted", "demo", "workers", "chosen"), BACKENDS)
def test_backend(wanted: str, demo: bool, workers: int, chosen: str) -> None:
    assert stores.backend(Settings(state_backend=wanted), demo=demo, workers=workers) == chosen


def test_a_store_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(Refused, match="unknown state backend 'clay'"):
        stores.open_chosen(Settings(state_backend="clay"), SystemClock(), config_path="")


async def test_state_passes_from_one_process_to_the_next(tmp_path: Path) -> None:
    clock = SystemClock()
    path = str(tmp_path / "state.json")
    old, new = FileStore(path), FileStore(path)
    await old.apply([SetCursor("route:a", 7)], now=clock.now())
    reply = await stores.state_routes(Chosen(old, "file"), clock)["POST /state/release"](Ask("POST", "/state/release"))
    await stores.state_routes(Chosen(new, "file"), clock)["POST /state/absorb"](Ask("POST", "", {}, reply.body))
    found = await new.read(Keys(cursors=("route:a",)), now=clock.now())
    assert found.cursors["route:a"] == 7
    # The old one keeps no file any more: the new one can write it.
    await new.apply([SetCursor("route:a", 8)], now=clock.now())
    await new.aclose()
    assert '"route:a": 8' in Path(path).read_text()
    await old.aclose()


def test_what_is_shared_is_not_passed_on() -> None:
    rows = stores.state_routes(Chosen(MemoryStore(), "sqlite"), SystemClock())
    # Only the slots of a process that died are given back there.
    assert list(rows) == ["POST /state/vacate"]


async def test_memory_passes_its_state_on_too() -> None:
    clock = SystemClock()
    old, new = MemoryStore(), MemoryStore()
    await old.apply([Reserve(BucketKey("bucket:p:b", "month:1:2026-02"), 2, 5, clock.now() + 60)], now=clock.now())
    reply = await stores.state_routes(Chosen(old, "memory"), clock)["POST /state/release"](Ask("POST", ""))
    await stores.state_routes(Chosen(new, "memory"), clock)["POST /state/absorb"](Ask("POST", "", {}, reply.body))
    assert (await new.everything(now=clock.now())).usage == {BucketKey("bucket:p:b", "month:1:2026-02"): 2}


def told(**body: JSON) -> Answer:
    return Answer(200, body)


def test_answers_of_workers_become_one() -> None:
    first: dict[str, JSON] = {"name": "a", "format": None, "reason": "x", "until": "2026-01-01T00:00:01Z"}
    later: dict[str, JSON] = {**first, "until": "2026-01-01T00:00:02Z"}
    count: dict[str, JSON] = {"provider": "p", "bucket": "b", "window": "w", "unit": "requests", "used": 2}
    answers = [
        told(cooldowns=[first], counts=[count], perProcess=True),
        told(cooldowns=[later, {**first, "name": "b"}], counts=[{**count, "used": 3}], perProcess=True),
    ]
    merged = MERGES["GET /cooldowns"](answers)
    assert isinstance(merged.body, dict)
    assert merged.body["cooldowns"] == [later, {**first, "name": "b"}]
    assert merged.body["counts"] == [{**count, "used": 5}]
    shared = MERGES["GET /cooldowns"]([told(cooldowns=[], counts=[count]), told(cooldowns=[], counts=[count])])
    assert isinstance(shared.body, dict)
    assert shared.body["counts"] == [count]
    # Two workers that looked at one store at once both found the same record.
    clear = MERGES["POST /cooldowns/clear"]
    assert clear([told(cleared=1), told(cleared=2, ref="a"), told(cleared=0)]).body == {"cleared": 2}
    assert clear([told(cleared=1, perProcess=True), told(cleared=2, perProcess=True)]).body == {
        "cleared": 3,
        "perProcess": True,
    }
    lessons: list[JSON] = [{"candidate": "a/m", "wire": "w", "marks": [mark]} for mark in ("y", "x")]
    facts = [
        told(demo=True, upstreamConnections=n, learned=[lesson], stateAway=n > 1) for n, lesson in enumerate(lessons, 1)
    ]
    joined: JSON = {"candidate": "a/m", "wire": "w", "marks": ["x", "y"]}
    assert MERGES["GET /status"](facts).body == {
        "demo": True,
        "upstreamConnections": 3,
        "learned": [joined],
        "stateAway": True,
    }
    gone = problem(503, "worker-gone", "x")
    assert all(merge([gone, gone]) == gone for merge in MERGES.values())


def test_worker_args_say_the_same_launch() -> None:
    launch = Launch(
        config_path="/a b/c.json", host="::1", require_auth=True, watch_config=False, workers=3, log_format="json"
    )
    command, lenient, *flags = launch.worker_args()
    assert (command, lenient) == ("start-runtime", "--lenient")
    args: Namespace = build("start-runtime", SERVING_PARAMS).parse_args(flags)
    assert from_worker_args(args) == launch


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", None), ("0.0.0.0", "Other machines (listens on 0.0.0.0)")])
def test_status_says_that_other_machines_reach_it(host: str, told: str | None) -> None:
    rows = dict(overview(Instance(pid=1, host=host, port=8376), {}))
    assert (rows["Gateway"], rows.get("Open To")) == ("http://127.0.0.1:8376", told)


def test_reasons_of_rest_are_words() -> None:
    assert [reason_words(reason) for reason in ("circuit", "auth_failed")] == ["failed repeatedly", "auth failed"]


def test_status_tells_the_version_that_answers() -> None:
    running = Instance(pid=7, version="1")
    facts: dict[str, JSON] = {"processes": [{"pid": 8, "version": "2"}, {"pid": 9, "version": "2"}]}
    rows = dict(overview(running, facts))
    assert rows["Version"] == "2 (process 7 is still 1: open streams have to end first)"
    assert dict(overview(running, {"processes": [{"pid": 7, "version": "1"}]}))["Version"] == "1"
