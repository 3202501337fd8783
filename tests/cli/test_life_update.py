"""`llr update` with real archives: taken from files and addresses, refused, taken back, swapped under a gateway."""

import hashlib
import json
import os
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llr import __version__
from tests.cli.life import Life, replace_in_archive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="file modes and hand-over")

OLDER, NEWER, NEWEST = "0.0.1", "9.9.0", "9.10.0"


def program(life: Life) -> Path:
    return Path(life.command[-1])


@pytest.fixture
def shelf(archived: Life, tmp_path: Path) -> Path:
    """A folder with other versions of the archive, each with its hash beside it."""
    folder = tmp_path / "new files ü"
    folder.mkdir()
    for version in (OLDER, NEWER, NEWEST):
        made = folder / f"llr-{version}.pyz"
        shutil.copy(program(archived), made)
        replace_in_archive(made, "llr/__init__.py", f'__version__ = "{version}"\n'.encode())
        with_hash(made)
    return folder


def with_hash(path: Path) -> Path:
    path.with_name(f"{path.name}.sha256").write_text(f"{digest(path)}  {path.name}\n")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version(life: Life) -> str:
    return life.run("--version").stdout.split()[1]


def left_over(life: Life) -> list[str]:
    return sorted(path.name for path in program(life).parent.iterdir() if path.name != program(life).name)


def test_from_a_file_and_back(archived: Life, shelf: Path) -> None:
    path = program(archived)
    path.chmod(0o750)
    before = path.read_bytes()
    done = archived.json("update", "--from", str(shelf / f"llr-{NEWER}.pyz"))
    assert done["ok"], done
    assert done["data"]["gateway"] == "not-running"
    assert version(archived) == NEWER
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert left_over(archived) == ["llr.pyz.bak"]
    assert path.with_name("llr.pyz.bak").read_bytes() == before
    back = archived.json("update", "--rollback")
    assert back["ok"], back
    assert path.read_bytes() == before
    again = archived.json("update", "--rollback")
    assert again["data"]["installedVersion"] == NEWER
    assert version(archived) == NEWER


def test_same_and_older_versions_are_left_alone(archived: Life, shelf: Path) -> None:
    path = program(archived)
    same = with_hash(Path(shutil.copy(path, shelf / "same.pyz")))
    before = path.stat().st_mtime_ns
    done = archived.json("update", "--from", str(same))
    assert (done["exitCode"], done["data"]["changed"]) == (0, False)
    assert "Already on the latest version" in archived.run("update", "--from", str(same)).stdout
    older = archived.json("update", "--from", str(shelf / f"llr-{OLDER}.pyz"))
    assert (older["exitCode"], older["data"]["changed"]) == (0, False)
    assert path.stat().st_mtime_ns == before
    assert left_over(archived) == []
    assert archived.json("update", "--from", str(shelf / f"llr-{OLDER}.pyz"), "--install=true")["ok"]
    assert version(archived) == OLDER


def refused(life: Life, *args: str, code: int = 1) -> str:
    before = program(life).read_bytes()
    done = life.run("update", *args)
    assert done.returncode == code, done.stdout + done.stderr
    assert program(life).read_bytes() == before
    assert left_over(life) == []
    return done.stderr


def test_what_is_refused_changes_nothing(archived: Life, shelf: Path) -> None:
    new = shelf / f"llr-{NEWER}.pyz"
    assert "LLM_ROUTER_UPDATE_URL" in refused(archived, code=2)
    assert "instead of" in refused(archived, "--from", str(new), f"--sha256={'0' * 64}")
    assert "64 hexadecimal" in refused(archived, "--from", str(new), "--sha256=abc")
    assert "There is no file" in refused(archived, "--from", str(shelf / "none.pyz"))
    assert "https only" in refused(archived, "--from", "http://example.com/llr.pyz")
    new.with_name(f"{new.name}.sha256").unlink()
    assert "only with its hash" in refused(archived, "--from", str(new))
    text = with_hash(Path(shutil.copy(__file__, shelf / "text.pyz")))
    assert "does not run" in refused(archived, "--from", str(text))
    assert "no " in refused(archived, "--rollback")
    for flag in ("--check", f"--from={new}", "--version=0.2.0", "--install=false"):
        assert f"leave out {flag.partition('=')[0].replace('install', 'check')}." in refused(
            archived, "--rollback", flag, code=2
        )


@pytest.mark.parametrize("content", [b"raise RuntimeError('broken')\n", b"def"])
def test_an_archive_that_fails_its_own_test_is_not_taken(archived: Life, shelf: Path, content: bytes) -> None:
    new = shelf / f"llr-{NEWER}.pyz"
    replace_in_archive(new, "llr/daemon/supervisor.py", content)
    with_hash(new)
    assert "its own test" in refused(archived, "--from", str(new))


def test_damaged_bytes_inside_are_found(archived: Life, shelf: Path) -> None:
    new = shelf / f"llr-{NEWER}.pyz"
    data = bytearray(new.read_bytes())
    data[len(data) // 2] ^= 0xFF
    new.write_bytes(bytes(data))
    with_hash(new)
    refused(archived, "--from", str(new))


def test_a_second_update_at_the_same_time_is_refused(archived: Life, shelf: Path) -> None:
    import fcntl

    lock = archived.home / ".llm-router" / "update.lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "under way" in refused(archived, "--from", str(shelf / f"llr-{NEWER}.pyz"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def website(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def release(shelf: Path, name: str, **more: Any) -> dict[str, Any]:
    path = shelf / f"llr-{name}.pyz"
    return {"version": name, "url": path.name, "sha256": digest(path), "size": path.stat().st_size, **more}


def test_from_a_manifest(archived: Life, shelf: Path) -> None:
    manifest = {**release(shelf, NEWEST), "releases": [release(shelf, NEWER), release(shelf, OLDER)]}
    (shelf / "latest.json").write_text(json.dumps(manifest))
    with website(shelf) as origin:
        archived.env["LLM_ROUTER_UPDATE_URL"] = f"{origin}/latest.json"
        look = archived.json("update", "--check", "--exit-code")
        assert (look["exitCode"], look["data"]["latestVersion"]) == (10, NEWEST)
        assert archived.run("update", "--check").returncode == 0
        assert archived.run("upgrade", "--install=false").returncode == 0
        assert version(archived) == __version__
        assert archived.json("update", f"--version={OLDER}")["ok"]
        assert version(archived) == OLDER
        assert archived.json("update")["ok"]
        assert version(archived) == NEWEST
        assert archived.json("update")["data"]["changed"] is False
        assert archived.json("update", "--check", "--exit-code")["exitCode"] == 0
        assert "does not have version 7" in archived.run("update", "--version=7").stderr
        (shelf / "latest.json").write_text(json.dumps(release(shelf, NEWER, minPython="3.99")))
        assert "needs Python 3.99" in archived.run("update", f"--version={NEWER}").stderr
        (shelf / "latest.json").write_text(json.dumps(release(shelf, NEWER, size=10)))
        assert "larger than 10 bytes" in archived.run("update", f"--version={NEWER}").stderr
        archived.env["LLM_ROUTER_UPDATE_URL"] = f"{origin}/none.json"
        assert "answered 404" in archived.run("update").stderr
    # The web site is gone: offline.
    offline = archived.run("update")
    assert offline.returncode == 1
    assert "--from FILE" in offline.stderr
    assert left_over(archived) == ["llr.pyz.bak"]


MINISIGN = """#!/bin/sh
# -V -q -m FILE -x SIGNATURE -P KEY: good when the signature repeats the key.
[ "$1 $2 $3 $5 $7" = "-V -q -m -x -P" ] || exit 2
[ -s "$4" ] && [ "$(cat "$6")" = "signed by $8" ] || { echo "Signature verification failed" >&2; exit 1; }
"""


def test_a_configured_key_demands_minisign_and_a_good_signature(archived: Life, shelf: Path) -> None:
    new = shelf / f"llr-{NEWER}.pyz"
    archived.env["LLM_ROUTER_UPDATE_PUBKEY"] = "RWQ123"
    archived.env["PATH"] = str(shelf)
    assert "cannot be read" in refused(archived, "--from", str(new))
    signature = shelf / f"{new.name}.minisig"
    signature.write_text("signed by someone else")
    assert "minisign is not installed" in refused(archived, "--from", str(new))
    tool = shelf / "minisign"
    tool.write_text(MINISIGN)
    tool.chmod(0o755)
    archived.env["PATH"] = f"{shelf}{os.pathsep}/usr/bin{os.pathsep}/bin"
    assert "Signature verification failed" in refused(archived, "--from", str(new))
    signature.write_text("signed by RWQ123")
    assert archived.json("update", "--from", str(new))["ok"]
    assert left_over(archived) == ["llr.pyz.bak"]


def test_a_running_gateway_takes_it_up(archived: Life, shelf: Path) -> None:
    gateway = archived.start("--demo", "--watch-binary=false")
    done = archived.json("update", "--from", str(shelf / f"llr-{NEWER}.pyz"))
    assert done["data"]["gateway"] == "swapped", done
    assert gateway.ask()[0] == 200
    rows = archived.json("status")["data"]["processes"]
    assert {row["version"] for row in rows} == {NEWER}
    gateway.wait_for("renewed")
    assert archived.state["pid"] == gateway.pid
    left = archived.json("update", "--rollback", "--reload=false")
    assert left["data"]["gateway"] == "left"
    assert archived.json("status")["data"]["version"] == NEWER


def test_a_new_version_that_cannot_serve_is_taken_back(archived: Life, shelf: Path) -> None:
    """It passes its own test, and fails only where it serves: the old file and the old processes stay."""
    new = shelf / f"llr-{NEWER}.pyz"
    import llr.cli.cmd_start_runtime as module

    source = Path(module.__file__).read_text().replace("link = runtime", "raise SystemExit('no')\n    link = runtime")
    replace_in_archive(new, "llr/cli/cmd_start_runtime.py", source.encode())
    with_hash(new)
    gateway = archived.start("--demo", "--watch-binary=false")
    before = program(archived).read_bytes()
    done = archived.json("update", "--from", str(new))
    assert done["exitCode"] == 1
    assert done["data"]["gateway"] == "refused"
    assert done["data"]["installedVersion"] == __version__
    assert program(archived).read_bytes() == before
    assert left_over(archived) == []
    assert gateway.ask()[0] == 200
    assert archived.json("status")["data"]["processes"][0]["pid"] == gateway.pid


def test_other_installations_are_updated_by_what_installed_them(sourced: Life, tmp_path: Path) -> None:
    file = with_hash(Path(shutil.copy(__file__, tmp_path / "x.pyz")))
    done = sourced.run("update", "--from", str(file))
    assert done.returncode == 1
    assert "git" in done.stderr
