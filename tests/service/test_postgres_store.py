"""What the store on PostgreSQL promises, on a real server."""

import asyncio
from collections.abc import Generator
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from pexservice.core.judging import Judgement, Place, judge
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step, fold, runs
from support import postgres
from support.machines import COUNTER
from support.strict import skips_fail

asyncpg = pytest.importorskip("asyncpg") if not skips_fail() else __import__("asyncpg")

from pexservice.stores.postgres.rules import LostGroups, UnsafeServer  # noqa: E402 - needs asyncpg.
from pexservice.stores.postgres.session import Session  # noqa: E402
from pexservice.stores.postgres.store import PostgresStore  # noqa: E402

pytestmark = pytest.mark.skipif(not postgres.is_there() and not skips_fail(), reason="needs PostgreSQL, and root")


@pytest.fixture
def dsn() -> Generator[str, None, None]:
    with postgres.serving("any") as address:
        yield address


def clamp(commands: Any) -> tuple[int | None, int]:
    folded = fold(runs(bytes(commands)))
    return folded.shift, folded.floor


def walk(dsn: str, *, is_one_server: bool = True) -> PostgresStore[int, Step]:
    return PostgresStore(WALK, Session([dsn], is_one_server=is_one_server), clamp)


def counter(dsn: str) -> PostgresStore[tuple[int, int], int]:
    return PostgresStore(COUNTER, Session([dsn], is_one_server=True))


async def ask(dsn: str, statement: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def test_writers_take_turns_at_one_walk(dsn: str) -> None:
    """Each group begins where the one before it ended, whoever sent that, and is what the machine makes of it."""

    async def scenario() -> None:
        stores = [walk(dsn), walk(dsn)]
        place = Place(0, 0)
        groups = [[NEXT], [PREVIOUS] * 3, [NEXT, NEXT, RESET, NEXT], [NEXT, PREVIOUS] * 2000, [NEXT] * 4096, [RESET]]
        for index, group in enumerate(groups):
            assert await stores[index % 2].commit(group) == judge(WALK, place, group)
            place = judge(WALK, place, group).end
            assert await stores[(index + 1) % 2].read() == place
        for store in stores:
            await store.close()

    asyncio.run(scenario())


def test_a_machine_that_does_not_fold_is_applied_in_its_turn(dsn: str) -> None:
    """Refusals are judged from where the group begins; what was refused is not written."""

    async def scenario() -> None:
        stores = [counter(dsn), counter(dsn)]
        assert await stores[0].read() == Place(0, (0, 0))
        assert (await stores[0].commit([9, 2, 1])).end == Place(2, (10, 2))
        assert sorted((await stores[1].commit([1, 2])).refusals) == [0, 1]
        assert (await stores[1].commit([-1])).end == Place(3, (9, 3))
        assert await stores[0].read() == Place(3, (9, 3))
        written = await ask(dsn, "SELECT commands FROM pexservice.history WHERE commands <> '' ORDER BY number")
        assert [row["commands"] for row in written] == ["9 1", "-1"]
        for store in stores:
            await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("machine", ["walk", "counter"])
def test_a_lost_connection_loses_and_doubles_nothing(machine: str, dsn: str) -> None:
    """While connections are ended at random, each group is taken once, and answered with what it came to."""

    async def scenario() -> None:
        random = Random(7)
        answered: list[Judgement[Any, Any]] = []
        ended = 0

        async def write(store: PostgresStore[Any, Any], group: list[Any]) -> None:
            while ended < 15:
                answered.append(await store.commit(group))
            await store.close()

        async def attack() -> None:
            nonlocal ended
            connection = await asyncpg.connect(dsn)
            try:
                while True:
                    await asyncio.sleep(random.random() * 0.02)
                    ended += await connection.fetchval(
                        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM"
                        " (SELECT pid FROM pg_stat_activity"
                        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                        " ORDER BY random() LIMIT 1) one"
                    )
            finally:
                connection.terminate()
                await asyncio.sleep(0)

        attacking = asyncio.create_task(attack())
        make, group = (walk, [NEXT] * 3) if machine == "walk" else (counter, [-1] * 3)
        await asyncio.gather(*(write(make(dsn), group) for _ in range(3)))
        attacking.cancel()
        await asyncio.wait([attacking])
        answered.sort(key=lambda judgement: judgement.start.sequence)
        assert [each.start.sequence for each in answered] == list(range(0, 3 * len(answered), 3))
        assert all(a.end == b.start for a, b in pairwise(answered))
        assert (await ask(dsn, "SELECT count(*), max(number) FROM pexservice.history"))[0] == (
            len(answered),
            len(answered),
        )

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["cancel", "terminate"])
def test_a_group_whose_wait_was_cut_short_is_not_acknowledged(how: str, dsn: str) -> None:
    """The call is made again, found to be a repeat, and waits until the standby has it.

    To cancel is a success to the server, with a warning.
    """

    async def scenario() -> None:
        store = walk(dsn)
        await store.commit([NEXT])
        await ask(dsn, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await ask(dsn, "SELECT pg_reload_conf()")
        await asyncio.sleep(0.2)
        committing = asyncio.create_task(store.commit([NEXT]))
        cancelled = 0
        for _ in range(100):
            await asyncio.sleep(0.02)
            rows = await ask(dsn, f"SELECT pg_{how}_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            cancelled += len(rows)
            if cancelled >= 3:
                break
        await asyncio.sleep(0.3)
        assert cancelled >= 3
        assert not committing.done()
        await ask(dsn, "ALTER SYSTEM RESET synchronous_standby_names")
        await ask(dsn, "SELECT pg_reload_conf()")
        assert (await committing).end == Place(2, 2)
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("whose", ["mine", "of another"])
def test_a_server_that_lost_groups_is_refused(whose: str, dsn: str) -> None:
    """It lacks the last group of this writer, or one that this writer was told of: nothing more is written."""

    async def scenario() -> None:
        store, other = walk(dsn), walk(dsn)
        await store.commit([NEXT])
        await other.commit([NEXT])
        if whose == "mine":
            await store.commit([NEXT])
        else:
            await store.read()
            await other.commit([NEXT])
        await ask(dsn, "DELETE FROM pexservice.history WHERE number >= 3")
        with pytest.raises(LostGroups, match="lost groups"):
            await store.commit([NEXT])
        assert (await ask(dsn, "SELECT count(*) FROM pexservice.history"))[0][0] == 2
        await store.close()
        await other.close()

    asyncio.run(scenario())


def test_a_server_without_a_standby_is_refused_unless_that_is_meant(dsn: str) -> None:
    """Nothing is written to it."""

    async def scenario() -> None:
        with pytest.raises(UnsafeServer, match="synchronous_standby_names is empty"):
            await walk(dsn, is_one_server=False).commit([NEXT])
        assert (await ask(dsn, "SELECT count(*) FROM pexservice.history"))[0][0] == 0

    asyncio.run(scenario())
