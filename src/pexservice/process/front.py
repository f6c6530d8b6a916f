"""What a process shows to clients: its endpoints, its probes, its metrics."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from pexservice.config import Settings
from pexservice.core.budget import Budget
from pexservice.core.engine import Engine
from pexservice.core.machine import C, S
from pexservice.core.metrics import Metrics
from pexservice.errors import Draining, NotApplied, Recovering, WrongApplication, defect, ending
from pexservice.http.access import Access
from pexservice.http.clock import Clock
from pexservice.http.endpoint import Endpoint
from pexservice.http.memo import Memo
from pexservice.http.resource import Site
from pexservice.http.router import Router
from pexservice.http.shared import Shared
from pexservice.http.text import probes
from pexservice.process.application import Application

if TYPE_CHECKING:
    from pexservice.process.exposition import Exposition, State


class Front(Generic[S, C]):
    """Makes what the servers of a process need."""

    def __init__(  # noqa: PLR0913, PLR0917 - what there is to show.
        self,
        application: Application[S, C],
        settings: Settings,
        engine: Engine[S, C],
        access: Access,
        unready: Callable[[], NotApplied | None],
        look: "Callable[[], State]",
        reasons: Sequence[type[NotApplied]],
        serving: Callable[[], int] | None = None,
    ) -> None:
        """`unready` tells why no commands are taken, if so, and `look` what the service is like now.

        `reasons` are all that a store may have to be unready; `serving` is as of `Site`; without it, the store
        tells.
        """
        self._application = application
        self._settings = settings
        self._engine = engine
        self._access = access
        self._unready = unready
        self._look = look
        self._reasons = reasons
        self._serving = serving or (lambda: engine.serving)
        self._exposition: Exposition | None = None

    def endpoints(self, clock: Clock) -> list[Endpoint]:
        """Return the table of the listener for clients. Raises WrongApplication if it is none."""
        site = Site(self._engine, self._access, clock, self._settings.limits, self._serving)
        try:
            table = self._application.endpoints(site, () if self._settings.admin else self.probes(clock))
        except Exception as error:
            if ending(error) is not None:
                raise
            raise WrongApplication(f"its endpoints raise {defect(error)}: {error!s:.200}.") from error
        if not isinstance(table, Sequence):
            raise WrongApplication(f"its endpoints return {table!r:.80}, which is no list: return described(...).")
        return list(table)

    def probes(self, clock: Clock) -> list[Endpoint]:
        """Return the table of a listener for probes and metrics alone."""
        return list(probes(clock, self._unready, self.metrics_text))

    def shared(self, table: Callable[[Clock], list[Endpoint]], metrics: Metrics, budget: Budget) -> Shared:
        """Return what the connections of a listener have in common."""
        limits = self._settings.limits
        clock = Clock(limits)
        engine: Engine[Any, Any] = self._engine
        router = Router(clock, table(clock))
        return Shared(engine, Memo(router.action, limits, router.remembers), clock, metrics, limits, budget)

    def metrics_text(self) -> str:
        """Return the exposition."""
        if self._exposition is None:
            # PERF: 40 ms, which must not delay the first answer: a thread has it imported in the meantime.
            from pexservice.process.exposition import Exposition  # noqa: PLC0415

            reasons: list[type[NotApplied]] = [Recovering, *self._reasons, Draining]
            unready = [each for each in reasons if each.is_lasting]
            self._exposition = Exposition(self._application.version, self._look, unready)
        return self._exposition.text()


def check_endpoints(application: Application[S, C], settings: Settings) -> None:
    """Raise WrongApplication if the endpoints are wrong: before a start gets hold of anything, and in no worker.

    They are made for nobody, once; those that serve are made when there is a store.
    """
    limits = settings.limits
    metrics, budget = Metrics(), Budget(limits.unsent_bytes_max)
    engine = Engine(application.machine, metrics, budget, limits)
    access = Access((b"any",) if settings.token_file else ())
    front = Front(application, settings, engine, access, _unasked, _unasked, ())
    front.shared(front.endpoints, metrics, budget)


def _unasked() -> NoReturn:
    raise AssertionError("nobody asks endpoints that are made to be checked")
