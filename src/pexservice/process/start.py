"""What a start gets hold of before it writes anything: tokens, the store, addresses; and how a service ends.

Whatever may be wrong outside of the service shows here, and has changed nothing. What may hang is awaited in a thread
and for a bounded time, so a signal is heard meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic

import structlog

from pexservice.config import Settings
from pexservice.core.machine import C, S
from pexservice.core.store import Store
from pexservice.disk.daemons import first, in_time
from pexservice.errors import BadTokenFile
from pexservice.http.access import Access
from pexservice.limits import Limits
from pexservice.process import logs, tokens
from pexservice.process.application import Application, HeldStore
from pexservice.process.beginning import in_a_line
from pexservice.process.listeners import Listeners, is_local, listeners, whereabouts
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


async def opened(application: Application[S, C], held: Held[S, C]) -> tuple[Store[S, C], float]:
    """Open the store, tell of it, and return it with how long that took, in seconds. Raises Fatal."""
    began_s = time.perf_counter()
    store = await held.store.open()
    recovery_seconds = time.perf_counter() - began_s
    place = store.read()
    log.info(
        "recovered",
        where=held.store.where,
        sequence=place.sequence,
        state=in_a_line(application.machine.describe(place.state)),
        seconds=round(recovery_seconds, 3),
        **store.status().labels,
    )
    if held.store.is_new and logs.is_terminal():
        log.info("a new journal begins", where=held.store.where)
    elif held.store.is_new:  # Whoever set this up may have meant another directory.
        log.warning("a new journal begins", where=held.store.where)
    return store, recovery_seconds


async def end(working: "asyncio.Future[Any]", drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Drain, or end with what the work ends with, if that comes first. Raises Fatal."""
    if not working.done():
        draining = asyncio.create_task(drain())
        await first(working, draining)
        if draining.done():
            await draining
            log.info("stopped")
            return
    await working


def tell_listening(application: Application[S, C], held: Held[S, C], **more: object) -> None:
    """Tell where the service is reached, and by whom."""
    main, admin = held.listeners.main, held.listeners.admin
    where, needs_token = whereabouts(main), held.access.needs_token
    if admin:
        more["admin"] = whereabouts(admin)
    log.info(
        "listening",
        where=where,
        **more,
        steps="need a token" if needs_token else "open to everyone",
        version=application.version,
        data=held.store.where,
    )
    if not needs_token and not all(map(is_local, main)):
        log.warning(
            "whoever reaches this address can step",
            where=where,
            hint="give --token-file, or listen on 127.0.0.1 or a Unix socket",
        )


async def _tokens(path: Path, limits: Limits) -> tuple[bytes, ...]:
    hung = f"the token file {path} could not be read within {limits.start_disk_s:g} s. Check its disk, or name another."
    return await in_time(partial(tokens.read, path, limits), limits.start_disk_s, BadTokenFile(hung))
