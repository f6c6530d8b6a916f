"""Reading the whole history: every segment, oldest first. For `pexservice journal`, beside a running service."""

from collections.abc import Iterator
from dataclasses import dataclass

from pexservice.core.judging import Place
from pexservice.core.machine import C, S
from pexservice.disk import Disk
from pexservice.stores.journal.errors import JournalFailed, failure
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.recovery import read_segment, sequences
from pexservice.stores.journal.segment import Segment, damage, segment_name


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment and its size on disk."""

    name: str
    size_bytes: int


def segment_files(disk: Disk) -> list[SegmentFile]:
    """Return the segments of a directory, oldest first. Raises JournalFailed, NotPermitted."""
    files = []
    try:
        for sequence in sequences(disk):
            name = segment_name(sequence)
            files.append(SegmentFile(name, disk.size(name)))
    except OSError as error:
        raise failure("read", "the data directory", error) from error
    return files


def segments(codec: Codec[S, C], disk: Disk, files: list[SegmentFile]) -> Iterator[Segment[S]]:
    """Yield the segments in order, proving that each begins where the one before it ended.

    Raises DamagedData, JournalFailed, NotPermitted.
    """
    end: Place[S] | None = None
    for file in files:
        try:
            segment = read_segment(codec, disk, file.name)
        except JournalFailed as error:
            if end is None and isinstance(error.__cause__, FileNotFoundError):
                continue  # The running service let go of its oldest segments in the meantime.
            raise
        begin = segment.opening.place
        if end is not None and begin != end:
            reason = f"it begins at {begin}, but the segment before it ends at {end}"
            raise damage(file.name, 2, len(codec.header), reason)
        end = segment.place
        yield segment
