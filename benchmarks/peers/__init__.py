"""The services that are measured, and how each is started.

A peer is a list of commands and nothing more. They run in a directory of their own on the disk under test, listen on a
port of the loopback interface, and start with a walk at position 0 unless a file says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One process of a peer."""

    arguments: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that answers on one port."""

    name: str
    programs: Callable[[Path, int], list[Program]]
    """From its directory and port to its processes, in the order of starting."""
    tells_place: bool = False
    """Whether its answers say truly how many steps it took and where it stands."""


class Unavailable(Exception):
    """Raised when this machine cannot have a peer; says what is missing."""
