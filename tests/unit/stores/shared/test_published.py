"""What is published is read whole, however the writer was cut off."""

from mmap import mmap
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.stores.shared.published import Published

_BYTES_MAX = 300
_texts = st.binary(min_size=1, max_size=_BYTES_MAX)


def _region() -> tuple[mmap, Published]:
    memory = mmap(-1, 8 + Published.size(_BYTES_MAX))
    return memory, Published(memory, 8, _BYTES_MAX)


def test_nothing_was_published_in_a_new_memory() -> None:
    """It reads as nothing."""
    assert _region()[1].read() == b""


@given(st.lists(_texts, min_size=1, max_size=5))
def test_the_last_that_was_published_is_read(texts: list[bytes]) -> None:
    """Whatever the length of those before it, and whoever reads."""
    memory, published = _region()
    for text in texts:
        published.publish(text)
        assert published.read() == text == Published(memory, 8, _BYTES_MAX).read()


@given(_texts, _texts, st.data())
def test_a_publication_that_was_cut_off_is_seen_whole_or_not_at_all(
    before: bytes, after: bytes, data: st.DataObject
) -> None:
    """A writer that is suspended or killed after any byte leaves what was before, or what came after.

    And once the new one was seen, the old one is not seen again.
    """
    memory, published = _region()
    published.publish(before)
    old = memory[:]
    published.publish(after)
    new = memory[:]
    changed = [index for index in range(len(new)) if old[index] != new[index]]
    seen = []
    for cut in sorted({data.draw(st.sampled_from(changed)) for _ in range(5)}) if changed else []:
        memory[:] = new[:cut] + old[cut:]
        seen.append(published.read())
    assert set(seen) <= {before, after}
    assert seen == sorted(seen, key=lambda text: text == after)


def test_a_length_beyond_the_bound_is_taken_for_torn() -> None:
    """The second copy is read then."""
    memory, published = _region()
    published.publish(b"whole")
    memory[8:12] = b"\xff" * 4
    assert published.read() == b"whole"


def test_who_finds_both_copies_torn_looks_again() -> None:
    """It was slow, and the writer went over both in the meantime."""
    memory, published = _region()
    published.publish(b"whole")
    whole = memory[:]

    class Slow:
        """A memory in which the first two looks fall into the middle of something."""

        looks = 0

        def __getitem__(self, part: slice) -> bytes:
            self.looks += 1
            return whole[part] if self.looks > 2 else b"\xff" * 128

    assert Published(cast("mmap", Slow()), 8, _BYTES_MAX).read() == b"whole"


def test_only_what_fits_is_published() -> None:
    """Neither nothing nor more than the bound."""
    for text in (b"", bytes(_BYTES_MAX + 1)):
        with pytest.raises(AssertionError, match="are published"):
            _region()[1].publish(text)
