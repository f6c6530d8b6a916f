"""An engine beside a scene: who asks, who is told, and a store that the scene holds back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.keys import Terms
from pexservice.core.machine import Machine, Refusal
from pexservice.core.metrics import Metrics
from pexservice.core.store import Store
from pexservice.errors import Fatal, NotApplied
from pexservice.limits import DEFAULT, Limits
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT
from support.memory_store import MemoryStore


class Asked:
    """A request for a command, with or without the value."""

    def __init__(self, command: int = NEXT, *, carries_value: bool = True, terms: Terms | None = None) -> None:
        self.command = command
        self.carries_value = carries_value
        self.terms = terms
        self.rendered = 0

    def render(self, sequence: int, state: object) -> bytes:
        """As `core.caller.Asked`."""
        self.rendered += 1
        return f"{sequence} {state}".encode()

    def render_replay(self, sequence: int, state: object) -> bytes:
        """As `core.caller.Asked`."""
        return f"{sequence} {state} again".encode()

    def render_refusal(self, sequence: int, state: object, refusal: Refusal) -> bytes:
        """As `core.caller.Asked`."""
        return f"{sequence} {state} {refusal.code}".encode()


class Caller:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | NotApplied] = []
        self.is_aborted = False

    def deliver(self, asked: Asked, answer: bytes) -> None:
        """As `core.caller.Caller`."""
        self.told.append(answer)

    def turn_away(self, asked: Asked, error: NotApplied) -> None:
        """As `core.caller.Caller`."""
        self.told.append(error)

    def abort(self) -> None:
        """As `core.caller.Caller`."""
        self.is_aborted = True


Scenario = Callable[[Engine[Any, Any], Caller], Awaitable[None]]


def play(
    scenario: Scenario,
    store: MemoryStore[Any, Any],
    limits: Limits = DEFAULT,
    budget: Budget | None = None,
    machine: Machine[Any, Any] = WALK,
) -> Caller:
    """Run a scenario beside an engine on a store."""
    return asyncio.run(play_on(scenario, store, limits, budget, machine))


async def play_on(
    scenario: Scenario,
    store: Store[Any, Any],
    limits: Limits = DEFAULT,
    budget: Budget | None = None,
    machine: Machine[Any, Any] = WALK,
) -> Caller:
    """Run a scenario beside an engine on a store, in the event loop that is running."""
    caller = Caller()
    metrics = Metrics()
    metrics.show_from_the_start(machine.kinds, (), ())
    engine: Engine[Any, Any] = Engine(machine, metrics, budget or Budget(limits.unsent_bytes_max), limits)
    running = asyncio.create_task(engine.run(store))
    await settled()
    try:
        await scenario(engine, caller)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, Fatal):
            await running
    return caller


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)
