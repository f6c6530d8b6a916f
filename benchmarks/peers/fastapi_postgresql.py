"""FastAPI, the position in PostgreSQL as it comes, by asyncpg: a step is one UPDATE over a Unix socket.

All steps want the same row, so PostgreSQL has the next one wait until the one before is durable. asyncpg's pool has as
many connections as it has by default.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI

from benchmarks.peers.fastapi_paths import application

_WHERE = {"host": os.environ["BENCHMARK_STORE"], "user": "postgres", "database": "postgres"}
_READ = "SELECT position FROM walk"
_STEP = "UPDATE walk SET position = position + 1 RETURNING position"
_RESET = "UPDATE walk SET position = 0 RETURNING position"

_RETRY_S = 0.05

_pools: list[asyncpg.Pool] = []


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await _wait_until_started()
    async with asyncpg.create_pool(**_WHERE) as pool:
        await pool.execute("DROP TABLE IF EXISTS walk; CREATE TABLE walk AS SELECT 0 AS position")
        _pools.append(pool)
        yield


async def _wait_until_started() -> None:
    while True:
        try:
            connection = await asyncpg.connect(**_WHERE)
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(_RETRY_S)
        else:
            await connection.close()
            return


async def _read() -> int:
    return int(await _pools[0].fetchval(_READ))


async def _step() -> int:
    return int(await _pools[0].fetchval(_STEP))


async def _reset() -> int:
    return int(await _pools[0].fetchval(_RESET))


app = application(_read, _step, _reset, _lifespan)
