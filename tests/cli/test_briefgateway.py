"""The gateway for the time of one tool, where it cannot be had."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from llr.cli import briefgateway
from llr.control.report import FAILED, Refused


def test_windows_is_told_to_start_one_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be opened or started")

    monkeypatch.setattr(briefgateway, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(os, "pipe", forbidden)
    with pytest.raises(Refused) as caught, briefgateway.brief_gateway("c.json", str(tmp_path), {}):
        pass
    assert (caught.value.problem.code, caught.value.exit_code) == ("not-here", FAILED)
    assert "`llr start --detach`" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
