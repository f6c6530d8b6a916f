"""Finding where a machine stopped, on a disk that does not let itself be read."""

import asyncio
import errno
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.errors import DamagedData, Fatal, NotPermitted
from pexservice.stores.journal.errors import JournalFailed
from pexservice.stores.journal.segment import segment_name
from support.journals import open_journal, recovered, whole
from support.machines import COUNTER
from support.simulated_disk import SimulatedDisk


def _disk() -> SimulatedDisk:
    """Return a disk with a journal of the walk, of one group."""

    async def scenario() -> SimulatedDisk:
        disk = SimulatedDisk(Random(1))
        await (await open_journal(disk)).commit(b"nnn")
        return disk

    return asyncio.run(scenario())


def _raising(error: OSError) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_without_segments_the_machine_is_new() -> None:
    """Other files in the directory are no history, and a machine begins at its initial state."""
    found = recovered(SimulatedDisk(Random(1), {"lock": b"", "fibo.csv": b"58,11,55,89,144"}), COUNTER)
    assert (found.place, found.has_history, found.torn) == (Place(0, (0, 0)), False, None)


def test_a_torn_tail_is_told() -> None:
    """The log says which segment, where in it and how much; and where the machine stood before is where it goes on."""
    disk = _disk()
    size = disk.size(segment_name(0))
    with capture_logs() as logs:
        found = recovered(SimulatedDisk(Random(1), {segment_name(0): disk.read(segment_name(0)) + b"4,4,1n"}))
    assert (found.place, found.has_history, found.torn) == (Place(3, 3), True, segment_name(0))
    assert [(entry["segment"], entry["offset"], entry["bytes"]) for entry in logs] == [(segment_name(0), size, 6)]


def test_another_machine_s_directory_is_not_opened() -> None:
    """Neither a start nor a command that reads takes it for its own, and it is left as it is."""
    disk = _disk()
    before = {name: disk.read(name) for name in disk.names()}
    for read in (recovered, whole):
        with pytest.raises(DamagedData, match="belongs to another machine, 'fibonacci', and this program runs 'co"):
            read(disk, COUNTER)
    with pytest.raises(DamagedData, match="belongs to another machine"):
        asyncio.run(open_journal(disk, COUNTER))
    assert {name: disk.read(name) for name in disk.names()} == before


@pytest.mark.parametrize("operation", ["names", "read"])
@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OSError(errno.EIO, "Input/output error"), JournalFailed, "cannot read {}: Input/output error. Check the disk"),
        (PermissionError(errno.EACCES, "Permission denied"), NotPermitted, "may not read {}: Permission denied. Give"),
    ],
)
def test_what_cannot_be_read_is_named(operation: str, error: OSError, kind: type[Fatal], text: str) -> None:
    """The directory or the segment, and why."""
    what = {"names": "the data directory", "read": segment_name(0)}[operation]
    disk = _disk()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, operation, _raising(error))
        for read in (recovered, whole):
            with pytest.raises(kind, match=text.format(what)):
                read(disk)
