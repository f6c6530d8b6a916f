"""FastAPI, the position in SQLite with a write-ahead log and `synchronous=FULL`: a step is one UPDATE.

SQLite has one writer at a time, and what Python has for it waits. So the event loop itself waits: threads would only
take turns, and cost a switch each.
"""

import os
import sqlite3

from benchmarks.peers.fastapi_paths import application

_database = sqlite3.connect(os.environ["BENCHMARK_STORE"], isolation_level=None)
_database.execute("PRAGMA journal_mode=WAL")
_database.execute("PRAGMA synchronous=FULL")
_database.execute("CREATE TABLE walk AS SELECT 0 AS position")


async def _read() -> int:
    return _one("SELECT position FROM walk")


async def _step() -> int:
    return _one("UPDATE walk SET position = position + 1 RETURNING position")


async def _reset() -> int:
    return _one("UPDATE walk SET position = 0 RETURNING position")


def _one(statement: str) -> int:
    # Every row is fetched: only then does the statement end, and is durable.
    ((position,),) = _database.execute(statement).fetchall()
    return int(position)


app = application(_read, _step, _reset)
