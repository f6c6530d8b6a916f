"""What the engine relies on, whatever the store and whatever the machine."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pexservice.core.judging import CONDITION_FAILED, KEY_REUSED, Place
from pexservice.core.keys import SECRET_BYTES, Tag, Terms
from pexservice.core.machine import Machine
from pexservice.core.store import Store
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import Shape
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support import postgres
from support.expected import like
from support.journals import OPTIONS, rows
from support.journals import opened as open_journal
from support.machines import COUNTER, expect
from support.memory_store import MemoryStore
from support.shared_store import opening
from support.simulated_disk import SimulatedDisk

ROOMY = replace(OPTIONS, shape=Shape(4096, 512, 2048))
"""The ring as it is by default, with small blocks."""


@dataclass(frozen=True)
class Kept:
    """A store of some machine, which can be opened any number of times."""

    machine: Machine[Any, Any]
    open: Callable[[], Awaitable[Store[Any, Any]]]
    written: Callable[[], list[str]] | None = None
    """The commands of all rows, if it has any."""


def _in_memory(machine: Machine[Any, Any], _path: Path) -> Kept:
    store = MemoryStore(machine)

    async def opened() -> Store[Any, Any]:
        return store

    return Kept(machine, opened)


def _on_disk(machine: Machine[Any, Any], path: Path) -> Kept:
    owned: list[LinuxDisk] = []

    async def opened() -> Store[Any, Any]:
        while owned:
            owned.pop().close()
        owned.append(LinuxDisk.own(path, Syncer()))
        return await open_journal(owned[0], ROOMY, Codec(machine))

    return Kept(machine, opened, lambda: [row.commands for row in rows(owned[0], Codec(machine))])


def _on_simulated_disk(machine: Machine[Any, Any], _path: Path) -> Kept:
    disk = SimulatedDisk(Random(1))
    codec: Codec[Any, Any] = Codec(machine)
    written = lambda: [row.commands for row in rows(disk, codec)]  # noqa: E731
    return Kept(machine, lambda: open_journal(disk, ROOMY, codec), written)


def _at_a_server(machine: Machine[Any, Any], _path: Path) -> Kept:
    if not postgres.is_there():
        pytest.skip("needs PostgreSQL, and root")
    server = postgres.shared()
    url = server.database(machine)
    rows = "SELECT commands FROM pexservice.history WHERE commands <> '' ORDER BY number"
    return Kept(
        machine, lambda: postgres.opened(machine, url), lambda: server.ask(rows, url.rpartition("/")[2]).splitlines()
    )


def _through_a_writer(machine: Machine[Any, Any], path: Path) -> Kept:
    """The store of a worker, whose writer has a journal."""
    below = _on_disk(machine, path)
    return Kept(machine, opening(machine, below.open), below.written)


MACHINES: dict[str, Machine[Any, Any]] = {"walk": WALK, "counter": COUNTER}
STORES = {
    "memory": _in_memory,
    "journal": _on_disk,
    "journal on the simulated disk": _on_simulated_disk,
    "server": _at_a_server,
    "worker": _through_a_writer,
}
GROUPS: dict[str, list[list[Any]]] = {
    "walk": [[NEXT], [PREVIOUS], [*[NEXT] * 5, PREVIOUS, PREVIOUS, RESET], [NEXT, PREVIOUS] * 2000, [NEXT] * 4096],
    "counter": [[1], [-1], [3, 3, 9, 3, -2, 11], [1, -1] * 2000, [11, 12], [0] * 4096],
}
"""Among those of the counter are commands that are refused, and a group of nothing else."""
CASES = [(store, machine, group) for store in STORES for machine, groups in GROUPS.items() for group in groups]


@pytest.fixture(params=[(store, machine) for store in STORES for machine in MACHINES], ids=" of the ".join)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    store, machine = request.param
    return STORES[store](MACHINES[machine], tmp_path)


def test_a_new_store_stands_at_the_beginning(kept: Kept) -> None:
    """No commands lead to the initial state, and the store takes some."""

    async def scenario() -> None:
        store = await kept.open()
        assert store.read() == Place(0, kept.machine.initial)
        assert store.unready is None
        assert store.in_flight_max >= 1
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("store_name", "machine_name", "group"), CASES)
def test_a_commit_tells_what_its_group_came_to(
    store_name: str, machine_name: str, group: list[Any], tmp_path: Path
) -> None:
    """It gives the place before the group, what became of each command, and the place that the store stands at then.

    What it expected is what it gives, unless others may have come before. Nothing is shown before.
    """
    kept = STORES[store_name](MACHINES[machine_name], tmp_path)

    async def scenario() -> None:
        store = await kept.open()
        place = store.read()
        for commands in (GROUPS[machine_name][2], group, GROUPS[machine_name][1]):
            committing = store.commit(commands)
            assert store.read() == place
            judgement = await committing
            assert judgement is committing.expected or store.is_shared
            assert like(judgement) == expect(kept.machine, place, commands)
            place = judgement.end
            assert store.read() == place
        await store.close()

    asyncio.run(scenario())


def test_a_store_opened_again_stands_where_it_stood(kept: Kept) -> None:
    """Whatever was committed is there after any number of starts, with and without groups between them."""
    first, second, third, *_ = GROUPS[kept.machine.name.replace("fibonacci", "walk")]

    async def scenario() -> None:
        place = Place(0, kept.machine.initial)
        for group in (first, None, None, third, second, None):
            store = await kept.open()
            assert store.read() == place
            if group is not None:
                place = (await store.commit(group)).end
            await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("store_name", STORES)
def test_a_refusal_takes_no_number_and_is_not_written(store_name: str, tmp_path: Path) -> None:
    """Of a group, only what was taken is counted and kept; of one that was refused as a whole, nothing."""
    kept = STORES[store_name](COUNTER, tmp_path)

    async def scenario() -> None:
        store = await kept.open()
        assert (await store.commit([9, 2, 1])).end == Place(2, (10, 2))
        refused = await store.commit([1, 2])
        assert (refused.start, refused.end, refused.taken) == (Place(2, (10, 2)), Place(2, (10, 2)), [])
        assert sorted(refused.refusals) == [0, 1]
        assert (await store.commit([-1])).end == Place(3, (9, 3))
        await store.close()
        store = await kept.open()
        assert store.read() == Place(3, (9, 3))
        assert kept.written is None or kept.written() == ["9 1", "-1"]
        await store.close()

    asyncio.run(scenario())


def key(number: int) -> Terms:
    """Return the terms of a command with one of so many keys."""
    return Terms(b"%022d" % number)


@pytest.mark.parametrize("store_name", STORES)
def test_a_key_is_known_to_all_groups_behind_it_and_after_a_start(store_name: str, tmp_path: Path) -> None:
    """What was taken with it is told again, wherever it is asked: under way, durable, or at the next start."""
    kept = STORES[store_name](COUNTER, tmp_path)

    async def scenario() -> None:
        store = await kept.open()
        first = await store.commit([1, 2, 3], {1: key(1)})
        assert (first.end, first.replays) == (Place(3, (6, 3)), {})
        again = [store.commit([2, 1, 5], {0: key(1), 1: key(2), 2: key(1)})]
        if store.in_flight_max > 1:
            again.append(store.commit([1, 2], {0: key(2), 1: key(1)}))
        then = [await each for each in again]
        assert (then[0].end, then[0].replays) == (Place(4, (7, 4)), {0: Place(2, (3, 2))})
        assert then[0].refusals == {2: KEY_REUSED}
        assert [each.replays for each in then[1:]] == [{0: Place(4, (7, 4)), 1: Place(2, (3, 2))}] * len(then[1:])
        secret = store.key_secret
        await store.close()
        store = await kept.open()
        assert store.key_secret == secret
        last = await store.commit([1, 2, 1], {0: key(2), 1: key(1), 2: key(3)})
        assert (last.end, last.replays) == (Place(5, (8, 5)), {0: Place(4, (7, 4)), 1: Place(2, (3, 2))})
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("store_name", STORES)
def test_a_group_that_was_all_taken_before_takes_nothing(store_name: str, tmp_path: Path) -> None:
    """It ends where it began, and is not written."""
    kept = STORES[store_name](COUNTER, tmp_path)

    async def scenario() -> None:
        store = await kept.open()
        await store.commit([4], {0: key(1)})
        again = await store.commit([4, 4], {0: key(1), 1: key(1)})
        assert (again.start, again.end, list(again.taken)) == (Place(1, (4, 1)), Place(1, (4, 1)), [])
        assert kept.written is None or kept.written() == ["4"]
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("store_name", STORES)
def test_a_condition_is_judged_where_its_command_is(store_name: str, tmp_path: Path) -> None:
    """Against the state that the commands before it in the group lead to."""
    kept = STORES[store_name](COUNTER, tmp_path)
    behind_one = frozenset({Tag(1, "1.1")})

    async def scenario() -> None:
        store = await kept.open()
        judgement = await store.commit([1, 1, 1, 1], {0: Terms(match=behind_one), 2: Terms(match=behind_one)})
        assert judgement.refusals == {0: CONDITION_FAILED}
        assert judgement.end == Place(3, (3, 3))
        assert kept.written is None or kept.written() == ["1 1 1"]
        await store.close()

    asyncio.run(scenario())


def test_the_secret_of_keys_is_long_and_of_its_own(kept: Kept) -> None:
    """Nobody guesses it, and a new store has a new one."""

    async def scenario() -> None:
        store = await kept.open()
        assert len(store.key_secret) == SECRET_BYTES
        await store.close()

    asyncio.run(scenario())


def test_a_store_tells_how_it_is_set_up(kept: Kept) -> None:
    """Its labels are words and its measures have a name and a text, each once."""

    async def scenario() -> None:
        store = await kept.open()
        status = store.status()
        assert all(isinstance(label, str) for label in status.labels.values())
        names = [measure.name for measure in status.measures]
        assert sorted(set(names)) == sorted(names)
        assert all(name.startswith("pex_") for name in names)
        await store.close()

    asyncio.run(scenario())


def test_the_background_work_lasts_as_long_as_the_store(kept: Kept) -> None:
    """It has no end of its own, and may be cut short."""

    async def scenario() -> None:
        store = await kept.open()
        working = asyncio.create_task(store.run())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not working.done()
        working.cancel()
        await asyncio.wait([working])
        assert working.cancelled()
        await store.close()

    asyncio.run(scenario())
