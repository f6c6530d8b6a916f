"""What of the history and of the keys at a PostgreSQL server is removed, when, and what never is."""

import asyncio
from dataclasses import replace

import pytest

from pexservice.core.judging import Place
from pexservice.core.keys import Terms
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support import postgres
from support.postgres import ask, opened
from support.process import HANG_S

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

QUICK = replace(DEFAULT, store_call_s=0.5, store_away_s=2.0, heal_period_s=0.1)


def test_keys_are_counted() -> None:
    """Those of all replicas, as of the last time that old ones were removed, as each of them looks."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        limits = replace(QUICK, store_forget_s=0.2, idempotency_keys_max=100)
        stores = [await opened(WALK, url, limits) for _ in range(2)]
        for number in range(3):
            await stores[number % 2].commit([NEXT], {0: Terms(b"%022d" % number)})
        looking = [asyncio.create_task(store.run()) for store in stores]
        await asyncio.sleep(2)
        for store in stores:
            measures = {each.name: each.value for each in store.status().measures}
            assert (measures.get("pex_keys"), measures.get("pex_keys_max")) == (3, 100)
        for task in looking:
            task.cancel()
        await asyncio.wait(looking)
        for store in stores:
            await store.close()

    asyncio.run(scenario())


def test_a_key_that_is_used_again_meanwhile_stays() -> None:
    """Its row is the same, and was to go when it was looked at: the command would be taken twice."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        import asyncpg  # noqa: PLC0415

        store = await opened(WALK, url, QUICK)
        await store.commit([NEXT], {0: Terms(b"a" * 22)})
        await ask(url, "UPDATE pexservice.keys SET time_s = 0")
        using = await asyncpg.connect(url)
        await using.execute("BEGIN")
        await using.execute("UPDATE pexservice.keys SET sequence = 9, time_s = extract(epoch FROM clock_timestamp())")
        forgetting = asyncio.create_task(ask(url, "SELECT pexservice.forget(gen_random_uuid(), 5, 7, 86400, 1000)"))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid' AND query LIKE '%forget%'"
        async with asyncio.timeout(HANG_S):
            while not (await ask(url, waiting))[0][0]:  # noqa: ASYNC110 - what the server does is no event here.
                await asyncio.sleep(0.05)
            await using.execute("COMMIT")
            await forgetting
        assert [row[0] for row in await ask(url, "SELECT sequence FROM pexservice.keys")] == [9]
        await using.close()
        await store.close()

    asyncio.run(scenario())


def test_old_rows_and_keys_go_but_not_the_last_of_a_writer() -> None:
    """The newest stay, and what tells a writer's last group from a new one."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        quiet, busy = await opened(WALK, url, QUICK), await opened(WALK, url, QUICK)
        await quiet.commit([NEXT])
        for number in range(30):
            await busy.commit([NEXT], {0: Terms(b"%022d" % number)})
        await ask(url, "SELECT pexservice.forget(gen_random_uuid(), 5, 7, 86400, 1000)")
        rows = await ask(url, "SELECT number FROM pexservice.history ORDER BY number")
        assert [row[0] for row in rows] == [1, 4, *range(30, 35)]
        assert (await ask(url, "SELECT forgotten FROM pexservice.setup"))[0][0] == 29
        assert [row[0] for row in await ask(url, "SELECT sequence FROM pexservice.keys ORDER BY 1")] == [*range(25, 32)]
        assert (await quiet.commit([NEXT])).end == Place(32, 32)
        for each in (quiet, busy):
            await each.close()

    asyncio.run(scenario())


def test_a_replica_that_only_reads_for_weeks_takes_a_step_then() -> None:
    """While it lives the last row of it stays, however old; of one that was not seen for a week it goes."""
    url = postgres.shared().database(WALK)
    limits = replace(QUICK, history_bytes_max=10 * DEFAULT.store_row_bytes, store_forget_s=0.1)
    age = "UPDATE pexservice.history SET committed = committed - interval '30 days'"
    gone = "UPDATE pexservice.writers SET seen = seen - interval '8 days' WHERE writer = '{0}'"
    left = "SELECT count(*) FROM pexservice.history WHERE writer = '{0}'"

    async def scenario() -> None:
        quiet, busy, ended = [await opened(WALK, url, limits) for _ in range(3)]
        await quiet.commit([NEXT])
        for _ in range(20):
            await busy.commit([NEXT])
        await ended._forget()
        await ended.close()
        running = asyncio.create_task(quiet.run())
        await asyncio.sleep(1)
        await ask(url, gone.format(ended._writer))
        await ask(url, age)
        await busy._forget()
        await quiet.commit(())
        assert (await quiet.commit([NEXT])).end == Place(22, 22)
        assert (await ask(url, left.format(quiet._writer)))[0][0] == 2
        assert (await ask(url, left.format(ended._writer)))[0][0] == 0
        running.cancel()
        await asyncio.wait([running])
        for each in (quiet, busy):
            await each.close()

    asyncio.run(scenario())


def test_a_replica_says_once_a_day_that_it_lives() -> None:
    """No row is written at each look: so many would cost the server, and fill its log."""
    url = postgres.shared().database(WALK)
    said = "SELECT seen::text FROM pexservice.writers"

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        times = []
        for hours in (0, 23, 2):
            await ask(url, f"UPDATE pexservice.writers SET seen = seen - interval '{hours} hours'")
            before = await ask(url, said)
            await store._forget()
            times.append(await ask(url, said) != before)
        assert times == [True, False, True]
        await store.close()

    asyncio.run(scenario())


def test_old_rows_and_keys_go_faster_than_they_come() -> None:
    """While there are more than go at once, these go soon after, not a period later; the newest stay."""
    url = postgres.shared().database(WALK)
    bounds = {"history_bytes_max": 10 * DEFAULT.store_row_bytes, "idempotency_keys_max": 10}
    limits = replace(QUICK, store_forget_s=1.0, store_forget_rows=20, **bounds)
    counts = "SELECT (SELECT count(*) FROM pexservice.history), (SELECT count(*) FROM pexservice.keys)"

    async def scenario() -> None:
        store = await opened(WALK, url, limits)
        for number in range(300):
            await store.commit([NEXT] * 2, {own: Terms(b"%021d%d" % (number, own)) for own in range(2)})
        running = asyncio.create_task(store.run())
        async with asyncio.timeout(8):  # At 20 a period it would take half a minute.
            while tuple((await ask(url, counts))[0]) != (11, 10) or store._keys != 10:
                assert store.unready is None
                await asyncio.sleep(0.1)
        kept = await ask(url, "SELECT sequence FROM pexservice.keys ORDER BY 1")
        assert [row[0] for row in kept] == [*range(591, 601)]
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("bytes_max", "rows"), [(0, 12), (1, 2), (301, 3)])
def test_a_bound_on_the_history_is_rounded_up_to_a_row(bytes_max: int, rows: int) -> None:
    """The smallest is one row, beside the first one, which is the last of its writer; only 0 keeps all."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        store = await opened(WALK, url, replace(QUICK, history_bytes_max=bytes_max))
        for _ in range(10):
            await store.commit([NEXT])
        await store._forget()
        assert (await ask(url, "SELECT count(*) FROM pexservice.history"))[0][0] == rows
        await store.close()

    asyncio.run(scenario())
