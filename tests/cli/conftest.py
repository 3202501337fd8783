import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llr.base.clock import SystemClock
from llr.base.ids import RandomIds
from llr.control.demo import demo_handler
from llr.daemon import listener
from llr.daemon.ports import Address
from llr.net.server import serve
from tests.cli.life import SOURCE, Life, living
from tests.cli.providers import Providers
from tests.conftest import ROOT
from tests.running import threaded


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home ü"
    folder.mkdir()
    return folder


@pytest.fixture(params=["source", "pyz"])
def life(request: pytest.FixtureRequest, home: Path) -> Iterator[Life]:
    """A life from source, and one from the archive as it ships: isolated, without site-packages."""
    if request.param == "source":
        command: tuple[str, ...] = SOURCE
    else:
        command = archive_command(request.getfixturevalue("pyz"), home)
    with living(command, home) as found:
        yield found


@pytest.fixture
def archived(pyz: Path, home: Path) -> Iterator[Life]:
    with living(archive_command(pyz, home), home) as found:
        yield found


@pytest.fixture(scope="session")
def redis_pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a freshly built archive that carries the `redis` package."""
    path = tmp_path_factory.mktemp("redis-pyz") / "llr.pyz"
    command = [sys.executable, str(ROOT / "build_zipapp.py"), "--with", "redis", "--output", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture
def with_redis(redis_pyz: Path, home: Path) -> Iterator[Life]:
    with living(archive_command(redis_pyz, home), home) as found:
        yield found


@pytest.fixture
def sourced(home: Path) -> Iterator[Life]:
    with living(SOURCE, home) as found:
        yield found


def archive_command(pyz: Path, home: Path) -> tuple[str, ...]:
    """Returns the command line of a copy of the archive, in a folder with a space in its name."""
    copy = home / "the file" / "llr.pyz"
    copy.parent.mkdir()
    shutil.copy(pyz, copy)
    return (sys.executable, "-I", "-S", str(copy))


@pytest.fixture
def providers() -> Iterator[Providers]:
    made = Providers()
    with threaded(made.server, made.open):
        yield made


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """Gives the port of the demo's upstream, served by a thread of this process."""
    sock = listener.bind(Address("127.0.0.1", 0))[0]
    port = listener.address_of(sock)[1]
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(serve(demo_handler(RandomIds(), SystemClock()), sock))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield port
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
