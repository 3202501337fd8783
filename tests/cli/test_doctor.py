"""The doctor as a command, with a gateway that runs and a provider that answers."""

import json
from pathlib import Path
from typing import Any

from tests.cli.demos import KEY, document, write
from tests.cli.life import Life


def findings(life: Life, *args: str) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in life.json("doctor", *args)["data"]["findings"]}


def test_a_running_gateway_and_a_provider_in_good_health(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    before = findings(sourced, "--offline")
    assert before["not-running"]["level"] == "info"
    gateway = sourced.start()
    told = findings(sourced)
    assert told["running"]["level"] == "ok"
    assert told["running"]["origin"].endswith(str(gateway.address[1]))
    assert told["connected"]["port"] == upstream
    assert told["answers"]["status"] == 200
    assert "model-not-listed" not in told
    said = sourced.run("doctor")
    assert said.returncode == 0
    assert KEY not in said.stdout + said.stderr


def test_a_gateway_of_another_version_is_told(sourced: Life, upstream: int) -> None:
    write(sourced, document(upstream))
    sourced.start()
    path = Path(sourced.env["LLM_ROUTER_RUNTIME_STATE_PATH"])
    state = json.loads(path.read_text())
    path.write_text(json.dumps({**state, "version": "0.0.1"}))
    told = findings(sourced, "--offline")
    assert told["other-version"]["fix"] == "`llr restart`"
    path.write_text(json.dumps(state))
