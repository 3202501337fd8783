"""`llr start`, `stop`, `restart` and the startup operations beside a systemd that a small program stands in for."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llr.daemon import process
from tests.cli.life import Life
from tests.running import free_port

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a stand-in for systemctl")

# Starts what the unit says, with the unit's environment and nothing else, as systemd would.
SYSTEMCTL = """#!{python}
import os, re, signal, subprocess, sys, time
home = {home!r}
unit, pidfile, log = home + "/.config/systemd/user/llm-router.service", home + "/service.pid", home + "/calls"
words = sys.argv[2:]
open(log, "a").write(" ".join(words) + "\\n")

def unquoted(text):
    found = re.findall(r'"((?:[^"\\\\\\\\]|\\\\\\\\.)*)"', text)
    return [re.sub(r"\\\\\\\\(.)", r"\\\\1", one).replace("%%", "%").replace("$$", "$") for one in found]

def pid():
    try:
        number = int(open(pidfile).read())
        os.kill(number, 0)
        return number
    except (OSError, ValueError):
        return 0

def stop():
    number = pid()
    if number:
        os.kill(number, signal.SIGTERM)
        while pid():
            time.sleep(0.02)
        os.unlink(pidfile)

def start():
    lines = open(unit, encoding="utf-8").read().splitlines()
    env = dict(unquoted(line)[0].split("=", 1) for line in lines if line.startswith("Environment="))
    command = next(unquoted(line) for line in lines if line.startswith("ExecStart="))
    more = {{"HOME": home, "PATH": os.environ["PATH"], "PYTHONPATH": {root!r}}}
    if os.fork() == 0:
        child = subprocess.Popen(command, env={{**more, **env}}, start_new_session=True, cwd=home,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(home + "/err", "a"))
        open(pidfile, "w").write(str(child.pid))
        os._exit(0)
    os.wait()

match words:
    case ["is-active", _]:
        print("active" if pid() else "inactive")
        sys.exit(0 if pid() else 3)
    case ["restart", _]:
        stop()
        start()
    case ["stop", _] | ["disable", "--now", _]:
        stop()
"""


@pytest.fixture
def served(archived: Life) -> Iterator[Life]:
    """A life with a systemd, a config and a free port in it."""
    folder = archived.home / "bin"
    folder.mkdir()
    tool = folder / "systemctl"
    root = os.getcwd()
    tool.write_text(SYSTEMCTL.format(python=sys.executable, home=str(archived.home), root=root), encoding="utf-8")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    archived.env["PATH"] = f"{folder}{os.pathsep}{archived.env['PATH']}"
    archived.env.pop("XDG_CONFIG_HOME", None)
    write_config(archived, {})
    yield archived
    archived.run("stop", "--now")


def write_config(life: Life, local: dict[str, object]) -> None:
    provider = {"id": "p", "name": "p", "apiKey": "k", "baseUrl": "http://127.0.0.1:9/v1", "models": [{"id": "m"}]}
    doc = {"version": 2, "masterKey": "gw_0123456789", "providers": [provider], "metadata": {"localServer": local}}
    (life.home / ".llm-router.json").write_text(json.dumps(doc))


def unit(life: Life) -> Path:
    return life.home / ".config" / "systemd" / "user" / "llm-router.service"


def calls(life: Life) -> list[str]:
    found = (life.home / "calls").read_text().split("\n")
    (life.home / "calls").write_text("")
    return [line for line in found if line]


def test_install_start_stop_uninstall(served: Life) -> None:
    write_config(served, {"port": free_port()})
    done = served.json("config", "startup-install")
    assert done["ok"], done
    assert done["data"]["manager"] == "systemd-user"
    assert done["data"]["serviceFile"] == str(unit(served))
    status = served.json("config", "startup-status")
    assert (status["data"]["installed"], status["data"]["running"]) == (True, True)
    # What the user types finds the service at work and leaves it alone.
    calls(served)
    ready = served.json("start")
    assert ready["ok"], ready
    assert ready["data"]["mode"] == "startup-managed"
    pid = ready["data"]["pid"]
    again = served.json("start")
    assert again["data"]["pid"] == pid
    assert served.state["managedByStartup"] is True
    assert "restart llm-router.service" not in calls(served)
    stopped = served.json("stop")
    assert stopped["data"]["mode"] == "startup-managed"
    assert stopped["data"]["serviceName"] == "llm-router.service"
    assert "next session" in stopped["data"]["after"]
    assert not process.alive(pid)
    assert "stop llm-router.service" in calls(served)
    assert served.json("config", "startup-uninstall", "--yes")["ok"]
    assert not unit(served).exists()


def test_a_manual_gateway_gives_way_to_the_service(served: Life) -> None:
    unit(served).parent.mkdir(parents=True)
    unit(served).write_text("[Service]\n")
    manual = served.start("--here")
    port = free_port()
    done = served.run("start", f"--port={port}", "--require-auth")
    assert done.returncode == 0, done.stderr
    assert f"Process {manual.pid} was stopped" in done.stdout
    assert f"active on http://127.0.0.1:{port}" in done.stdout
    assert manual.wait() == 0
    text = unit(served).read_text()
    assert f'"--port={port}"' in text
    assert '"--require-auth=true"' in text
    state = served.state
    assert (state["port"], state["requireAuth"], state["managedByStartup"]) == (port, True, True)
    assert state["logFile"] == str(served.home / ".llm-router" / "logs" / "router.log")
    before = state["pid"]
    assert served.json("restart")["ok"]
    hard = served.json("restart", "--hard")
    assert hard["data"]["mode"] == "startup-managed"
    assert served.run("reload").returncode in (0, 1)
    assert not process.alive(before)


def test_a_service_that_does_not_come_up_is_told(served: Life) -> None:
    unit(served).parent.mkdir(parents=True)
    unit(served).write_text("[Service]\n")
    tool = served.home / "bin" / "systemctl"
    tool.write_text("#!/bin/sh\nexit 0\n")
    done = served.run("start", f"--port={free_port()}")
    assert done.returncode == 1
    assert "did not become ready" in done.stderr
    assert "--here" in done.stderr


def test_without_a_session_bus_the_reason_is_told(served: Life) -> None:
    tool = served.home / "bin" / "systemctl"
    tool.write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n")
    done = served.run("config", "startup-install")
    assert done.returncode == 1
    assert "no systemd user session" in done.stderr
    assert "llr start --detach" in done.stderr
    assert not unit(served).exists()


def test_a_service_does_not_write_its_old_flags_into_the_config(served: Life) -> None:
    served.env["LLM_ROUTER_MANAGED_BY_STARTUP"] = "1"
    before = (served.home / ".llm-router.json").read_text()
    gateway = served.start("--require-auth=true", "--watch-config=false")
    assert served.state["requireAuth"] is True
    assert (served.home / ".llm-router.json").read_text() == before
    gateway.process.terminate()
    gateway.wait()
