"""The boundary to whatever keeps the state: a journal in this process, a process beside it, a database.

A store is handed groups and puts them in order. It says where each began, and with that what it came to (`judging.py`);
it never sees who asked. Several groups may be under way at once, and are completed in the order in which they were
handed over. What else a store does, it does by itself: looking for room on a full disk, syncing now and again, removing
old history. So the engine above it is the same for every store.

A store that loses touch with its server may not know what became of a group. It finds out before it completes
the group: nobody else could (docs/decisions/0017).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pexservice.core.judging import Judgement, Place
from pexservice.core.keys import NO_TERMS, AllTerms
from pexservice.core.machine import C, S
from pexservice.core.measures import Measure
from pexservice.errors import NotApplied


@dataclass(frozen=True, slots=True)
class Status:
    """What a store tells of itself."""

    labels: Mapping[str, str]
    """How it is set up."""
    measures: Sequence[Measure]
    serving: int = 1
    """How many processes serve clients from what it keeps, as far as it knows: replicas elsewhere are among them."""


class Commit(Protocol[S, C]):
    """A group on its way to stable storage. To be awaited once."""

    @property
    def expected(self) -> Judgement[S, C] | None:
        """What the group comes to if it becomes durable; None where another process may put a group before it."""
        ...

    def __await__(self) -> Generator[Any, None, Judgement[S, C]]:
        """Return what the group came to, once it and all before it are durable: `expected` itself, if there was one.

        Raises NotApplied if the group was not taken, and Fatal if that cannot be known: then nothing of it may be
        answered, and the process must end.
        """
        ...


class Store(Protocol[S, C]):
    """Keeps the state of one machine."""

    @property
    def is_shared(self) -> bool:
        """Whether another process may put a group before one of ours, so that the place moves without us."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether a place that is not older than a call takes a round trip.

        Then `read` returns the newest that is known here, and `commit` takes no commands, too: it gives back a place
        that is durable and not older than that call, as where it began and ended.
        """
        ...

    @property
    def unready(self) -> NotApplied | None:
        """Why no group is taken just now, if so."""
        ...

    @property
    def in_flight_max(self) -> int:
        """How many groups may be under way at once, at least 1."""
        ...

    @property
    def key_secret(self) -> bytes:
        """What keys are digested with, the same at every start: whoever learns it may try keys on a history."""
        ...

    def commit(self, commands: Sequence[C], terms: AllTerms = NO_TERMS) -> Commit[S, C]:
        """Begin to make the commands of a group durable, in one, and in their order behind the groups before it.

        `terms` say which of them may go either way; their keys are digests. A key is known, durably, if and only if
        its command is; that of a group under way is known to the groups behind it.

        The work begins with the call; the engine does its own in between. Raises NotApplied and Fatal as the await.
        """
        ...

    def read(self) -> Place[S]:
        """Return a place that is durable, and not older than the call unless the store `is_remote`."""
        ...

    def status(self) -> Status:
        """Return what metrics and the status page show of it."""
        ...

    async def run(self) -> None:
        """Do the work that no commit does, for as long as the store is open. Raises Fatal."""
        ...

    async def close(self) -> None:
        """Make everything durable and let go. No group is under way. Raises Fatal."""
        ...
