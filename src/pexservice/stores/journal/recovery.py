"""Finding where the walk stopped.

The idea: every segment begins by saying where the walk stands, so the newest one tells all, and the time to read it is
bounded by the size of a segment, not by the length of the history.
"""

import errno
from dataclasses import dataclass

import structlog

from pexservice.core.store import Place
from pexservice.disk import Disk
from pexservice.errors import Fatal, JournalFailed, NotPermitted
from pexservice.stores.journal.segment import Segment, read, segment_name, sequence_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where the walk stopped, and the name of the newest segment if it was found with a torn tail."""

    place: Place
    has_history: bool
    torn: str | None = None


def sequences(disk: Disk) -> list[int]:
    """Return the sequences that the segments of a directory start after, oldest first."""
    found = (sequence_of(name) for name in disk.names())
    return sorted(sequence for sequence in found if sequence is not None)


def read_segment(disk: Disk, name: str) -> Segment:
    """Read and prove one segment, as `segment.read`. Raises also JournalFailed and NotPermitted."""
    try:
        data = disk.read(name)
    except OSError as error:
        raise cannot_read(name, error) from error
    return read(name, data)


def recover(disk: Disk) -> Recovered:
    """Read the newest segment. Raises DamagedData, JournalFailed, NotPermitted. Changes nothing."""
    try:
        found = sequences(disk)
    except OSError as error:
        raise cannot_read("the data directory", error) from error
    if not found:
        return Recovered(Place(0, 0), has_history=False)
    newest = read_segment(disk, segment_name(found[-1]))
    if not newest.torn_bytes:
        return Recovered(newest.place, has_history=True)
    log.warning(
        "torn tail, never answered, leaving it behind",
        segment=newest.name,
        offset=newest.valid_bytes,
        bytes=newest.torn_bytes,
    )
    return Recovered(newest.place, has_history=True, torn=newest.name)


def cannot_read(what: str, error: OSError) -> Fatal:
    """Return the error for something that cannot be read."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NotPermitted(f"may not read {what}: {error.strerror}. Give this user the right to.")
    return JournalFailed(f"cannot read {what}: {error.strerror}. Check the disk and the kernel's log.")
