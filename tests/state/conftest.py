from collections.abc import AsyncIterator, Iterator

import pytest

from llr.state.store import Store
from tests.running import free_port
from tests.state.redis_rig import redis_server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with redis_server(port, tmp_path_factory.mktemp("redis")):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
async def redis_store(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    from llr.state.redis import RedisStore

    store = RedisStore(redis_url, prefix=f"{{llr}}:{request.node.name}:")
    yield store
    await store.aclose()
