"""Scenes of watchers on an engine that stands where a test has it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from pexservice.core.judging import Place
from pexservice.core.metrics import Metrics
from pexservice.errors import NotApplied, Recovering
from pexservice.http.feed import Feed, Watch
from pexservice.limits import Limits
from support.fake_transport import FakeTransport

SOON = Limits(
    watch_glance_s=0.001, watch_period_s=0.001, pulse_period_s=0.005, comment_period_s=0.02, watch_share_max=0.9
)
QUIET = Limits(watch_glance_s=0.001, watch_period_s=0.001, pulse_period_s=60, comment_period_s=60, watch_share_max=0.9)


class Standing:
    """As `Engine`, as far as a feed knows it."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.labels = {"durability": "fsync"}
        self.at: Place[int] | None = Place(0, 0)
        self.unready: NotApplied | None = None
        self.looks = 0
        self.is_remote = False
        self.asking: list[Any] = []
        """Who asked for the place of now, of a store that is far away."""

    def look(self, asked: None, reader: Any) -> bool:
        """As `Engine.look`."""
        if self.at is None:
            raise Recovering
        if self.is_remote and self.unready is not None:
            raise self.unready
        if self.is_remote:
            self.asking.append(partial(reader.resume, asked))
        return self.is_remote

    @property
    def place(self) -> Place[int]:
        self.looks += 1
        if self.at is None:
            raise Recovering
        return self.at


class Reader:
    """A watcher, and what it was sent."""

    def __init__(self, feed: Feed[int]) -> None:
        self.transport = FakeTransport()
        self.transport.handler = cast("Any", self)
        self.watch = Watch(feed, self.transport)

    def on_clogged(self) -> None:
        """As `Handler`."""

    def on_drained(self) -> None:
        """As `Connection`, when it watches."""
        self.watch.catch_up()

    @property
    def ids(self) -> list[int]:
        """The sequences of which it was told."""
        return [int(each) for each in re.findall(rb"^id: (\d+)$", self.transport.sent, re.MULTILINE)]


Scene = Callable[[Standing, Feed[int]], Awaitable[None]]


def play(scene: Scene, limits: Limits = QUIET) -> None:
    """Play a scene, which leaves nobody watching: then nothing may be left on the event loop."""

    async def all_of_it() -> None:
        engine = Standing()
        feed = Feed(cast("Any", engine), limits, lambda sequence, state: f"{sequence} {state}", lambda: 1)
        await scene(engine, feed)
        assert feed._next is None
        before = engine.looks
        await asyncio.sleep(0.01)
        assert engine.looks == before
        assert engine.metrics.watchers == 0

    asyncio.run(all_of_it())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - it is about what happens by time.
            await asyncio.sleep(0.001)
