"""What a start gets hold of before it writes anything: tokens, data directory, addresses.

The idea: whatever may be wrong outside of the service shows here, and has changed nothing. What may hang is awaited in
a thread and for a bounded time, so a signal is heard meanwhile.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import structlog

from pexservice.config import Settings
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import BadTokenFile, JournalFailed
from pexservice.http.access import Access
from pexservice.limits import START_DISK_S
from pexservice.process import tokens
from pexservice.process.daemons import in_time
from pexservice.process.listeners import Listeners, listeners
from pexservice.process.systemd import Manager

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """What a service needs of its machine."""

    access: Access
    syncer: Syncer
    disk: LinuxDisk
    manager: Manager
    listeners: Listeners


async def hold(settings: Settings) -> Held:
    """Get hold of it. Raises Fatal."""
    log.debug("settings", **{name: str(value) for name, value in asdict(settings).items() if value is not None})
    access = Access(await _tokens(settings.token_file) if settings.token_file else ())
    syncer, manager = Syncer(), Manager()
    disk = await _disk(settings.data_dir, syncer)
    return Held(access, syncer, disk, manager, await listeners(settings))


async def _tokens(path: Path) -> tuple[bytes, ...]:
    hung = f"the token file {path} could not be read within {START_DISK_S} s. Check its disk, or name another."
    return await in_time(partial(tokens.read, path), START_DISK_S, BadTokenFile(hung))


async def _disk(path: Path, syncer: Syncer) -> LinuxDisk:
    hung = f"the data directory {path} could not be had within {START_DISK_S} s. Check its disk."
    return await in_time(partial(LinuxDisk.own, path, syncer), START_DISK_S, JournalFailed(hung))
