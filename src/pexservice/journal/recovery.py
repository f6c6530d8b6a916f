"""Finding where the walk stopped.

The idea: every segment begins by saying where the walk stands, so the newest one that was ever used tells all, and the
time to read it is bounded by the size of a segment, not by the length of the history.
"""

import errno
from dataclasses import dataclass

import structlog

from pexservice.errors import DamagedData, Fatal, JournalFailed, NotPermitted
from pexservice.journal.segment import Segment, read, segment_name, sequence_of
from pexservice.storage import Disk
from pexservice.store import Place

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the walk stopped, and the names of the segments that were found with a torn tail."""

    place: Place
    has_history: bool
    torn: list[str]


def sequences(disk: Disk) -> list[int]:
    """Return the sequences that the segments of a directory start after, oldest first."""
    found = (sequence_of(name) for name in disk.names())
    return sorted(sequence for sequence in found if sequence is not None)


def read_segment(disk: Disk, name: str) -> Segment | None:
    """Read and prove one segment, as `segment.read`. Raises also JournalFailed and NotPermitted."""
    try:
        data = disk.read(name)
    except OSError as error:
        raise cannot_read(name, error) from error
    return read(name, data)


def recover(disk: Disk) -> Recovered:
    """Read the newest segment with a valid opening row.

    A newer one that was torn before its opening row was whole was never used: it must start where the walk stopped,
    or a segment between is missing. Raises DamagedData, JournalFailed, NotPermitted. Changes nothing.
    """
    try:
        found = sequences(disk)
    except OSError as error:
        raise cannot_read("the data directory", error) from error
    newest = None
    unused: list[int] = []
    while found and newest is None:
        newest = read_segment(disk, segment_name(found[-1]))
        if newest is None:
            unused.append(found.pop())
    place = newest.place if newest else Place(0, 0)
    torn = [segment_name(sequence) for sequence in unused]
    for sequence, name in zip(unused, torn, strict=True):
        log.warning("a segment was torn before it was used, leaving it behind", segment=name)
        if sequence != place.sequence:
            raise unconnected(name, place)
    if newest and newest.torn_bytes:
        torn.append(newest.name)
        log.warning(
            "torn tail, never answered, leaving it behind",
            segment=newest.name,
            offset=newest.valid_bytes,
            bytes=newest.torn_bytes,
        )
    return Recovered(place, newest is not None, torn)


def unconnected(name: str, end: Place) -> DamagedData:
    """Return the error for an unused segment that does not start where the history before it ends."""
    return DamagedData(
        f"{name} does not start after step {end.sequence}, where the history before it ends: segments are missing or "
        "damaged. Nothing was changed. Restore the data directory from a backup, or see 'Damaged journal' in "
        "docs/operations.md."
    )


def cannot_read(what: str, error: OSError) -> Fatal:
    """Return the error for something that cannot be read."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NotPermitted(f"may not read {what}: {error.strerror}. Give this user the right to.")
    return JournalFailed(f"cannot read {what}: {error.strerror}. Check the disk and the kernel's log.")
