"""`llr --self-test`: does this program file do its work? Asked of a new one before it replaces the old one."""

import asyncio
import io
import pkgutil
import sys
from importlib import import_module

import llr
from llr.base.jsonio import dumps, loads
from llr.base.records import dataclass
from llr.daemon import snapshot
from llr.wire.http import Headers, Request

# What only some machines can import: an optional package, another system's modules.
_OPTIONAL = ("llr.state.redis", "llr.testing", "llr.__main__")


@dataclass(frozen=True, slots=True)
class _Body:
    data: bytes

    async def read(self, limit_bytes: int) -> bytes:
        """Returns the bytes."""
        return self.data


def run() -> int:
    """Returns 0 when every member of the archive is whole, every module imports, and the demo answers."""
    path = snapshot.archive()
    if path is not None:
        import zipfile

        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            sys.stderr.write(f"{broken} is damaged\n")
            return 1
    for module in pkgutil.walk_packages(llr.__path__, "llr."):
        if module.name not in _OPTIONAL:
            import_module(module.name)
    status, said = asyncio.run(_ask())
    if status != 200:
        sys.stderr.write(f"the demo answered {status}: {said[:300]!r}\n")
        return 1
    sys.stdout.write(f"llr {llr.__version__} passes its own test\n")
    return 0


async def _ask() -> tuple[int, bytes]:
    from llr.cli.compose import build_app
    from llr.cli.launch import Launch
    from llr.daemon.log import Log

    app = await build_app(Launch(demo=True), Log(io.StringIO()))
    body = dumps({"model": "demo/ok", "messages": [{"role": "user", "content": "Hello"}]})
    headers = Headers([(b"host", b"127.0.0.1"), (b"content-type", b"application/json")])
    try:
        answer = await app.handler(Request("POST", "/v1/chat/completions", headers, _Body(body), "127.0.0.1"))
        parts = answer.body if isinstance(answer.body, bytes) else b"".join([part async for part in answer.body])
    finally:
        await app.aclose()
    if answer.status == 200 and "choices" not in str(loads(parts)):
        return 500, parts
    return answer.status, parts
