"""What a start gets hold of before it writes anything: tokens, the store, addresses.

Whatever may be wrong outside of the service shows here, and has changed nothing. What may hang is awaited in a thread
and for a bounded time, so a signal is heard meanwhile.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Generic

import structlog

from pexservice.config import Settings
from pexservice.core.machine import C, S
from pexservice.disk.daemons import in_time
from pexservice.errors import BadTokenFile
from pexservice.http.access import Access
from pexservice.limits import Limits
from pexservice.process import tokens
from pexservice.process.application import Application, HeldStore
from pexservice.process.listeners import Listeners, listeners
from pexservice.process.systemd import Manager

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held(Generic[S, C]):
    """What a service needs of its machine."""

    access: Access
    store: HeldStore[S, C]
    manager: Manager
    listeners: Listeners


async def hold(application: Application[S, C], settings: Settings) -> Held[S, C]:
    """Get hold of it. Raises Fatal."""
    given = asdict(settings)
    bounds = given.pop("limits")
    log.debug("settings", **{name: str(value) for name, value in (given | bounds).items() if value is not None})
    limits = settings.limits
    access = Access(await _tokens(settings.token_file, limits) if settings.token_file else ())
    manager = Manager(limits.report_period_s)
    store = await application.hold(settings)
    return Held(access, store, manager, await listeners(settings))


async def _tokens(path: Path, limits: Limits) -> tuple[bytes, ...]:
    hung = f"the token file {path} could not be read within {limits.start_disk_s:g} s. Check its disk, or name another."
    return await in_time(partial(tokens.read, path, limits), limits.start_disk_s, BadTokenFile(hung))
