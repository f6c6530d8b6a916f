"""From a group to its rows.

A group is one row, as long as that takes no more lines of the ring than one group may, so that all that are in flight
have room there. One that is longer is cut in two, and each half again: rows of their own, each judged from where the
one before it ends. The last of them is the one that is awaited, so a group is answered once all of it is durable; of
one that was in flight at a crash a beginning may be left, which nobody was told.
"""

from dataclasses import replace

from pexservice.core.judging import Judgement, judge
from pexservice.core.keys import Keys, sequence_of
from pexservice.core.machine import C, S
from pexservice.stores.journal.errors import CommandTooLong, RowTooLong
from pexservice.stores.journal.flight import Flight
from pexservice.stores.journal.record import Codec, encode_keys
from pexservice.stores.journal.ring import PART_BYTES_MAX, cut


def flights(codec: Codec[S, C], judgement: Judgement[S, C], lines_max: int, time_s: float) -> list[Flight[S, C]]:
    """Return the rows of a group, which was judged, in their order: almost always one. `time_s` is Unix time.

    One without parts if nothing was taken. Raises RowTooLong if a single command takes more lines than a row may, and
    CommandTooLong if it was asked for alone.
    """
    try:
        return _rows(codec, judgement, lines_max, time_s)
    except RowTooLong as error:
        if len(judgement.states) == 1:
            raise CommandTooLong(*error.args) from None
        raise


def _rows(codec: Codec[S, C], judgement: Judgement[S, C], lines_max: int, time_s: float) -> list[Flight[S, C]]:
    taken = judgement.taken
    if not taken:
        return [Flight(judgement, [])]
    keys = encode_keys(judgement.start.sequence, judgement.keys) if judgement.keys else ""
    parts = cut(codec.encode_body(judgement.end, codec.machine.encode(taken), time_s, keys))
    if len(parts) <= lines_max:
        return [Flight(judgement, parts, judgement.keys)]
    if len(taken) == 1:
        size, size_max = (count * PART_BYTES_MAX / 1024 for count in (len(parts), lines_max))
        where = f"the row after sequence {judgement.start.sequence}"
        raise RowTooLong(f"{where} takes {len(parts)} lines of the ring, {size:.1f} KiB, of at most {size_max:.1f}")
    half = len(taken) // 2
    first = _with_keys(judge(codec.machine, judgement.start, taken[:half]), judgement.keys)
    second = _with_keys(judge(codec.machine, first.end, taken[half:]), judgement.keys)
    rows = _rows(codec, first, lines_max, time_s)
    later = _rows(codec, second, lines_max, time_s)
    assert second.end == judgement.end, "a machine comes to the same in two halves, and without what it refused"
    rows += [replace(each, continues=True) for each in later]
    rows[-1].expected = judgement
    return rows


def _with_keys(half: Judgement[S, C], keys: Keys) -> Judgement[S, C]:
    """Return the half of a group with those of the keys that are its own."""
    begin, end = half.start.sequence, half.end.sequence
    return half._replace(keys={key: packed for key, packed in keys.items() if begin < sequence_of(packed) <= end})
