"""What can become of a data directory as a whole: its segments, what lies beside them, and the lock.

How each kind is judged is told in `damage.py`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from pexservice.core.judging import Place
from pexservice.stores.journal.ring import RING_NAME
from pexservice.stores.journal.segment import segment_name
from torture.attacks.damage_bytes import forbidden, instead
from torture.attacks.specimen import HEADER, Content, Damage, Specimen, chained, named

_BEYOND_64_BITS: Final = 2**64 + 1
_LARGEST: Final = 10**20 - 1
"""The largest number that a segment's name has room for."""


def oldest_missing(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({whole.files[0].name: None}, whole.end)


def middle_missing(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({whole.files[1].name: None}, whole.end, f"{whole.files[2].name} begins at")


def newest_missing(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({whole.files[2].name: None}, whole.end, names="is damaged")


def ring_missing(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({RING_NAME: None}, whole.end, names=f"{RING_NAME} is missing")


def history_missing(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({file.name: None for file in whole.files}, whole.end, names="the history is missing")


def unopened(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A segment without an opening row, where the next one would start or beyond."""
    for sequence in (whole.end.sequence, whole.end.sequence + 1, _BEYOND_64_BITS, _LARGEST):
        name = segment_name(sequence)
        yield Damage({name: HEADER}, whole.end, named(name))
        for data in (b"", bytes(100)):
            yield Damage({name: data}, whole.end, named(name, lines_before=0, offset=0))


def misnamed(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """The newest segment, copied or moved to the name of a later one."""
    newest = whole.files[-1]
    for sequence in (whole.end.sequence, whole.end.sequence + 1, _BEYOND_64_BITS, _LARGEST):
        name = segment_name(sequence)
        yield Damage({name: newest.data}, whole.end, named(name))
        yield Damage({name: newest.data, newest.name: None}, newest.opening, named(name))


def another_walk(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A segment of another walk, whole in itself, that starts after a step which this one never took."""
    for place in (Place(whole.end.sequence + 1, 3), Place(_BEYOND_64_BITS, 3), Place(_LARGEST, 3)):
        yield _added(whole, place)
    yield _added(whole, Place(whole.end.sequence + 1, _LARGEST))


def overlap(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A segment that starts where the walk once was, in the middle of the newest one."""
    for line in whole.files[-1].lines[2:-1]:
        yield _added(whole, line.place)


def older_overlap(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """The same, in the middle of an older one."""
    for line in whole.files[1].lines[2:-1]:
        yield _added(whole, line.place)


def _added(whole: Specimen, place: Place[int]) -> Damage:
    name = segment_name(place.sequence)
    opening = b"%d,%d,v2 fibonacci,,2026-11-23T18:55:31.000000Z" % (place.sequence, place.state)
    return Damage({name: chained([opening])}, whole.end, name)


def left_over(whole: Specimen, rng: Random) -> Iterator[Damage]:
    """What a crash, or a person, leaves beside the segments."""
    upcoming, newest = segment_name(whole.end.sequence), whole.files[-1]
    names_and_contents: list[tuple[str, Content]] = [
        (upcoming + ".new", b""),
        (upcoming + ".new", newest.data),
        (upcoming + ".torn", newest.data),
        (upcoming + ".torn", Path.mkdir),
        (newest.name + ".new", rng.randbytes(100)),
        (RING_NAME + ".new", rng.randbytes(100)),
        (newest.name + "~", newest.data),
        (newest.name.replace("-0", "-00"), newest.data),
        (newest.name.replace("-0", "-\u0660"), newest.data),
        (newest.name.upper(), newest.data),
        (os.fsdecode(b"journal-\xff.csv"), newest.data),
        ("lost+found", Path.mkdir),
        ("fibo.csv", b"58,11,55,89,144\n"),
        ("lock", None),
        ("lock", b"not a number\xff\n"),
        ("lock", instead(os.mkfifo)),
    ]
    for name, content in names_and_contents:
        yield Damage({name: content}, whole.end)


def new_is_directory(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A directory where the next ring is to be written."""
    yield Damage({RING_NAME + ".new": Path.mkdir}, whole.end)
    yield Damage({RING_NAME + ".new": lambda path: (path / "full").mkdir(parents=True)}, whole.end)


def lock_is_no_file(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    yield Damage({"lock": instead(Path.mkdir)}, whole.end)
    yield Damage({"lock": instead(lambda path: path.symlink_to("lock"))}, whole.end)


def lock_forbidden(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A lock that nobody may open, or only read."""
    yield Damage({"lock": instead(forbidden)}, whole.end, is_of_modes=True)
    yield Damage({"lock": instead(lambda path: path.touch(0o444))}, whole.end, is_of_modes=True)


def directory_forbidden(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A directory that nobody may read."""
    yield Damage({".": lambda path: path.chmod(0)}, whole.end, is_of_modes=True)


def directory_read_only(whole: Specimen, _rng: Random) -> Iterator[Damage]:
    """A directory that nobody may write."""
    yield Damage({".": lambda path: path.chmod(0o555)}, whole.end, is_of_modes=True)
