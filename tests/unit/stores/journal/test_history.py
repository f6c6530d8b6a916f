"""Reading all segments, oldest first, beside a running service."""

import asyncio
import errno
from random import Random
from typing import Any

import pytest

from pexservice.core.judging import Place
from pexservice.disk import Disk
from pexservice.errors import DamagedData
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.machine import WALK
from support.journals import open_journal, recovered, whole
from support.simulated_disk import SimulatedDisk


def test_segments_that_the_service_lets_go_of_meanwhile_are_passed_over() -> None:
    """The oldest may vanish between being listed and being read; one behind those that were read may not."""

    async def scenario() -> SimulatedDisk:
        disk = SimulatedDisk(Random(1))
        for _ in range(3):
            journal = await open_journal(disk)
            await journal.commit(b"n")
            await journal.close()
        return disk

    disk = asyncio.run(scenario())
    read = disk.read

    def vanished(*names: str) -> Any:
        def read_if_there(name: str) -> bytes:
            if name in names:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory")
            return read(name)

        return read_if_there

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "read", vanished(segment_name(0), segment_name(1)))
        assert [segment.name for segment in whole(disk)] == [segment_name(2)]
        patch.setattr(disk, "read", vanished(segment_name(1)))
        with pytest.raises(JournalFailed, match=f"cannot read {segment_name(1)}"):
            whole(disk)


def test_a_gap_between_segments_is_damage() -> None:
    """Each begins where the one before it ended; the one that does not is named."""

    async def scenario(disk: Disk) -> None:
        for _ in range(3):
            journal = await open_journal(disk, WALK)
            await journal.commit(b"nn")
            await journal.close()

    disk = SimulatedDisk(Random(1))
    asyncio.run(scenario(disk))
    disk.remove(segment_name(2))
    with pytest.raises(DamagedData, match=rf"{segment_name(4)} is damaged at line 2, byte offset \d+: it begins at"):
        whole(disk)
    assert recovered(disk).place == Place(6, 6)
