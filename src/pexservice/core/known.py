"""The keys that a store knows, in memory: the last so many, for so long.

Keys of groups that are under way are known, too, since a client may ask again before the disk is done. They are kept
apart, so that a group that is turned away takes its keys with it.

Memory: a key takes some 220 bytes where a written command and state are short. What is remembered of it is one line of
text; so to keep the keys of a group is one update of a dictionary, and to write all of them down, or to read them,
takes milliseconds.
"""

import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from io import BytesIO
from itertools import chain, islice, takewhile
from typing import Final

from pexservice.core.keys import DIGEST_CHARACTERS, Keys, Seen

_AT_ONCE: Final = 4_096
"""How many keys are let go in one go, once they are too old: some ms."""

_SPARE: Final = 64
"""One key in so many is known beyond the bound: PERF, what is first in a dictionary is sought behind all that are gone,
so many go at once."""


def steady_clock() -> Callable[[], float]:
    """Return a clock that tells the seconds since 1970 as of now, and from now on goes on evenly, also in suspense.

    Whoever sets the clock of the machine makes no key older or younger; only a start looks at that clock again.
    A time before 1970 counts as 1970: what is written down has no sign.
    """
    offset_s = max(0.0, time.time()) - time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: offset_s + time.clock_gettime(time.CLOCK_BOOTTIME)


class KnownKeys:
    """A bounded table of keys, by digest, oldest first. Its `get` is that of `keys.Known`."""

    __slots__ = ("_clock", "_kept", "_now_s", "_spare", "_ttl_s", "_under_way", "keys_max")

    def __init__(self, keys_max: int, ttl_s: float, clock: Callable[[], float] | None = None) -> None:
        """Know the last `keys_max` keys, and one in 64 more, each for `ttl_s` seconds."""
        assert keys_max >= 1, "a store knows some keys"
        self.keys_max = keys_max
        self._spare = keys_max // _SPARE
        self._ttl_s = ttl_s
        self._clock = clock or steady_clock()
        self._now_s = int(self._clock())
        self._kept: dict[bytes, bytes] = {}
        self._under_way: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        """Return how many keys of durable commands are known."""
        return len(self._kept)

    def now_s(self) -> int:
        """Return the time by which a group is judged from now on, in seconds since 1970, and let go of what is old."""
        now_s = int(self._clock())
        if now_s != self._now_s:  # PERF: once a second, since what is first in a dictionary is sought for.
            self._now_s = now_s
            oldest = list(islice(self._kept.items(), _AT_ONCE))
            self._let_go(takewhile(lambda item: self._is_old(Seen.of(item[1])), oldest))
        return now_s

    def get(self, digest: bytes, /) -> Seen | None:
        """Return what a key was used for, if it is known."""
        under_way = self._under_way.get(digest)
        if under_way is not None:
            return Seen.of(under_way)
        packed = self._kept.get(digest)
        if packed is None:
            return None
        seen = Seen.of(packed)
        return None if self._is_old(seen) else seen

    def has_any(self, digests: AbstractSet[bytes]) -> bool:
        """Tell whether any of these may be known; some may be too old. PERF: 0.05 us for each, and 0.3 with `get`.

        PERF: of views, the longer one is looked up in; of a dictionary, every key would be.
        """
        return not (digests.isdisjoint(self._kept.keys()) and digests.isdisjoint(self._under_way.keys()))

    def expect(self, keys: Keys) -> None:
        """Know the keys of a group that is under way."""
        self._under_way.update(keys)

    def settle(self, keys: Keys) -> None:
        """Keep the keys of the oldest group under way: it became durable. All of a group are of one time.

        A time that is yet to come counts as now: the clock of the machine was wrong then, or is now.
        """
        kept, under_way = self._kept, self._under_way
        for digest in keys:
            under_way.pop(digest, None)
        if not kept.keys().isdisjoint(keys):  # They were known, and too old: now they are the newest.
            for digest in keys:
                kept.pop(digest, None)
        if keys and Seen.of(next(iter(keys.values()))).time_s > self._now_s:
            keys = {digest: Seen.of(packed)._replace(time_s=self._now_s).packed() for digest, packed in keys.items()}
        kept.update(keys)
        self._bound()

    def forget(self, keys: Keys) -> None:
        """Let go of the keys of a group under way: it was turned away, and all behind it are, too."""
        for digest in keys:
            self._under_way.pop(digest, None)

    def forget_after(self, sequence: int) -> None:
        """Forget the keys of durable commands that come later."""
        for digest, packed in list(self._kept.items()):
            if Seen.of(packed).sequence > sequence:
                del self._kept[digest]

    def write(self) -> bytes:
        """Return all keys of durable commands, oldest first, a line each."""
        kept = self._kept
        return b"".join(chain.from_iterable(kept.items()))

    def read(self, written: bytes) -> None:
        """Know what `write` returned. Its lines are taken as they are; where they come from has proved them."""
        excess = max(0, written.count(b"\n") - self.keys_max)
        lines = islice(BytesIO(written), excess, None)  # One at a time: a list of all would leave holes in memory.
        pairs = ((line[:DIGEST_CHARACTERS], line[DIGEST_CHARACTERS:]) for line in lines)
        last = written[written.rfind(b"\n", 0, -1) + 1 :]
        if last and Seen.of(last[DIGEST_CHARACTERS:]).time_s > self._now_s:
            for digest, packed in pairs:
                self.settle({digest: packed})
        else:  # PERF: 0.2 us a key instead of 2; only a clock that was set back makes newer ones.
            self._kept.update(pairs)

    def _bound(self) -> None:
        excess = len(self._kept) - self.keys_max
        if excess > self._spare:
            self._let_go(list(islice(self._kept.items(), excess)))

    def _let_go(self, oldest: Iterable[tuple[bytes, bytes]]) -> None:
        for digest, _ in oldest:
            del self._kept[digest]

    def _is_old(self, seen: Seen) -> bool:
        return seen.time_s + self._ttl_s <= self._now_s
