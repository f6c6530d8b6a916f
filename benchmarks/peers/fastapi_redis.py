"""FastAPI, the position in Redis with `appendfsync always`: a step is one INCR over a Unix socket."""

import os

from redis.asyncio import Redis

from benchmarks.peers.fastapi_paths import application

_KEY = "position"
_CONNECTIONS_MAX = 1024
"""One for each client: Redis syncs once for all commands that it finds waiting."""

_redis = Redis(unix_socket_path=os.environ["BENCHMARK_STORE"], max_connections=_CONNECTIONS_MAX)


async def _read() -> int:
    return int(await _redis.get(_KEY) or 0)


async def _step() -> int:
    return int(await _redis.incr(_KEY))


async def _reset() -> int:
    await _redis.set(_KEY, 0)
    return 0


app = application(_read, _step, _reset)
