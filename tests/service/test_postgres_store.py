"""What the store on PostgreSQL promises beyond the contract of all stores, on a real server."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from pexservice.core.judging import Judgement, Place, judge
from pexservice.core.keys import Terms
from pexservice.core.machine import Machine
from pexservice.errors import DefectiveMachine
from pexservice.limits import DEFAULT
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support import postgres
from support.machines import COUNTER, Counter
from support.postgres import ask, opened

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

QUICK = replace(DEFAULT, store_call_s=0.5, store_away_s=2.0, heal_period_s=0.1)


def test_writers_take_turns_at_one_walk() -> None:
    """Each group begins where the one before it ended, whoever sent that, and is what the machine makes of it."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        stores = [await opened(WALK, url, QUICK) for _ in range(2)]
        place = Place(0, 0)
        groups = [[NEXT], [PREVIOUS] * 3, [NEXT, NEXT, RESET, NEXT], [NEXT, PREVIOUS] * 2000, [NEXT] * 4096, [RESET]]
        for index, group in enumerate(groups):
            assert await stores[index % 2].commit(group) == judge(WALK, place, group)
            place = judge(WALK, place, group).end
            seen = await stores[(index + 1) % 2].commit(())
            assert (seen.start, seen.end) == (place, place)
            assert stores[(index + 1) % 2].read() == place
        for store in stores:
            await store.close()

    asyncio.run(scenario())


def test_a_key_is_known_to_all_replicas_until_it_is_too_old() -> None:
    """A step with it is taken once; after its time it is taken again."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        stores = [await opened(WALK, url, replace(QUICK, idempotency_ttl_s=2.0)) for _ in range(2)]
        own = {0: Terms(b"k" * 22)}
        assert (await stores[0].commit([NEXT], own)).end == Place(1, 1)
        again = await stores[1].commit([NEXT], own)
        assert (again.end, again.replays) == (Place(1, 1), {0: Place(1, 1)})
        await asyncio.sleep(3)
        assert (await stores[1].commit([NEXT], own)).end == Place(2, 2)
        for store in stores:
            await store.close()

    asyncio.run(scenario())


def _fail(*_: object) -> Any:
    raise FileNotFoundError("of the machine")


@pytest.mark.parametrize(
    ("method", "wrong", "told"),
    [
        ("step", _fail, FileNotFoundError),
        ("encode", _fail, FileNotFoundError),
        ("encode", lambda *_: "", DefectiveMachine),
        ("encode", lambda *_: "a,b", DefectiveMachine),
        ("encode", lambda *_: b"a", DefectiveMachine),
        ("encode_state", lambda _, state: f"{state[0]},{state[1]}" if state[1] == 0 else "1", DefectiveMachine),
        ("encode_state", lambda _, state: f"{state[0]},{state[1]}" if state[1] == 0 else None, DefectiveMachine),
    ],
)
def test_what_a_machine_does_wrong_is_told_of_the_machine(method: str, wrong: object, told: type[Exception]) -> None:
    """Whatever it raises is no failure of the server's, and nothing is written that could not be read again."""
    url = postgres.shared().database(COUNTER)
    machine = type("Wrong", (Counter,), {method: wrong})()

    async def scenario() -> None:
        store = await opened(machine, url, QUICK)
        with pytest.raises(told):
            await asyncio.wait_for(asyncio.ensure_future(_awaited(store.commit([1]))), 5)
        await store.close()
        right = await opened(COUNTER, url, QUICK)
        assert right.read() == Place(0, (0, 0))
        await right.close()

    asyncio.run(scenario())


async def _awaited(commit: Any) -> Any:
    return await commit


@pytest.mark.parametrize("machine", [WALK, COUNTER], ids=["walk", "counter"])
def test_lost_connections_lose_and_double_nothing(machine: Machine[Any, Any]) -> None:
    """While connections are ended at random, each group is taken once, and answered with what it came to."""
    url = postgres.shared().database(machine)
    group = [NEXT] * 3 if machine is WALK else [-1] * 3

    async def scenario() -> None:
        random = Random(7)
        answered: list[Judgement[Any, Any]] = []
        ended = 0

        async def write(number: int, store: Any) -> None:
            while ended < 15:
                terms = {1: Terms(b"%022d" % (10**6 * number + len(answered)))} if len(answered) % 2 else {}
                answered.append(await store.commit(group, terms))
            await store.close()

        async def attack() -> None:
            nonlocal ended
            while True:
                await asyncio.sleep(random.random() * 0.02)
                rows = await ask(
                    url,
                    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) one",
                )
                ended += rows[0][0]

        stores = [await opened(machine, url, QUICK) for _ in range(3)]  # A start may end with its connection.
        attacking = asyncio.create_task(attack())
        await asyncio.gather(*(write(number, store) for number, store in enumerate(stores)))
        attacking.cancel()
        await asyncio.wait([attacking])
        answered.sort(key=lambda judgement: judgement.start.sequence)
        assert [each.start.sequence for each in answered] == list(range(0, 3 * len(answered), 3))
        assert all(a.end == b.start for a, b in pairwise(answered))
        rows = await ask(url, "SELECT count(*) FROM pexservice.history WHERE commands <> ''")
        assert rows[0][0] == len(answered)

    asyncio.run(scenario())


def test_a_repeat_of_a_group_with_terms_has_the_outcome_of_the_first() -> None:
    """Also once its keys are forgotten: what became of it stands in its row."""
    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        store, other = await opened(WALK, url, QUICK), await opened(WALK, url, QUICK)
        await other.commit([NEXT], {0: Terms(b"a" * 22)})
        terms = {0: Terms(b"a" * 22), 1: Terms(b"b" * 22), 3: Terms(match=frozenset())}
        first = await store.commit([NEXT, NEXT, PREVIOUS, NEXT], terms)
        await ask(url, "DELETE FROM pexservice.keys")
        await other.commit([NEXT])
        store._group -= 1
        again = await store.commit([NEXT, NEXT, PREVIOUS, NEXT], terms)
        assert (again.start, again.end, list(again.states)) == (first.start, first.end, list(first.states))
        assert (again.replays, again.refusals) == (first.replays, first.refusals)
        assert sorted(first.replays) == [0]
        assert sorted(first.refusals) == [3]
        for each in (store, other):
            await each.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("whose", ["mine", "of another"])
def test_a_server_that_lost_groups_is_refused(whose: str) -> None:
    """It lacks the last group of this writer, or one that this writer was told of: nothing more is written."""
    from pexservice.stores.postgres.rules import LostGroups  # noqa: PLC0415

    url = postgres.shared().database(WALK)

    async def scenario() -> None:
        store, other = await opened(WALK, url, QUICK), await opened(WALK, url, QUICK)
        await store.commit([NEXT])
        await other.commit([NEXT])
        if whose == "mine":
            await store.commit([NEXT])
        else:
            await store.commit(())
            await other.commit([NEXT])
        await ask(url, "DELETE FROM pexservice.history WHERE number >= 5")
        with pytest.raises(LostGroups, match="lost groups"):
            await (store if whose == "mine" else other).commit([NEXT])
        assert (await ask(url, "SELECT count(*) FROM pexservice.history"))[0][0] == 4
        await store.close()
        await other.close()

    asyncio.run(scenario())
