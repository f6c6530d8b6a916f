"""A server that answers and may be written to, before a replica enters."""

from typing import ClassVar, Generic

from pexservice.config import Settings, StoreUrl
from pexservice.core.machine import C, Machine, S
from pexservice.errors import NotApplied
from pexservice.limits import Limits
from pexservice.stores.postgres.address import hosts
from pexservice.stores.postgres.rules import IN_TURNS, ServerAway, ServerUnavailable
from pexservice.stores.postgres.session import Session
from pexservice.stores.postgres.store import PostgresStore


class HeldServer(Generic[S, C]):
    """A server that was looked at, and nothing was written: see `application.HeldStore`."""

    unready_reasons: ClassVar[tuple[type[NotApplied], ...]] = (ServerAway,)
    is_new: ClassVar = False
    locks: ClassVar[tuple[int, ...]] = ()

    def __init__(self, machine: Machine[S, C], url: StoreUrl, limits: Limits) -> None:
        """Use `hold`."""
        self._machine = machine
        self._url = url
        self._limits = limits
        self._session = Session(hosts(url), machine.name, limits, IN_TURNS)
        self._chores = Session(hosts(url), machine.name, limits)

    @classmethod
    async def hold(cls, machine: Machine[S, C], settings: Settings) -> "HeldServer[S, C]":
        """Find a host that answers and may be written to. Raises Fatal."""
        assert settings.store is not None, "there is a server"
        held = cls(machine, settings.store, settings.limits)
        await held._session.open()
        return held

    @property
    def where(self) -> str:
        """As `HeldStore.where`: its URL, without a password."""
        return str(self._url)

    async def open(self) -> PostgresStore[S, C]:
        """As `HeldStore.open`. Raises ServerUnavailable, LostGroups."""
        try:
            return await PostgresStore.open(self._machine, self._session, self._chores, self._limits)
        except ServerAway as error:
            raise ServerUnavailable(f"the server at {self.where} went away at once. Start again.") from error
