"""The usual way in Python: FastAPI on uvicorn, the state in Redis with `appendfsync always`.

Give it every advantage. A step is one INCR over a Unix socket, its answer is the counter itself, no Fibonacci number is
computed, and no model or serializer stands between.
"""

import os

from fastapi import FastAPI, Response
from redis.asyncio import Redis

_KEY = "position"
_CONNECTIONS_MAX = 1024
"""One for each client: Redis syncs once for all commands that it finds waiting."""

_redis = Redis(unix_socket_path=os.environ["BENCHMARK_REDIS"], max_connections=_CONNECTIONS_MAX)


def _number(value: int) -> Response:
    return Response(b"%d\n" % value, media_type="application/json")


async def current() -> Response:
    """Read."""
    return _number(int(await _redis.get(_KEY) or 0))


async def step() -> Response:
    """Step up, whichever step it was: one durable write."""
    return _number(int(await _redis.incr(_KEY)))


async def reset() -> Response:
    """Go back to 0."""
    await _redis.set(_KEY, 0)
    return _number(0)


app = FastAPI(openapi_url=None)
app.add_api_route("/", current)
app.add_api_route("/current", current)
app.add_api_route("/next", step)
app.add_api_route("/previous", step)
app.add_api_route("/reset", reset)
