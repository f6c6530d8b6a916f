"""What makes a service of a machine: name and version, machine, endpoints, and store.

`app.py` puts one together; whoever builds a service of their own writes a module like it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from pexservice.config import Settings
from pexservice.core.machine import C, Machine, S
from pexservice.core.store import Store
from pexservice.errors import NotApplied
from pexservice.http.endpoint import Endpoint
from pexservice.http.resource import Site


class HeldStore(Protocol[S, C]):
    """A store that is this process's own, and not read yet: nothing was written."""

    @property
    def unready_reasons(self) -> tuple[type[NotApplied], ...]:
        """As `Store.unready_reasons`."""
        ...

    @property
    def where(self) -> str:
        """Where its data is, for people."""
        ...

    @property
    def locks(self) -> Sequence[int]:
        """Descriptors that keep others from the store: for as long as any process has a copy."""
        ...

    async def open(self) -> Store[S, C]:
        """Find where the machine stands, and take commands from there. Raises Fatal."""
        ...

    @property
    def is_new(self) -> bool:
        """Whether there was nothing before, once it is open."""
        ...


@dataclass(frozen=True)  # With slots, Application[...](...) raises TypeError in Python 3.11.
class Application(Generic[S, C]):
    """A service, before it is started. Raises WrongMachine if `machine` is not written as it must be."""

    name: str
    """Of the command, and of the service in what is said to people."""
    version: str
    machine: Machine[S, C]
    endpoints: Callable[[Site[S, C], Sequence[Endpoint]], Sequence[Endpoint]]
    """Makes the table of endpoints; the second argument are the probes, if they share the listener."""
    hold: Callable[[Settings], Awaitable[HeldStore[S, C]]]
    """Gets hold of the store, for this process alone. Raises Fatal."""

    def __post_init__(self) -> None:
        self.machine.check()
