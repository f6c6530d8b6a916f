"""What a journal tells of itself, for metrics and the status page."""

from contextlib import suppress

from pexservice.core.known import KnownKeys
from pexservice.core.machine import C, S
from pexservice.core.measures import Histogram, Measure
from pexservice.core.store import Status
from pexservice.disk import Disk
from pexservice.stores.journal.history_writer import HistoryWriter
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.ring_writer import RingWriter


def show(  # noqa: PLR0913, PLR0917 - the parts of a journal.
    disk: Disk,
    options: Options,
    ring: RingWriter[S, C] | None,
    history: HistoryWriter[S, C],
    known: KnownKeys,
    flush_seconds: Histogram,
) -> Status:
    """As `Store.status`."""
    labels = {
        "durability": "interval" if options.is_interval else "fsync",
        "sync_method": "none yet" if ring is None else ring.file.method,
    }
    measures = [
        Measure("pex_flush_seconds", "Syncs for --durability interval.", flush_seconds),
        Measure("pex_segment_bytes", "Size of the segment that is growing.", history.segment_bytes),
        Measure("pex_segment_bytes_max", "Beyond it the next is begun.", options.limits.segment_bytes_max),
        Measure("pex_keys", "Keys of commands that are known.", len(known)),
        Measure("pex_keys_max", "Beyond it the oldest is forgotten.", known.keys_max),
        Measure("pex_history_rows_waiting", "Rows that are in the ring only.", history.waiting),
    ]
    if ring is not None:
        used = ring.last - max(history.kept - 1, 0)
        measures += [
            Measure("pex_ring_lines", "Lines that the ring has.", ring.shape.lines),
            Measure("pex_ring_lines_used", "Lines that may not be written over yet.", used),
        ]
    with suppress(OSError):  # A disk that is broken is no reason to tell nothing else.
        free_bytes = disk.free_bytes()
        measures.append(Measure("pex_disk_free_bytes", "Free space of the journal's file system.", free_bytes))
    return Status(labels, measures)
