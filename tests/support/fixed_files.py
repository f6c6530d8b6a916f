"""A directory with a filled file in it, to be written over."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from pexservice.disk import FixedFile
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer

SIZE = 8 * 4096


def on_disk(path: Path, scenario: Callable[[LinuxDisk], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario with a directory that has a filled file in it."""

    async def run() -> None:
        disk = LinuxDisk.own(path, Syncer())
        file = await disk.create("file")
        await file.append(b"." * SIZE)
        await file.sync()
        file.close()
        await disk.sync_names()
        try:
            await scenario(disk)
        finally:
            disk.close()

    asyncio.run(run())


async def written(file: FixedFile, *writes: tuple[int, bytes]) -> list[OSError | None]:
    """Write all of this at once, and return the outcomes."""
    loop = asyncio.get_running_loop()
    outcomes: list[asyncio.Future[OSError | None]] = []
    for offset, data in writes:
        outcomes.append(loop.create_future())
        file.write(offset, data, outcomes[-1].set_result)
    return list(await asyncio.gather(*outcomes))
