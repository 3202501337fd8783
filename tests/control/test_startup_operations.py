"""The startup operations: their checks, and their reports on what a service manager did."""

import json
from typing import Any

import pytest

from llr.daemon.startup import StartupError, Status
from tests.control.desk import Desk, doc

DONE = Status(
    "systemd-user", "llm-router.service", True, True, "/u/llm-router.service", "active", ("Linger is off.",), True
)


class Manager:
    """Stands in for the service manager; keeps what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.refusal: StartupError | None = None

    def _answer(self) -> Status:
        if self.refusal is not None:
            raise self.refusal
        return DONE

    def install(self, **told: Any) -> Status:
        self.told = told
        return self._answer()

    def uninstall(self, env: object) -> Status:
        return self._answer()

    def status(self, env: object) -> Status:
        return self._answer()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    found = Manager()
    monkeypatch.setattr("llr.control.ops.startup.startup", found)
    return found


def test_install(desk: Desk, manager: Manager) -> None:
    code, out, _ = desk.run("startup-install", "--require-auth=true", "--watch-binary=false")
    assert code == 0
    for text in (
        "OS Startup Service Installed",
        "| Startup Manager     | systemd-user",
        "| Start Target        | llr start --config=",
        "| Config Hot Reload   | Enabled",
        "| Binary Auto-Restart | Disabled",
        "| Local API Auth      | Required (Master Key)",
        "- Linger is off.",
    ):
        assert text in out
    assert manager.told["config_path"] == str(desk.file)
    assert (manager.told["watch_config"], manager.told["watch_binary"], manager.told["require_auth"]) == (
        None,
        False,
        True,
    )
    data = desk.json("startup-install")["data"]
    assert (data["requireAuth"], data["installed"], data["serviceFile"]) == (False, True, "/u/llm-router.service")


@pytest.mark.parametrize(
    ("name", "title"),
    [("startup-status", "OS Startup Service Status"), ("startup-uninstall", "OS Startup Service Uninstalled")],
)
def test_status_and_uninstall(desk: Desk, manager: Manager, name: str, title: str) -> None:
    code, out, _ = desk.run(name)
    assert (code, title in out, "llm-router.service" in out) == (0, True, True)
    assert desk.json(name)["data"]["manager"] == "systemd-user"


@pytest.mark.parametrize("name", ["startup-install", "startup-status", "startup-uninstall"])
def test_a_manager_that_refuses(desk: Desk, manager: Manager, name: str) -> None:
    manager.refusal = StartupError("Failed to connect to bus.", "Log in first.")
    body = desk.json(name)
    assert (body["exitCode"], body["error"]["code"], body["error"]["fix"]) == (1, "startup", "Log in first.")


def test_install_checks_first(desk: Desk, manager: Manager) -> None:
    desk.put({**doc(), "providers": []})
    assert desk.json("startup-install")["error"]["code"] == "no-provider"
    desk.put({key: value for key, value in doc().items() if key != "masterKey"})
    body = desk.json("startup-install", "--require-auth")
    assert (body["exitCode"], body["error"]["code"]) == (2, "no-master-key")
    desk.file.unlink()
    assert desk.json("startup-install")["error"]["code"] == "config-not-found"
    assert manager.told == {}


def test_the_snapshot_tells_of_it(desk: Desk, manager: Manager) -> None:
    assert desk.json("snapshot")["data"]["startup"]["serviceName"] == "llm-router.service"
    assert json.dumps(desk.json("snapshot")["data"]["startup"]["hints"]) == '["Linger is off."]'


def test_the_snapshot_lists_the_settings_in_effect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", "7")
    assert desk.json("snapshot")["data"]["settings"]["retryAttempts"] == 7
    _, out, _ = desk.run("snapshot")
    assert out.index("\nStartup\n") < out.index("\nSettings\n") < out.index("\nOverview\n")
    assert "| retryAttempts               | 7 " in out
