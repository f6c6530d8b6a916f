"""A data directory, from being held until its journal is open."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from pexservice.config import Settings
from pexservice.core.judging import Place
from pexservice.errors import DamagedData, DirectoryOwned
from pexservice.stores.journal.holding import Adopt, HeldJournal
from pexservice.walk.machine import WALK
from support.machines import COUNTER


def _held(path: Path, adopt: Adopt[int] = lambda _: None, settings: Settings | None = None) -> Any:
    return HeldJournal.hold(WALK, settings or Settings(data_dir=path), adopt)


def _let_go(held: Any) -> None:
    held._disk.close()


def test_a_directory_is_held_before_anything_is_read_or_written(tmp_path: Path) -> None:
    """From then on nobody else gets it, and there is no segment before it is opened."""

    async def scenario() -> None:
        held = await _held(tmp_path / "data")
        assert held.where == str(tmp_path / "data")
        with pytest.raises(DirectoryOwned):
            await _held(tmp_path / "data")
        assert list((tmp_path / "data").glob("*.csv")) == []
        _let_go(held)

    asyncio.run(scenario())


def test_an_empty_directory_goes_on_from_what_is_adopted(tmp_path: Path) -> None:
    """What is found in it is asked for if there is no journal, and only then; the journal is new either way."""
    asked = []

    def adopt(path: Path) -> Place[int]:
        asked.append(path)
        return Place(7, 3)

    async def scenario() -> None:
        for is_new in (True, False):
            held = await _held(tmp_path, adopt)
            journal = await held.open()
            assert (held.is_new, journal.read()) == (is_new, Place(7, 3))
            await journal.close()
            _let_go(held)
        assert asked == [tmp_path]

    asyncio.run(scenario())


def test_who_warns_of_what_is_passed_over_is_told_where_the_journal_stands(tmp_path: Path) -> None:
    """Where there is a journal, and not at its first start, which passes nothing over."""
    told = []

    async def scenario() -> None:
        settings = Settings(data_dir=tmp_path)
        for _ in range(2):
            held = await HeldJournal.hold(
                WALK, settings, lambda _: Place(7, 3), lambda path, place: told.append((path, place))
            )
            await (await held.open()).close()
            _let_go(held)
        assert told == [(tmp_path, Place(7, 3))]

    asyncio.run(scenario())


def test_nothing_to_adopt_is_a_new_machine(tmp_path: Path) -> None:
    """Without a journal, and without anything to go on from, the machine is at its beginning."""

    async def scenario() -> None:
        held = await _held(tmp_path, settings=Settings(data_dir=tmp_path, durability="interval"))
        journal = await held.open()
        assert (held.is_new, journal.read()) == (True, Place(0, 0))
        assert journal.status().labels["durability"] == "interval"
        await journal.close()
        _let_go(held)

    asyncio.run(scenario())


def test_another_machine_s_directory_is_refused(tmp_path: Path) -> None:
    """With 65, and what to do; nothing in it is changed."""

    async def begin() -> None:
        held = await _held(tmp_path)
        await (await held.open()).close()
        _let_go(held)

    async def mistake() -> None:
        held = await HeldJournal.hold(COUNTER, Settings(data_dir=tmp_path))
        with pytest.raises(DamagedData, match="belongs to another machine, 'fibonacci', and this program runs 'coun"):
            await held.open()
        _let_go(held)

    asyncio.run(begin())
    before = _files(tmp_path)
    asyncio.run(mistake())
    assert _files(tmp_path) == before


def _files(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir() if each.name != "lock"}


def test_a_directory_is_named_although_the_working_directory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then as it was given."""

    async def hold() -> Any:
        return await _held(tmp_path, settings=Settings(data_dir=Path("data")))

    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    held = asyncio.run(hold())
    (tmp_path / "gone" / "data").rename(tmp_path / "data")
    (tmp_path / "gone").rmdir()
    assert held.where == "data"
    _let_go(held)


def test_what_keeps_others_out_can_be_handed_on(tmp_path: Path) -> None:
    """While another process has a copy of the lock, nobody else gets hold of the directory."""

    async def scenario() -> None:
        held = await _held(tmp_path)
        copies = [os.dup(fd) for fd in held.locks]
        _let_go(held)
        with pytest.raises(DirectoryOwned):
            await _held(tmp_path)
        for copy in copies:
            os.close(copy)
        _let_go(await _held(tmp_path))

    asyncio.run(scenario())
