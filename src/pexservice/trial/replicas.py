"""Replicas of one walk, on a server of their own, to be killed: all of them at once, or one while the others go on."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from pexservice.trial.child import SERVE, Child
from pexservice.trial.server import Server

_VARIABLE: Final = "PEXSERVICE_STORE"
"""Tells a replica where its server is: every user of the machine may read an option, and it has a password."""


class Replicas:
    """So many services that share a walk, as `Child` is one. Use as a context manager: at its end nothing runs."""

    def __init__(self, directory: Path, count: int, program: Sequence[str] = SERVE) -> None:
        """Take a directory that is not there yet. Raises MissingExtra, NotPermitted."""
        self._server = Server(directory)
        self._children = [Child([], program, **{_VARIABLE: self._server.url}) for _ in range(count)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._server)
            for child in self._children:
                stack.enter_context(child)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where each listens, whenever it does."""
        return [address for child in self._children for address in child.addresses]

    def start(self) -> None:
        """Start all. Raises AddressUnavailable."""
        for child in self._children:
            child.start()

    def check(self) -> None:
        """Raise what ended the server or a replica, if one ended by itself."""
        self._server.check()
        for child in self._children:
            child.check()

    def kill(self) -> None:
        """Kill all replicas; the server goes on."""
        for child in self._children:
            child.kill()

    def kill_one_of(self, choose: Callable[[Sequence[Child]], Child]) -> None:
        """Kill one, and start it again; the others go on meanwhile."""
        child = choose(self._children)
        child.kill()
        child.start()
