"""Finding where the machine stopped.

Every segment begins by saying where the machine stands, so a start reads the newest one alone. Its time is bounded by
the size of a segment, not by the length of the history.
"""

from dataclasses import dataclass
from typing import Generic

import structlog

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.stores.journal.errors import failure
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.segment import Segment, read, segment_name, sequence_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recovered(Generic[S]):
    """Where the machine stopped, and the name of the newest segment if it was found with a torn tail."""

    place: Place[S]
    has_history: bool
    torn: str | None = None


def sequences(disk: Disk) -> list[int]:
    """Return the sequences that the segments of a directory start after, oldest first."""
    found = (sequence_of(name) for name in disk.names())
    return sorted(sequence for sequence in found if sequence is not None)


def read_segment(codec: Codec[S, C], disk: Disk, name: str) -> Segment[S]:
    """Read and prove one segment, as `segment.read`. Raises also JournalFailed and NotPermitted."""
    try:
        data = disk.read(name)
    except OSError as error:
        raise failure("read", name, error) from error
    return read(codec, name, data)


def recover(codec: Codec[S, C], disk: Disk) -> Recovered[S]:
    """Read the newest segment. Raises DamagedData, JournalFailed, NotPermitted. Changes nothing."""
    try:
        found = sequences(disk)
    except OSError as error:
        raise failure("read", "the data directory", error) from error
    if not found:
        return Recovered(Place(0, codec.machine.initial), has_history=False)
    newest = read_segment(codec, disk, segment_name(found[-1]))
    if not newest.torn_bytes:
        return Recovered(newest.place, has_history=True)
    log.warning(
        "torn tail, never answered, leaving it behind",
        segment=newest.name,
        offset=newest.valid_bytes,
        bytes=newest.torn_bytes,
    )
    return Recovered(newest.place, has_history=True, torn=newest.name)
