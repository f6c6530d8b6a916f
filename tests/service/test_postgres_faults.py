"""What the store on PostgreSQL does when its server, or the way there, fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support import postgres
from support.postgres import Server, opened

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

QUICK = replace(DEFAULT, store_connect_s=0.5, store_call_s=0.5, store_away_s=1.5, heal_period_s=0.1)


@pytest.fixture
def server() -> Iterator[Server]:
    with postgres.server() as made:
        yield made


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Return once a condition holds."""
    async with asyncio.timeout(30):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["cancel", "terminate"])
def test_a_group_whose_wait_was_cut_short_is_not_acknowledged(how: str, server: Server) -> None:
    """The call is made again, found to be a repeat, and waits until the standby has it.

    To cancel is a success to the server, with a warning.
    """
    url = server.database(WALK)
    cut = f"SELECT count(pg_{how}_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        await store.commit([NEXT])
        server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        server.ask("SELECT pg_reload_conf()")
        await asyncio.sleep(0.2)

        async def commit() -> Any:
            return await store.commit([NEXT])

        committing = asyncio.create_task(commit())
        ended = 0

        async def is_cut() -> bool:
            nonlocal ended
            ended += int(await asyncio.to_thread(server.ask, cut))
            return ended >= 3

        await until(is_cut)
        await asyncio.sleep(0.3)
        assert not committing.done()
        server.ask("ALTER SYSTEM RESET synchronous_standby_names")
        server.ask("SELECT pg_reload_conf()")
        assert (await committing).end == Place(2, 2)
        await store.close()

    asyncio.run(scenario())


def test_waits_that_were_given_up_keep_no_connections_of_the_server(server: Server) -> None:
    """While the standby is away, and calls are made again and again, there are no more of them than sessions."""
    url = server.database(WALK)
    serving = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pexservice%'"

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        running = asyncio.create_task(store.run())
        server.ask("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        server.ask("SELECT pg_reload_conf()")
        await asyncio.sleep(0.2)
        committing = asyncio.create_task(store._commit([NEXT], {}))
        await until(lambda: store._session.repeats >= 5 and store._chores.repeats >= 3)
        assert int(server.ask(serving)) <= 4
        server.ask("ALTER SYSTEM RESET synchronous_standby_names")
        server.ask("SELECT pg_reload_conf()")
        assert (await committing).end == Place(1, 1)
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


def test_a_server_that_answers_and_takes_no_groups_is_away(server: Server) -> None:
    """As one whose disk is full: that it answers looks does not make the replica ready, and a group goes through."""
    url = server.database(WALK)
    name = url.rpartition("/")[2]

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        running = asyncio.create_task(store.run())
        server.ask(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON pexservice.history EXECUTE FUNCTION full_disk()",
            name,
        )
        committing = asyncio.create_task(store._commit([NEXT], {}))
        await until(lambda: store.unready is not None)
        await asyncio.sleep(5 * QUICK.heal_period_s)
        assert store.unready is not None
        server.ask("DROP TRIGGER full_disk ON pexservice.history", name)
        assert (await committing).end == Place(1, 1)
        assert store.unready is None
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["busy", "idle"])
def test_old_keys_that_cannot_be_removed_make_no_replica_unready(how: str, server: Server) -> None:
    """Somebody has locked the table: what needs it waits, and is given up; groups without keys do not need it."""
    import asyncpg  # noqa: PLC0415

    url = server.database(WALK)
    limits = replace(QUICK, store_call_s=1.0, store_away_s=2.0, heal_period_s=1.0, store_forget_s=1.0)

    async def scenario() -> None:
        store = await opened(WALK, url, limits)
        running = asyncio.create_task(store.run())
        other = await asyncpg.connect(url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE pexservice.keys")
        while store._chores.repeats < 2:
            if how == "busy":
                await store.commit([NEXT])
            await asyncio.sleep(0.02)
            assert store.unready is None
            assert store.status().measures[0].value < limits.store_away_s
        other.terminate()
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


def test_a_server_that_is_away_turns_groups_away_until_it_is_back(server: Server) -> None:
    """Groups that were never sent are turned away after a while, then at once; by itself it goes on."""
    from pexservice.stores.postgres.rules import ServerAway  # noqa: PLC0415 - needs asyncpg.

    url = server.database(WALK)

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        running = asyncio.create_task(store.run())
        assert (await store.commit([NEXT])).end == Place(1, 1)
        await until(lambda: store.status().measures[0].value == 0)
        server.stop()
        await asyncio.sleep(0.2)  # In which it is noticed; else the outcome of the next is unknown.
        with pytest.raises(ServerAway):
            await store.commit([NEXT])
        await until(lambda: store.unready is not None)
        with pytest.raises(ServerAway):
            store.commit([NEXT])
        assert store.status().measures[0].value >= QUICK.store_away_s
        server.start()
        await until(lambda: store.unready is None)
        assert (await store.commit([NEXT])).end == Place(2, 2)
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


def test_a_killed_primary_is_followed_by_its_standby(server: Server) -> None:
    """What was acknowledged is there; the group under way is taken once; a standby is passed over."""
    url = server.database(WALK, is_one_server=False)
    standby = Server()
    try:
        standby.make_standby(server, "second")
        server.ask("ALTER SYSTEM SET synchronous_standby_names = 'second'")
        server.ask("SELECT pg_reload_conf()")
        base, _, name = url.rpartition("/")
        both = f"postgresql://postgres@127.0.0.1:{standby.port},{base.rpartition('@')[2]}/{name}"

        async def scenario() -> None:
            stores = [await opened(WALK, both, QUICK) for _ in range(2)]
            taken: list[Any] = []
            is_over = False

            async def write(store: Any) -> None:
                while not is_over:
                    taken.append(await store.commit([NEXT] * 2))

            writing = [asyncio.create_task(write(store)) for store in stores]
            await until(lambda: len(taken) > 20)
            server.kill()
            before = len(taken)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(standby.promote)
            standby.ask("UPDATE pexservice.setup SET is_one_server = true", name)
            await until(lambda: len(taken) > before + 20)
            is_over = True
            await asyncio.gather(*writing)
            taken.sort(key=lambda judgement: judgement.start.sequence)
            assert [each.start.sequence for each in taken] == list(range(0, 2 * len(taken), 2))
            for store in stores:
                await store.close()

        asyncio.run(scenario())
    finally:
        standby.remove()


def test_a_server_that_refuses_a_call_for_good_ends_the_replica(server: Server) -> None:
    """A table that is gone does not come back by asking again."""
    from pexservice.errors import StorageFailed  # noqa: PLC0415

    url = server.database(WALK)

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        server.ask("ALTER TABLE pexservice.history RENAME TO gone", url.rpartition("/")[2])
        with pytest.raises(StorageFailed, match="refuses a call"):
            await store.commit([NEXT])
        await store.close()

    asyncio.run(scenario())
