"""What the engine relies on, whatever the store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from pexservice.core.store import Place, Store
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.stores.journal.recovery import recover
from pexservice.stores.journal.writer import Journal
from pexservice.walk.steps import positions
from support.memory_store import MemoryStore
from support.simulated_disk import SimulatedDisk

Open = Callable[[], Awaitable[Store]]
"""Opens the store, or opens it again after it was closed."""


@pytest.fixture(params=["memory", "journal", "journal on the simulated disk"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    memory = MemoryStore()
    simulated = SimulatedDisk(Random(1))
    owned: list[LinuxDisk] = []

    async def in_memory() -> Store:
        return memory

    async def on_disk() -> Store:
        while owned:
            owned.pop().close()
        owned.append(LinuxDisk.own(tmp_path, Syncer()))
        return await Journal.open(owned[0], recover(owned[0]))

    async def on_simulated_disk() -> Store:
        return await Journal.open(simulated, recover(simulated))

    opens: dict[str, Open] = {
        "memory": in_memory,
        "journal": on_disk,
        "journal on the simulated disk": on_simulated_disk,
    }
    return opens[request.param]


def test_a_new_store_stands_at_the_beginning(open_store: Open) -> None:
    """No steps lead to position 0, and the store takes some."""

    async def scenario() -> None:
        store = await open_store()
        assert store.place == Place(0, 0)
        assert await store.heal() is None
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("steps", [b"n", b"p", b"nnnnnppr", b"np" * 2000, b"n" * 4096])
def test_a_commit_tells_where_its_group_began(open_store: Open, steps: bytes) -> None:
    """Commit gives the place before the group, and leaves the store at the place after it."""

    async def scenario() -> None:
        store = await open_store()
        place = Place(0, 0)
        for group in (b"nnn", steps, b"p"):
            assert await store.commit(group) == place
            *_, position = positions(place.position, group)
            place = Place(place.sequence + len(group), position)
            assert store.place == place
        await store.close()

    asyncio.run(scenario())


def test_a_store_opened_again_stands_where_it_stood(open_store: Open) -> None:
    """Whatever was committed is there after any number of starts, with and without steps between them."""

    async def scenario() -> None:
        place = Place(0, 0)
        for group in (b"nnn", None, None, b"npr", b"n", None):
            store = await open_store()
            assert store.place == place
            if group is not None:
                await store.commit(group)
                place = store.place
            await store.close()

    asyncio.run(scenario())
