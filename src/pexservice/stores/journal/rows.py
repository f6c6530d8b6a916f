"""From a group to its rows.

A group is one row, as long as that takes no more lines of the ring than one group may, so that all that are in flight
have room there. One that is longer is cut in two, and each half again: rows of their own, each judged from where the
one before it ends. The last of them is the one that is awaited, so a group is answered once all of it is durable; of
one that was in flight at a crash a beginning may be left, which nobody was told.
"""

from collections.abc import Sequence
from dataclasses import replace

from pexservice.core.judging import Judgement, judge
from pexservice.core.machine import C, S
from pexservice.stores.journal.errors import RowTooLong
from pexservice.stores.journal.flight import Flight
from pexservice.stores.journal.record import Codec
from pexservice.stores.journal.ring import cut


def flights(
    codec: Codec[S, C], judgement: Judgement[S, C], commands: Sequence[C], lines_max: int, time_s: float
) -> list[Flight[S, C]]:
    """Return the rows of a group, which was judged, in their order: almost always one. `time_s` is Unix time.

    One without parts if nothing was taken. Raises RowTooLong if a single command takes more lines than a row may.
    """
    if not judgement.taken:
        return [Flight(judgement, [])]
    parts = cut(codec.encode_body(judgement.end, codec.machine.encode(judgement.taken), time_s))
    if len(parts) <= lines_max:
        return [Flight(judgement, parts)]
    if len(commands) == 1:
        message = f"the row after sequence {judgement.start.sequence} takes {len(parts)} lines of the ring"
        raise RowTooLong(message)
    half = len(commands) // 2
    first = judge(codec.machine, judgement.start, commands[:half])
    second = judge(codec.machine, first.end, commands[half:])
    rows = flights(codec, first, commands[:half], lines_max, time_s)
    later = flights(codec, second, commands[half:], lines_max, time_s)
    assert second.end == judgement.end, "a machine comes to the same in two halves"
    rows += [replace(each, continues=True) for each in later]
    rows[-1].expected = judgement
    return rows
