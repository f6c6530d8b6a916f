"""What watchers are told, when, and what it costs."""

import asyncio
import json
import re

import pytest

from pexservice.core.judging import Place
from pexservice.errors import QueueFull, Recovering, WatchersFull
from pexservice.http.feed import Feed
from pexservice.limits import Limits
from support.feed_scenes import SOON, Reader, Standing, play, until


def test_every_watcher_is_told_of_a_change_in_the_same_bytes() -> None:
    """The state is written once, whoever watches; and while it is the same, nothing is said."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        written: list[int] = []

        def write(sequence: int, _: int) -> str:
            written.append(sequence)
            return str(sequence)

        feed._data = write
        readers = [Reader(feed) for _ in range(3)]
        assert engine.metrics.watchers == 3
        engine.at = Place(7, 5)
        await until(lambda: readers[0].ids and readers[2].ids)
        await asyncio.sleep(0.01)
        assert [reader.ids for reader in readers] == [[7]] * 3
        assert written == [7]
        for reader in readers:
            reader.watch.end()

    play(scene)


def test_of_a_store_that_is_far_away_the_place_is_asked_for() -> None:
    """Once at a time, and told once it is known; meanwhile watchers may come and go. Away, it is news, and no end."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        engine.is_remote = True
        reader = Reader(feed)
        await until(lambda: engine.asking)
        other = Reader(feed)
        reader.watch.end()
        await asyncio.sleep(0.01)
        assert len(engine.asking) == 1
        engine.at = Place(7, 5)
        engine.asking.pop()()
        assert other.ids == [7]
        await until(lambda: engine.asking)
        engine.unready = QueueFull()
        feed.turn_away(None, engine.unready)
        await until(lambda: b'"reason": "queue-full"' in other.transport.sent)
        engine.asking.clear()
        engine.unready, engine.at = None, Place(8, 6)
        await until(lambda: engine.asking)
        feed.abort()
        await until(lambda: len(engine.asking) == 2)
        engine.asking.pop()()
        assert other.ids == [7, 8]
        await until(lambda: len(engine.asking) == 2)
        other.watch.end()
        engine.asking.pop()()
        feed.turn_away(None, QueueFull())
        feed.abort()

    play(scene, SOON)


def test_no_watcher_is_told_of_a_state_before_the_one_it_knows() -> None:
    """Nor of that again: one that came last knows more than all were told when the store went away."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        engine.is_remote = True
        feed.first("")
        before = Reader(feed)
        engine.at = Place(3, 2)
        feed.first("")
        late = Reader(feed)
        await until(lambda: engine.asking)
        engine.asking.clear()
        engine.unready = QueueFull()
        feed.turn_away(None, engine.unready)
        await until(lambda: b'"reason": "queue-full"' in late.transport.sent)
        assert late.ids == []
        engine.unready = None
        await until(lambda: engine.asking)
        engine.asking.pop()()
        await until(lambda: before.ids == [3])
        assert late.ids == []
        before.watch.end()
        late.watch.end()

    play(scene, SOON)


def test_the_first_thing_told_is_the_state_of_now() -> None:
    """Also to one who comes between two looks. Who has that state already is told only how the service is."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        place, data = feed.first("")
        assert place == Place(0, 0)
        assert data.endswith(b"id: 0\ndata: 0 0\n\n")
        reader = Reader(feed)
        engine.at = Place(3, 2)
        place, data = feed.first("0")
        assert place == Place(3, 2)
        assert data.endswith(b"id: 3\ndata: 3 2\n\n")
        assert b"id:" not in feed.first("3")[1]
        assert b"event: service\n" in feed.first("3")[1]
        reader.watch.end()

    play(scene)


@pytest.mark.parametrize("last_id", ["", "3"])
def test_what_a_watcher_knows_when_it_comes_is_not_told_again(last_id: str) -> None:
    """To one who comes between two looks, either: those who were there before are told, and it is not."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        feed.first("")
        before = Reader(feed)
        engine.at = Place(3, 2)
        feed.first(last_id)
        late = Reader(feed)
        await until(lambda: before.ids == [3])
        engine.at = Place(4, 3)
        await until(lambda: before.ids == [3, 4])
        assert late.ids == [4]
        before.watch.end()
        late.watch.end()

    play(scene)


def test_a_watcher_that_does_not_read_is_owed_the_latest_and_no_more() -> None:
    """Nothing is queued for it: once it reads again it is told of the state of now, and of none before."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        slow, quick = Reader(feed), Reader(feed)
        slow.transport.clog()
        for sequence in range(1, 6):
            engine.at = Place(sequence, 0)
            await until(lambda: quick.ids[-1:] == [engine.at.sequence] if engine.at else False)
        assert slow.ids == [1]
        slow.transport.drain()
        assert slow.ids == [1, 5]
        slow.transport.drain()
        assert slow.ids == [1, 5]
        slow.watch.end()
        quick.watch.end()

    play(scene)


def test_no_more_watch_than_may() -> None:
    """Nor more than half of the connections."""

    async def scene(_: Standing, feed: Feed[int]) -> None:
        readers = []
        for _each in range(2):
            feed.first("")
            readers.append(Reader(feed))
        with pytest.raises(WatchersFull):
            feed.first("")
        for reader in readers:
            reader.watch.end()
        feed.first("")

    play(scene, Limits(watchers_max=2))
    play(scene, Limits(connections_max=5))


def test_nothing_is_told_before_it_is_known_or_after_the_end() -> None:
    """Who comes while the service recovers is turned away; and an engine that has ended says nothing more."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        at, engine.at = engine.at, None
        with pytest.raises(Recovering):
            feed.first("")
        engine.at = at
        reader = Reader(feed)
        engine.at = None
        await until(lambda: feed._next is None)
        reader.watch.end()
        assert reader.transport.sent == b""

    play(scene)


def test_watchers_hear_how_the_service_is() -> None:
    """That it takes no steps and why, how long a commit took of late; and all of it again with each comment."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        feed.first("")
        reader = Reader(feed)
        engine.unready = QueueFull()
        engine.metrics.commit_seconds.observe(0.002)
        engine.metrics.commit_seconds.observe(0.004)
        await until(lambda: b'"commit_ms": 3.0' in reader.transport.sent)
        engine.unready = None
        await until(lambda: b"\n:\n\nevent: service\n" in reader.transport.sent)
        told = [json.loads(each) for each in re.findall(rb"event: service\ndata: (.*)\n", reader.transport.sent)]
        assert [each["ready"] for each in told[:2]] == [False, True]
        assert told[0] == {
            "ready": False,
            "reason": QueueFull.code,
            "title": QueueFull.title,
            "commit_ms": 3.0,
            "processes": 1,
            "store": {"durability": "fsync"},
        }
        reader.watch.end()

    play(scene, SOON)


def test_sending_takes_a_share_of_the_time() -> None:
    """Many are sent to in parts, between which others get their turn; and the longer it took, the later the next."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        loop = asyncio.get_running_loop()
        readers = [Reader(feed) for _ in range(5)]
        engine.at = Place(1, 1)
        turns: list[int] = []

        def turn() -> None:
            turns.append(sum(1 for reader in readers if reader.ids))
            if turns[-1] < len(readers):
                loop.call_soon(turn)

        turn()
        await until(lambda: all(reader.ids for reader in readers))
        await until(lambda: turns[-1] == len(readers))
        assert set(turns) >= {2, 4, 5}
        assert isinstance(feed._next, asyncio.TimerHandle)
        assert feed._next.when() - loop.time() > 0.1
        for reader in readers:
            reader.watch.end()

    limits = Limits(
        watch_glance_s=0.001,
        watch_period_s=0.001,
        pulse_period_s=60,
        comment_period_s=60,
        watchers_at_once=2,
        watch_share_max=1e-5,
    )
    play(scene, limits)


def test_a_watcher_may_be_lost_by_being_told() -> None:
    """Or before its turn comes: it is left out, and the others are told."""

    async def scene(engine: Standing, feed: Feed[int]) -> None:
        readers = [Reader(feed) for _ in range(3)]

        def all_end(_: bytes) -> None:
            for reader in readers:
                reader.watch.end()

        for each in readers:
            each.transport.send = all_end  # type: ignore[method-assign, assignment]
        engine.at = Place(1, 1)
        await until(lambda: feed._next is None)

    play(scene)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("a", b"data: a\n\n"),
        ("a\n", b"data: a\n\n"),
        ("a\nb\r\nc\rd", b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("", b"data: \n\n"),
        ("Zo\u00eb", b"data: Zo\xc3\xab\n\n"),
    ],
)
def test_an_event_carries_any_text(written: str, told: bytes) -> None:
    """A line of it is a line of the event (HTML, 9.2.6), and what serves as a body serves as an event."""

    async def scene(_: Standing, feed: Feed[int]) -> None:
        await asyncio.sleep(0)
        feed._data = lambda *_: written
        assert feed.first("")[1].endswith(b"id: 0\n" + told)

    play(scene)
