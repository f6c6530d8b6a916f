"""Commands that need an event loop."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_DESCRIPTORS: Final = 16
"""Twice what any command has open at a time."""


def looped(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return what comes of some work, done in an event loop.

    Raises OSError if there are too few descriptors: asked for beforehand, since an event loop that cannot be made, and
    work that is never begun, tell of themselves in many lines.
    """
    spare: list[int] = []
    try:
        while len(spare) < _DESCRIPTORS:
            spare.append(os.dup(0))
    finally:
        for fd in spare:
            os.close(fd)
    return asyncio.run(work())
