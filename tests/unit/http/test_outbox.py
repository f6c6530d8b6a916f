"""Bytes that the kernel did not take."""

from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.budget import Budget
from pexservice.http.outbox import Outbox


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.lists(st.integers(0, 5), max_size=30))
def test_all_is_sent_once_and_in_order(chunks: list[bytes], takes: list[int]) -> None:
    """However little the kernel takes at a time; and what is unsent is taken from the budget, and nothing else."""
    budget = Budget(0)
    outbox, taken = Outbox(budget), b""
    for chunk in chunks:
        outbox.add(memoryview(chunk))
    left = iter(takes)

    def send(data: memoryview, _flags: int) -> int:
        nonlocal taken
        count = min(next(left, 0), len(data))
        if not count:
            raise BlockingIOError
        taken += data[:count]
        return count

    for _ in range(len(takes) + 1):
        outbox.send(send)
        whole = b"".join(chunks)
        assert whole.startswith(taken)
        assert outbox.unsent_bytes == budget.taken_bytes == len(whole) - len(taken)
    outbox.drop()
    assert outbox.unsent_bytes == budget.taken_bytes == 0


def test_a_client_that_takes_nothing_stalls() -> None:
    """Neither from here nor from the kernel; any byte that it takes begins its time anew."""
    outbox = Outbox(Budget(0))
    outbox.add(memoryview(bytes(100)))
    assert not outbox.is_stalled(50, 0, 10)
    assert not outbox.is_stalled(50, 9, 10)
    assert outbox.is_stalled(50, 10, 10)
    assert not outbox.is_stalled(49, 10, 10)
    assert not outbox.is_stalled(49, 19, 10)
    outbox.send(lambda *_: 1 if outbox.unsent_bytes > 99 else (_ for _ in ()).throw(BlockingIOError()))
    assert not outbox.is_stalled(49, 20, 10)
    assert outbox.is_stalled(49, 30, 10)


def test_a_client_that_takes_less_than_is_added_does_not_stall() -> None:
    """It reads slowly, while the answers to what it asked before are still coming."""
    outbox = Outbox(Budget(0))
    for now_s in range(30):
        outbox.add(memoryview(bytes(100)))
        left = iter([1])
        outbox.send(lambda *_, left=left: next(left, 0) or (_ for _ in ()).throw(BlockingIOError()))
        assert not outbox.is_stalled(50, now_s, 10)
    for now_s in range(30, 50):
        outbox.add(memoryview(bytes(100)))
        assert outbox.is_stalled(50, now_s, 10) == (now_s >= 39)


def test_no_more_memory_is_held_than_twice_what_is_counted() -> None:
    """Of an answer of which the kernel took nearly all, its end is kept, and not the answer."""
    budget = Budget(0)
    outbox = Outbox(budget)
    outbox.add(memoryview(bytes(1000))[900:])
    outbox.add(memoryview(bytes(1000)))
    for sent in (100, 300, 400, 200):
        left = iter([sent])
        outbox.send(lambda *_, left=left: next(left, 0) or (_ for _ in ()).throw(BlockingIOError()))
        held_bytes = sum(memoryview(chunk.obj).nbytes for chunk in outbox._chunks)
        assert held_bytes <= 2 * budget.taken_bytes
    assert budget.taken_bytes == 100
