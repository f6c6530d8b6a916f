"""What a replica makes of its two connections to the server, and of what is said over them."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

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


def test_a_server_with_room_for_one_connection_is_not_away(server: Server) -> None:
    """The replica's other connection, for chores, is not let in; while it is idle, and afterwards, it takes groups."""
    url = server.database(WALK)
    name = url.rpartition("/")[2]
    server.ask(
        "CREATE ROLE one LOGIN CONNECTION LIMIT 1; GRANT USAGE ON SCHEMA pexservice TO one;"
        "GRANT ALL ON ALL TABLES IN SCHEMA pexservice TO one",
        name,
    )
    limits = replace(QUICK, store_forget_s=1.0)

    async def scenario() -> None:
        store = await opened(WALK, url.replace("postgres@", "one@"), limits)
        running = asyncio.create_task(store.run())
        assert (await store.commit([NEXT])).end == Place(1, 1)
        began_s = time.monotonic()
        while time.monotonic() - began_s < 4 * limits.store_away_s:
            await asyncio.sleep(0.02)
            assert store.unready is None
        assert store._chores.failing_since is not None
        assert (await store.commit([NEXT])).end == Place(2, 2)
        running.cancel()
        await asyncio.wait([running])
        await store.close()

    asyncio.run(scenario())


def test_a_group_waits_for_the_look_that_has_its_connection(server: Server) -> None:
    """Neither is made again: a connection that is asked for two things at once would take neither."""
    url = server.database(WALK)

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        looks = [asyncio.create_task(store._look(store._session)) for _ in range(3)]
        await asyncio.sleep(0)
        assert store._session.is_calling
        assert (await store.commit([NEXT])).end == Place(1, 1)
        await asyncio.gather(*looks)
        assert (store._session.repeats, store._session.is_calling) == (0, False)
        await store.close()

    asyncio.run(scenario())


def test_a_warning_is_logged_as_the_server_said_it(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """What came with it may have been done or not; whoever looks for the reason finds it in the log."""
    url = server.database(WALK)
    name = url.rpartition("/")[2]
    server.ask(
        "CREATE FUNCTION warned() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE WARNING 'the moon is full'; RETURN NEW; END $$;"
        "CREATE TRIGGER warned BEFORE INSERT ON pexservice.history EXECUTE FUNCTION warned()",
        name,
    )

    async def scenario() -> None:
        store = await opened(WALK, url, QUICK)
        assert store._session.repeats == 1
        await store.close()

    asyncio.run(scenario())
    assert "answered with a warning, and is asked again: the moon is full" in "".join(capfd.readouterr())
