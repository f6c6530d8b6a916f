"""Who asks the engine, and how each is told: whatever one of them meets, the others get their answers."""

from typing import Any, Protocol, TypeVar

import structlog

from pexservice.core.keys import Terms
from pexservice.core.machine import Refusal
from pexservice.errors import NotApplied, why

log = structlog.get_logger()

S_contra = TypeVar("S_contra", contravariant=True)
C_co = TypeVar("C_co", covariant=True)


class Asked(Protocol[S_contra, C_co]):
    """What a caller asked for: knows how to answer a command, but not whom."""

    @property
    def command(self) -> C_co:
        """The command."""
        ...

    @property
    def carries_value(self) -> bool:
        """Whether the answer shows the state, in up to `Machine.answer_bytes_max` bytes."""
        ...

    @property
    def terms(self) -> Terms | None:
        """The key and the conditions that go with the command, if any."""
        ...

    def render(self, sequence: int, state: S_contra) -> Any:
        """Return the answer to a command that led there."""
        ...

    def render_replay(self, sequence: int, state: S_contra) -> Any:
        """Return the answer to a command that was taken before, and led there then."""
        ...

    def render_refusal(self, sequence: int, state: S_contra, refusal: Refusal) -> Any:
        """Return the answer to a command that the machine refused there."""
        ...


A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)


class Caller(Protocol[A_contra]):
    """Who asked. Exactly one of the two is called for each command that was submitted, in the order of submission."""

    def deliver(self, asked: A_contra, answer: Any, /) -> None:
        """Take what `asked` rendered: what it tells is durable."""
        ...

    def turn_away(self, asked: A_contra, error: NotApplied, /) -> None:
        """Take note that the command was not taken."""
        ...

    def abort(self) -> None:
        """Expect nothing more: one of the above met a defect, and what came next would be taken for its answer."""
        ...


class Reader(Protocol[A_contra]):
    """Who wants to see the place. Exactly one of the two is called for each `Engine.look` that takes a while."""

    def resume(self, asked: A_contra, /) -> None:
        """Take note that the place that the engine shows is now not older than the call."""
        ...

    def turn_away(self, asked: A_contra, error: NotApplied, /) -> None:
        """Take note that no place could be had."""
        ...

    def abort(self) -> None:
        """As `Caller.abort`."""
        ...


def deliver(asked: Any, caller: Caller[Any], answer: Any) -> None:
    """Give an answer to who asked."""
    try:
        caller.deliver(asked, answer)
    except Exception as defective:  # noqa: BLE001 - a defect that one caller meets is not all callers' end.
        abort(caller, defective)


def resume(asked: Any, caller: Reader[Any], error: Exception | None) -> None:
    """Let a read go on, unless what it went with was turned away."""
    if isinstance(error, NotApplied):
        turn_away(asked, caller, error)
        return
    try:
        caller.resume(asked)
    except Exception as defective:  # noqa: BLE001 - as above.
        abort(caller, defective)


def turn_away(asked: Any, caller: Caller[Any] | Reader[Any], error: NotApplied) -> None:
    """Tell who asked that nothing came of it."""
    try:
        caller.turn_away(asked, error)
    except Exception as defective:  # noqa: BLE001 - as above.
        abort(caller, defective)


def abort(caller: Caller[Any] | Reader[Any], error: Exception) -> None:
    """Give up on a caller that met a defect."""
    log.error("an answer could not be delivered", **why(error))
    caller.abort()
