"""Which store a service is served from: a data directory, or a server that replicas share."""

from importlib.util import find_spec
from typing import Any

from pexservice.config import Settings
from pexservice.core.machine import C, Machine, S
from pexservice.errors import MissingExtra
from pexservice.stores.journal.holding import Adopt, HeldJournal, PassOver


async def hold(
    machine: Machine[S, C],
    settings: Settings,
    adopt: Adopt[S] = lambda _: None,
    pass_over: PassOver[S] = lambda *_: None,
) -> Any:
    """Get hold of the store that the settings say; `adopt` and `pass_over` are for a directory. Raises Fatal."""
    if settings.store is None:
        return await HeldJournal.hold(machine, settings, adopt, pass_over)
    check_extra()
    from pexservice.stores.postgres.holding import HeldServer  # noqa: PLC0415 - imports are start-up time.

    return await HeldServer.hold(machine, settings)


def check_extra() -> None:
    """Raise MissingExtra unless what talks to a server is installed."""
    if find_spec("asyncpg") is None:
        raise MissingExtra("a store on PostgreSQL needs asyncpg. Install it: pip install asyncpg.")
