"""What makes a service of a machine: name and version, machine, endpoints, and store.

`app.py` puts one together; whoever builds a service of their own writes a module like it.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Generic, Protocol, Self

from pexservice.config import Settings
from pexservice.core.machine import C, Machine, S
from pexservice.core.store import Store
from pexservice.errors import NotApplied, WrongApplication
from pexservice.http.endpoint import Endpoint
from pexservice.http.resource import Site

_TEXT: Final = re.compile(r"[ -~]+", re.ASCII)


class HeldStore(Protocol[S, C]):
    """A store that is this process's own, and not read yet: nothing was written."""

    @property
    def unready_reasons(self) -> tuple[type[NotApplied], ...]:
        """Every reason for which the store may turn commands away, for metrics: also by `commit` alone."""
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
    """A service, before it is started. Raises WrongApplication if it, or its machine, is not written as it must be."""

    name: str
    """Of the command, and of the service in what is said to people."""
    version: str
    machine: Machine[S, C]
    endpoints: Callable[[Site[S, C], Sequence[Endpoint]], Sequence[Endpoint]]
    """Makes the table of endpoints; the second argument are the probes, if they share the listener."""
    hold: Callable[[Settings], Awaitable[HeldStore[S, C]]]
    """Gets hold of the store, for this process alone. Raises Fatal."""

    def __new__(cls, *given: object, **named: object) -> Self:
        """Make one. Raises WrongApplication, which names what it must be given and is not."""
        missing = [field.name for field in fields(cls)[len(given) :] if field.name not in named]
        if missing:
            raise WrongApplication(f"Application(...) lacks {', '.join(missing)}. Give it by name.")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for name in ("name", "version"):
            text: object = getattr(self, name)
            if not isinstance(text, str) or not _TEXT.fullmatch(text):
                raise WrongApplication(f"its {name} is {text!r:.80}: it must be a text of printable ASCII.")
        machine: object = self.machine
        if not isinstance(machine, Machine):
            raise WrongApplication(f"its machine is {machine!r:.80}: it must be an instance of a subclass of Machine.")
        for name in ("endpoints", "hold"):
            if not callable(getattr(self, name)):
                raise WrongApplication(f"its {name} is {getattr(self, name)!r:.80}: it must be a function.")
        self.machine.check()
