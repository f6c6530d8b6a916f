"""The history at a server, for commands that read it: as `history.py` has that of a directory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic

import click

from pexservice.cli import options
from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.core.machine import Machine, S
from pexservice.limits import DEFAULT

if TYPE_CHECKING:
    from pexservice.stores.postgres.history import History, StoredGroup


class ServerReading(Generic[S]):
    """The history at a server, read without an event loop of the caller's."""

    def __init__(self, runner: asyncio.Runner, history: "History[S]") -> None:
        self._runner = runner
        self._history = history

    @property
    def last(self) -> int:
        """The number of the newest row."""
        return self._history.last

    def end(self) -> Place[S]:
        """Return where the machine stands."""
        return self._runner.run(self._history.end())

    def groups(self, begin: int | None = None, first: int | None = None) -> "Iterator[StoredGroup[S]]":
        """Yield the rows, each proved: all, or from the one on that holds the step of a sequence, or of a number."""
        if begin is not None:
            first = self._runner.run(self._history.first_with(begin))
        groups = self._history.groups(max(first or 0, self._history.first))
        while (group := self._runner.run(anext(groups, None))) is not None:
            yield group


@contextmanager
def read_server(machine: Machine[S, Any], url: StoreUrl) -> Iterator[ServerReading[S]]:
    """Give the history at a server. Raises Fatal."""
    options.check_password(click.get_current_context(), "store", url)
    from pexservice.stores.choice import check_extra  # noqa: PLC0415 - imports are start-up time.

    check_extra()
    from pexservice.stores.postgres.address import hosts  # noqa: PLC0415
    from pexservice.stores.postgres.history import look  # noqa: PLC0415
    from pexservice.stores.postgres.session import Session  # noqa: PLC0415

    with asyncio.Runner() as runner:
        looking = look(machine, Session(hosts(url), machine.name, DEFAULT))
        history = runner.run(looking.__aenter__())
        try:
            yield ServerReading(runner, history)
        finally:
            runner.run(looking.__aexit__(None, None, None))
