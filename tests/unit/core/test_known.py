"""The keys that a store knows."""

from itertools import pairwise

import pytest

from pexservice.core.keys import Seen
from pexservice.core.known import KnownKeys, steady_clock


class Clock:
    """Stands where the test sets it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def seen(number: int, time_s: int = 1000) -> Seen:
    return Seen(time_s, number, f"{number}n", f"{number},of two,fields")


def keep(known: KnownKeys, digest: bytes, seen: Seen) -> None:
    known.settle({digest: seen.packed()})


class Counted(bytes):
    """A key that counts how often one of its kind is looked up."""

    looked_up = 0

    def __hash__(self) -> int:
        Counted.looked_up += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)


def test_a_group_is_looked_up_and_not_all_that_is_known() -> None:
    """However many keys are known, a group with few asks for few."""
    known = KnownKeys(1000, 60, Clock())
    for number in range(500):
        keep(known, Counted(b"%d" % number), seen(number))
    Counted.looked_up = 0
    assert not known.has_any({b"new": None, b"newer": None}.keys())
    assert known.has_any({b"new": None, b"7": None}.keys())
    assert Counted.looked_up == 0


def test_the_last_so_many_keys_are_known() -> None:
    """With one more the oldest goes, in the order of their commands; what is told of a key is what was kept."""
    known = KnownKeys(3, 60, Clock())
    for number in range(5):
        keep(known, bytes([number]), seen(number))
    assert [known.get(bytes([number])) for number in range(5)] == [None, None, seen(2), seen(3), seen(4)]
    assert known.write() == b"".join(
        b"%b,1000,%d,%dn,%d,of two,fields\n" % (bytes([each]), each, each, each) for each in (2, 3, 4)
    )
    assert len(known) == 3


def test_a_key_is_known_for_so_long() -> None:
    """Once it is that old it is new, and as the newest it goes last."""
    clock = Clock()
    known = KnownKeys(2, 60, clock)
    keep(known, b"a", seen(1))
    clock.now_s += 59
    keep(known, b"b", seen(2, known.now_s()))
    assert known.get(b"a") == seen(1)
    clock.now_s += 1
    assert known.now_s() == 1060
    assert (known.get(b"a"), len(known)) == (None, 1)
    keep(known, b"a", seen(3, 1060))
    keep(known, b"c", seen(4, 1060))
    assert [known.get(each) for each in (b"a", b"b", b"c")] == [seen(3, 1060), None, seen(4, 1060)]


def test_what_is_too_old_is_not_told_before_it_is_let_go() -> None:
    """Many go over several seconds, so that no group waits for it."""
    clock = Clock()
    known = KnownKeys(10_000, 60, clock)
    for number in range(9_000):
        keep(known, number.to_bytes(2), seen(number))
    clock.now_s += 60
    lengths = []
    while known:
        lengths.append(len(known))
        known.now_s()
        assert known.get((8_999).to_bytes(2)) is None
        clock.now_s += 1
    assert all(0 < before - after <= 4_096 for before, after in pairwise([*lengths, 0]))


def test_keys_under_way_are_known_until_their_group_is_turned_away() -> None:
    """Durable, they count and may be the oldest; turned away, they were never there."""
    known = KnownKeys(1, 60, Clock())
    known.expect({b"a": seen(1).packed(), b"b": seen(2).packed()})
    known.expect({b"c": seen(3).packed()})
    assert [known.get(each) for each in (b"a", b"b", b"c")] == [seen(1), seen(2), seen(3)]
    assert len(known) == 0
    known.settle({b"a": seen(1).packed(), b"b": seen(2).packed()})
    assert [known.get(each) for each in (b"a", b"b", b"c")] == [None, seen(2), seen(3)]
    known.forget({b"c": seen(3).packed()})
    assert (known.get(b"c"), known.get(b"b"), len(known)) == (None, seen(2), 1)


def test_a_time_that_is_yet_to_come_counts_as_now() -> None:
    """So a clock that was wrong does not keep a key for years."""
    clock = Clock()
    known = KnownKeys(2, 60, clock)
    keep(known, b"a", seen(1, 10**9))
    assert known.get(b"a") == seen(1, 1000)


def test_a_store_knows_some_keys() -> None:
    """A table of none would take each key for a new one."""
    with pytest.raises(AssertionError, match="some keys"):
        KnownKeys(0, 60)


def test_who_sets_the_clock_makes_no_key_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the machine is read once; from then on another one counts, which nobody sets."""
    monkeypatch.setattr("time.time", lambda: 5000.0)
    clock = steady_clock()
    began = clock()
    assert 5000 <= began < 5060
    monkeypatch.setattr("time.time", lambda: 10**9)
    assert began <= clock() < began + 60


def key(number: int) -> bytes:
    return b"%022d" % number


def test_what_was_written_is_known_again() -> None:
    """As far as there is room, the newest first, and in the same order."""
    known = KnownKeys(10, 60, Clock())
    for number in range(5):
        keep(known, key(number), seen(number))
    again = KnownKeys(3, 60, Clock())
    again.read(known.write())
    assert [again.get(key(number)) for number in range(5)] == [None, None, seen(2), seen(3), seen(4)]
    assert again.write() == known.write()[-len(again.write()) :]
    again.read(b"")
    assert len(again) == 3


def test_what_was_written_by_a_clock_that_was_ahead_counts_as_now() -> None:
    """Whoever set it back makes no key live for years."""
    clock = Clock()
    known = KnownKeys(10, 60, clock)
    clock.now_s += 10**9
    known.now_s()
    keep(known, key(1), seen(1, 10**9))
    again = KnownKeys(10, 60, Clock())
    again.read(known.write())
    assert again.get(key(1)) == seen(1, 1000)


def test_keys_of_what_is_not_there_are_forgotten() -> None:
    """A journal that was cut off knows no later command."""
    known = KnownKeys(10, 60, Clock())
    for number in range(5):
        keep(known, key(number), seen(number))
    known.forget_after(2)
    assert [known.get(key(number)) is None for number in range(5)] == [False, False, False, True, True]


def test_beyond_the_bound_many_go_at_once() -> None:
    """The last so many are always known, and at most one in 64 more."""
    known = KnownKeys(640, 60, Clock())
    lengths = set()
    for number in range(3_000):
        keep(known, key(number), seen(number))
        lengths.add(len(known))
        assert known.get(key(max(0, number - 639))) is not None
    assert max(lengths) == 650


def test_whether_any_of_some_keys_is_known() -> None:
    """Durable or under way; one that is too old may be said to be."""
    known = KnownKeys(10, 60, Clock())
    keep(known, key(1), seen(1))
    known.expect({key(2): seen(2).packed()})
    asked = [{key(1), key(3)}, {key(2), key(3)}, {key(3)}, set()]
    assert [known.has_any(each) for each in asked] == [True, True, False, False]


def test_a_key_that_is_taken_anew_is_the_newest() -> None:
    """It was too old, and the group that took it became durable."""
    known = KnownKeys(2, 60, Clock())
    known.settle({key(1): seen(1).packed(), key(2): seen(2).packed()})
    known.settle({key(1): seen(3).packed(), key(3): seen(4).packed()})
    assert [known.get(key(number)) for number in (1, 2, 3)] == [seen(3), None, seen(4)]
