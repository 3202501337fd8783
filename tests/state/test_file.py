"""The state file: the reference's shape, tolerant reading, quiet writing."""

import asyncio
import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from llr.state.file import FLUSH_S, FileLock, FileStore, load
from llr.state.statefile import decode, decode_health, encode, encode_health, millis, whole
from llr.state.store import BucketKey, Fail, Health, Keys, Recover, Release, Reserve, SetCursor
from llr.testing import FakeClock

NOW = 1_772_293_357.12

# As the reference router writes it.
REFERENCE: dict[str, Any] = {
    "version": 1,
    "updatedAt": "2026-02-28T15:42:37.120Z",
    "routeCursors": {"route:alias:chat.default@openai": 3},
    "candidateStates": {
        "candidate:acme%2Fsmart-2@openai": {
            "cooldownUntil": 1772293387120,
            "openUntil": 0,
            "expiresAt": 0,
            "consecutiveRetryableFailures": 1,
            "lastFailureAt": 1772293357120,
            "lastFailureStatus": 429,
            "lastFailureCategory": "rate_limited",
            "updatedAt": 1772293357120,
        }
    },
    "bucketUsage": {
        "bucket:acme:monthly-cap": {
            "month:1:2026-02": {"count": 128, "expiresAt": 1772323200000, "updatedAt": 1772293357120}
        }
    },
}
KEY = "candidate:acme%2Fsmart-2@openai"
MONTH = BucketKey("bucket:acme:monthly-cap", "month:1:2026-02")
KEYS = Keys(("route:alias:chat.default@openai",), (MONTH,), (KEY,))


def store(path: Path, now: float = NOW) -> FileStore:
    return FileStore(str(path), clock=FakeClock(now))


def written(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


async def test_the_references_file_is_understood_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(REFERENCE))
    opened = store(path)
    found = await opened.read(KEYS, now=NOW)
    assert found.cursors == REFERENCE["routeCursors"]
    assert found.usage == {MONTH: 128}
    record = found.health[KEY]
    assert (record.failures, dict(record.cooldowns)) == (1, {"rate_limited": 1_772_293_387.12})
    assert await opened.apply([SetCursor("route:x", 1)], now=NOW) == (True,)
    await opened.aclose()
    document = written(path)
    ours = document["candidateStates"][KEY].pop("llr")
    assert ours == {"cooldowns": {"rate_limited": 1772293387120}}
    assert document["routeCursors"].pop("route:x") == 1
    assert document == REFERENCE


async def test_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    first = store(path)
    fail = Fail(KEY, "auth_failed", 401, False, NOW, "auth_failed", NOW + 600, credential="00ff00ff")
    await first.apply([SetCursor("route:a", 2), Reserve(MONTH, 2, 9, NOW + 1e6), fail], now=NOW)
    await first.aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(os.listdir(path.parent)) == {"state.json", "state.json.lock"}
    again = store(path)
    await again.apply([Reserve(MONTH, 1, 9, NOW + 1e6)], now=NOW)
    found = await again.read(Keys(("route:a",), (MONTH,), (KEY,)), now=NOW)
    assert (found.cursors, found.usage) == ({"route:a": 2}, {MONTH: 3})
    record = found.health[KEY]
    assert (record.credential, dict(record.cooldowns), record.failures) == ("00ff00ff", {"auth_failed": NOW + 600}, 0)
    await again.aclose()


async def test_a_missing_file_is_empty_and_stays_missing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    opened = store(path)
    assert (await opened.everything(now=NOW)).cursors == {}
    await opened.apply([Recover(KEY), Release(MONTH, 1)], now=NOW)
    await opened.aclose()
    assert os.listdir(tmp_path) == []


CORRUPT = [b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"version":1', b"not json"]


@pytest.mark.parametrize("text", CORRUPT)
async def test_a_corrupt_file_is_kept_aside(text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(text)
    opened = store(path)
    assert (await opened.everything(now=NOW)).health == {}
    aside = tmp_path / f"state.json.corrupt-{int(NOW * 1000)}"
    assert aside.read_bytes() == text
    assert "starts empty" in caplog.text
    await opened.apply([SetCursor("route:a", 1)], now=NOW)
    await opened.aclose()
    assert written(path)["routeCursors"] == {"route:a": 1}


ODD: list[Any] = [
    [],
    "x",
    7,
    None,
    {"routeCursors": [], "candidateStates": 3, "bucketUsage": "x"},
    {"routeCursors": {"a": "3", "": 4, "b": True}, "candidateStates": {"c": None, "": {}}, "bucketUsage": {"d": []}},
    {"bucketUsage": {"d": {"w": {"count": "7"}, "": {"count": 1}, "v": 3}}},
]


@pytest.mark.parametrize("document", ODD)
def test_unknown_parts_are_dropped(document: Any) -> None:
    found = decode(document)
    assert (found.cursors, found.health, found.usage) == ({}, {}, {})


def test_numbers_are_made_whole() -> None:
    values = [3.9, -4, "5", None, True, float("inf"), float("nan"), 10**40]
    assert [whole(value) for value in values] == [3, 0, 0, 0, 0, 0, 0, 2**53]
    assert millis(NOW) == 1772293357120
    record = decode_health({"consecutiveFailures": 2, "cooldownUntil": -5, "openUntil": "x", "healthScore": 0.5})
    assert (record.failures, dict(record.cooldowns), record.open_until_at) == (2, {}, 0.0)
    assert record.extra == {"healthScore": 0.5}


def test_other_writers_fields_survive_and_their_cooldown_has_the_last_word() -> None:
    state = encode_health(Health(cooldowns={"a": NOW + 50, "b": NOW + 20}, updated_at=NOW, extra={"note": [1]}))
    assert (state["cooldownUntil"], state["note"]) == (millis(NOW + 50), [1])
    assert decode_health(state).extra == {"note": [1]}
    cleared = decode_health(state | {"cooldownUntil": 0})
    assert dict(cleared.cooldowns) == {}
    longer = decode_health(state | {"cooldownUntil": millis(NOW + 90), "lastFailureCategory": "not_found"})
    assert dict(longer.cooldowns) == {"a": NOW + 50, "b": NOW + 20, "not_found": NOW + 90}
    explicit = decode_health(state | {"expiresAt": millis(NOW + 7)})
    assert encode_health(explicit)["expiresAt"] == millis(NOW + 7)


def test_a_round_trip_is_lossless() -> None:
    document = encode(
        {}, {KEY: Health(2, NOW + 9, {"x": NOW + 1}, NOW, 500, "y", NOW, NOW + 3, NOW, "cc")}, [], now=NOW
    )
    assert encode({}, decode(document).health, [], now=NOW) == document


async def test_writes_are_coalesced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / "state.json", FakeClock(NOW)
    opened = FileStore(str(path), clock=clock)
    texts: list[str] = []
    write = opened._write

    def counted(text: str) -> None:
        texts.append(text)
        write(text)

    monkeypatch.setattr(opened, "_write", counted)
    for value in range(1, 50):
        await opened.apply([SetCursor("route:a", value)], now=NOW)
    assert texts == []
    await settled(opened, clock)
    assert len(texts) == 1
    assert written(path)["routeCursors"] == {"route:a": 49}
    # What changes nothing writes nothing.
    await opened.apply([SetCursor("route:a", 49), Recover(KEY)], now=NOW)
    await settled(opened, clock)
    assert len(texts) == 1
    await opened.aclose()
    assert len(texts) == 1


async def settled(opened: FileStore, clock: FakeClock) -> None:
    """Lets the store's own task come to its end."""
    for _ in range(3):
        await asyncio.sleep(0)
        await clock.advance(FLUSH_S)
        async with opened._writing:
            pass
    if opened._flushing is not None:
        await asyncio.wait([opened._flushing], timeout=5)


async def test_a_write_that_fails_never_fails_a_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.write_text("a file where a folder should be")
    path, clock = folder / "state.json", FakeClock(NOW)
    opened = FileStore(str(path), clock=clock)
    for value in range(3):
        assert await opened.apply([SetCursor("route:a", value + 1)], now=NOW) == (True,)
        await asyncio.sleep(0)
        await clock.advance(10.0)
        async with opened._writing:
            pass
    assert caplog.text.count("stays in memory") == 1
    assert (await opened.read(Keys(("route:a",)), now=NOW)).cursors == {"route:a": 3}
    folder.unlink()
    with caplog.at_level(logging.WARNING):
        await opened.aclose()
    assert written(path)["routeCursors"] == {"route:a": 3}
    assert "again" in caplog.text


async def test_only_one_process_writes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.json"
    old, new = store(path), store(path)
    await old.apply([SetCursor("route:a", 1)], now=NOW)
    await old._flush()
    await new.apply([SetCursor("route:b", 2)], now=NOW)
    await new._flush()
    assert "another process" in caplog.text
    assert written(path)["routeCursors"] == {"route:a": 1}
    # A hand-over: the old one ends, its last words are taken over, the new one may write.
    await old.aclose()
    new.absorb(old.document(now=NOW), now=NOW)
    await new.aclose()
    assert written(path)["routeCursors"] == {"route:a": 1, "route:b": 2}


async def test_absorbing_keeps_the_later_record_and_the_higher_count(tmp_path: Path) -> None:
    one, other = store(tmp_path / "one.json"), store(tmp_path / "other.json")
    await one.apply([Reserve(MONTH, 5, 99, NOW + 1e6), Fail(KEY, "a", 500, True, NOW)], now=NOW)
    await other.apply([Reserve(MONTH, 3, 99, NOW + 1e6), Fail(KEY, "b", 500, True, NOW)], now=NOW + 1)
    one.absorb(other.document(now=NOW + 1), now=NOW + 1)
    found = await one.read(Keys((), (MONTH,), (KEY,)), now=NOW + 1)
    assert (found.usage, found.health[KEY].last_failure_category) == ({MONTH: 5}, "b")


def test_pruning_on_load(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    usage = {"bucket:a": {"w": {"count": 1, "expiresAt": 30_000, "updatedAt": 0}}}
    states = {"candidate:x@openai": {"expiresAt": 20_000, "updatedAt": 1_000}}
    path.write_text(json.dumps({"bucketUsage": usage, "candidateStates": states}))
    assert load(str(path), 0.0).usage != {}
    opened = store(path, 50.0)
    document = opened.document(now=50.0)
    assert (document["bucketUsage"], document["candidateStates"]) == ({}, {})


def test_the_lock_is_free_after_its_owner(tmp_path: Path) -> None:
    first, second = FileLock(str(tmp_path / "l")), FileLock(str(tmp_path / "l"))
    first.acquire()
    first.acquire()
    with pytest.raises(OSError, match="another process"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
