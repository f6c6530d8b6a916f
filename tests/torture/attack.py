"""What an attack is, and the bench that it works on.

An attack is one function that does one *round* of harm to a real service and raises `Violation` if a promise was
broken. The same function, run against a service with one of its safeguards taken out (`sabotage.py`), is the attack's
negative control: there it must raise, or it proves nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from pexservice.trial.linearizability import Violation, require
from support.process import Service, command, serving
from torture.sabotage import sabotaged

__all__ = ["Attack", "Bench", "Pace", "Unsupported", "Violation", "require"]


class Unsupported(Exception):
    """Raised when this machine cannot do what an attack needs; says what is missing."""


@dataclass(frozen=True)
class Bench:
    """What one round works with. Everything random in it comes from `rng`, so its seed replays it."""

    rng: Random
    index: int
    """Which round of the attack this is; attacks that try *all* of something share it out by it."""
    rounds: int
    """How many rounds a full campaign has, for the same purpose."""
    directory: Path
    """An empty directory of the round's own, on an ordinary file system; removed afterwards."""
    sabotage: str | None = None
    """Which safeguard is taken out, in a negative control."""
    services: list[Service] = field(default_factory=list)
    """All that were started."""

    @contextmanager
    def serving(
        self,
        data_dir: Path,
        *arguments: str,
        wrapper: Sequence[str] = (),
        user: int | None = None,
        small_segments: bool = False,
        small_ring: bool = False,
        slow_sync: bool = False,
        **variables: str,
    ) -> Iterator[Service]:
        """Run the service, as `support.process.serving`, with its safeguard taken out in a negative control.

        The block begins when it has recovered, or has ended. A disk that others write to may make that take longer than
        a start waits for it, and a 503 that says so breaks no promise.
        """
        wanted = {
            self.sabotage: self.sabotage,
            "small-segments": small_segments,
            "small-ring": small_ring,
            "slow-sync": slow_sync,
        }
        altered = [name for name, is_wanted in wanted.items() if name and is_wanted]
        program = command("torture.sabotaged", ",".join(altered)) if altered else command("pexservice")
        with serving(data_dir, *arguments, program=program, wrapper=wrapper, user=user, **variables) as service:
            self.services.append(service)
            service.await_recovery()
            yield service

    @contextmanager
    def in_process(self) -> Iterator[None]:
        """Take the safeguard out of this process, for attacks that call the code directly."""
        if self.sabotage is None:
            yield
        else:
            with sabotaged(self.sabotage):
                yield


Pace = Literal["busy", "waiting", "alone"]
"""How many rounds may run at a time: one a processor; many, since they spend their time waiting; or nothing else at
all, since they measure time."""


@dataclass(frozen=True)
class Attack:
    """One row of the table: what is done, how often, and what must be noticed."""

    name: str
    """As in the table."""
    run: Callable[[Bench], int]
    """Do one round; return how many cycles it was. Raises Violation, Unsupported."""
    rounds: int
    """In a full campaign."""
    rounds_short: int
    """In the short campaign that CI runs; it does the first ones of them."""
    sabotage: str
    """The safeguard without which the attack must find a violation."""
    noticed: str
    """What that violation must say, as a regular expression: anything else, such as that the service did not start, is
    not what the attack is there to notice."""
    cycles: int = 0
    """How many a full campaign promises; 0 for as many as there are."""
    pace: Pace = "busy"
