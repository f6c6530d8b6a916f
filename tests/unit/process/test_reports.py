"""What a service manager is told, and when its watchdog is not fed."""

from collections.abc import Callable
from typing import Any

from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.machine import Machine
from pexservice.core.metrics import Metrics
from pexservice.limits import DEFAULT
from pexservice.process.reports import Reports
from pexservice.walk.machine import WALK, Walk
from support.engine_scenes import Asked, Caller, play, settled
from support.memory_store import Full, MemoryStore

FED = "WATCHDOG=1"


def _reports(engine: Engine[Any, Any], is_draining: Callable[[], bool] = lambda: False) -> Reports:
    return Reports(engine, is_draining, 30.0)


def test_before_the_journal_is_read_more_time_is_asked_for() -> None:
    """And nothing else is said: neither that it is ready, nor that all is well."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    assert _reports(engine).report() == ["STATUS=Reading the journal.", "EXTEND_TIMEOUT_USEC=30000000"]


def test_a_service_that_stops_says_so_and_is_fed() -> None:
    """However long answers take."""
    engine: Engine[Any, Any] = Engine(WALK, Metrics(), Budget(1), DEFAULT)
    told = _reports(engine, lambda: True).report()
    assert (told[0], told[-1]) == ("STOPPING=1", FED)


def test_it_tells_where_it_stands_and_what_keeps_it() -> None:
    """Ready is what it is, even if the disk is full: a restart would not help."""
    store = MemoryStore(WALK)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        reports = _reports(engine)
        assert reports.report() == ["READY=1", "STATUS=Sequence 0, position 0, 0 steps/s.", FED]
        engine.submit(Asked(), caller)
        await engine.drained()
        store.unready = Full()
        ready, status, fed = reports.report()
        assert (ready, fed) == ("READY=1", FED)
        assert status.startswith("STATUS=Sequence 1, position 1, ")
        assert status.endswith(" steps/s; commands are turned away: full.")

    play(scenario, store)


def test_a_long_state_is_cut() -> None:
    """It is a line of a status."""
    machine: Machine[Any, Any] = type("Long", (Walk,), {"describe": lambda *_: "a" * 100})()

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        engine.machine = machine
        assert _reports(engine).report()[1] == f"STATUS=Sequence 0, {'a' * 60}..., 0 steps/s."

    play(scenario, MemoryStore(WALK))


def test_the_watchdog_is_not_fed_if_nobody_takes_what_waits() -> None:
    """From one report to the next, with no group at the disk; not at once, and not while one is at the disk."""
    store = MemoryStore(WALK, is_held=True)

    async def scenario(engine: Engine[Any, Any], caller: Caller) -> None:
        reports = _reports(engine)
        engine.submit(Asked(), caller)
        assert [FED in reports.report() for _ in range(3)] == [True, False, False]
        await settled()
        engine.submit(Asked(), caller)
        assert [FED in reports.report() for _ in range(3)] == [True, True, True]
        for _ in range(2):
            store.release()
            await settled()

    play(scenario, store)


class Crew:
    """The workers of a service, of which one may be silent."""

    is_silent = False

    def describe(self) -> str:
        """As `reports.Crewed`."""
        return "2 of 3 workers"


def test_it_tells_how_many_serve_and_whether_one_is_past_help() -> None:
    """One that is silent and cannot be replaced holds a part of the clients for good: only a restart helps."""
    crew = Crew()

    async def scenario(engine: Engine[Any, Any], _: Caller) -> None:
        reports = Reports(engine, lambda: False, 30.0, crew)
        assert reports.report() == ["READY=1", "STATUS=Sequence 0, position 0, 0 steps/s, 2 of 3 workers.", FED]
        crew.is_silent = True
        assert FED not in reports.report()

    play(scenario, MemoryStore(WALK))
