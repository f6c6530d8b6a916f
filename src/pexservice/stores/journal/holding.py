"""A journal's directory, held for this process alone, and then opened."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Generic

from pexservice.config import Settings
from pexservice.core.judging import Place
from pexservice.core.machine import C, Machine, S
from pexservice.disk.daemons import in_daemon, in_time
from pexservice.disk.linux import LinuxDisk
from pexservice.disk.syncer import Syncer
from pexservice.errors import NotApplied
from pexservice.stores.journal.errors import CommandTooLong, JournalFailed, JournalFull, RowTooLong
from pexservice.stores.journal.journal import Journal
from pexservice.stores.journal.opening import Found, look
from pexservice.stores.journal.options import Options
from pexservice.stores.journal.record import Codec

Adopt = Callable[[Path], Place[S] | None]
"""Finds where a directory without a journal begins, if there is something in it to go on from. Raises Fatal."""
PassOver = Callable[[Path, Place[S]], None]
"""Is told where the journal of a directory stands: to warn of what else is there, and not gone on from."""


class HeldJournal(Generic[S, C]):
    """A journal that is locked for this process, and not read yet: see `application.HeldStore`."""

    unready_reasons: ClassVar[tuple[type[NotApplied], ...]] = (JournalFull, RowTooLong, CommandTooLong)

    def __init__(
        self,
        machine: Machine[S, C],
        settings: Settings,
        disk: LinuxDisk,
        adopt: Adopt[S],
        pass_over: PassOver[S],
    ) -> None:
        """Use `hold`."""
        self.is_new = False
        self._codec = Codec(machine)
        self._settings = settings
        self._disk = disk
        self._adopt = adopt
        self._pass_over = pass_over

    @classmethod
    async def hold(
        cls,
        machine: Machine[S, C],
        settings: Settings,
        adopt: Adopt[S] = lambda _: None,
        pass_over: PassOver[S] = lambda *_: None,
    ) -> "HeldJournal[S, C]":
        """Lock the data directory, which is created if there is none. Raises Fatal."""
        path, patience_s = settings.data_dir, settings.limits.start_disk_s
        hung = JournalFailed(f"the data directory {path} could not be had within {patience_s:g} s. Check its disk.")
        disk = await in_time(partial(LinuxDisk.own, path, Syncer()), patience_s, hung)
        return cls(machine, settings, disk, adopt, pass_over)

    @property
    def where(self) -> str:
        """As `HeldStore.where`: the directory."""
        try:
            return str(self._settings.data_dir.absolute())
        except OSError:  # The working directory was removed.
            return str(self._settings.data_dir)

    @property
    def locks(self) -> Sequence[int]:
        """As `HeldStore.locks`."""
        return self._disk.locks

    async def open(self) -> Journal[S, C]:
        """As `HeldStore.open`. Raises DamagedData, JournalFailed, NotPermitted, and what `adopt` raises."""
        found = await in_daemon(self._look)
        self.is_new = found.newest is None
        settings = self._settings
        options = Options(
            settings.limits,
            is_interval=settings.durability == "interval",
            sync_interval_s=settings.sync_interval_s,
        )
        return await Journal.open(self._disk, self._codec, found, options)

    def _look(self) -> Found[S]:
        data_dir = self._settings.data_dir
        found = look(self._disk, self._codec, begin=partial(self._adopt, data_dir))
        if found.newest is not None:
            self._pass_over(data_dir, found.plan.place)
        return found
