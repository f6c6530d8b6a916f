"""What the writer publishes to its workers: where the machine stands, whether groups are taken, how its store is.

A read costs no message: the place is in shared memory, and it is there before anybody is told of a group that led to
it. So who was answered, and asks another worker, finds nothing older.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from mmap import mmap
from typing import Final, Generic

from pexservice.core.judging import Place
from pexservice.core.machine import C, Machine, S
from pexservice.core.measures import Histogram, Measure
from pexservice.core.store import Status
from pexservice.errors import NotApplied, Recovering, Scarce
from pexservice.limits import Limits
from pexservice.stores.shared.published import Published

_READY: Final = 1
"""As the first byte: commands are taken. 0 is for a memory that is new, and what follows counts reasons against it."""


class Board(Generic[S, C]):
    """A region of shared memory that the writer writes and its workers read."""

    def __init__(
        self, machine: Machine[S, C], memory: mmap, limits: Limits, reasons: Sequence[type[NotApplied]]
    ) -> None:
        """Take the first `size(limits)` bytes of a memory. `reasons` are all that a store may have to be unready."""
        self._machine = machine
        self._memory = memory
        self._limits = limits
        self._reasons: tuple[type[NotApplied], ...] = (Recovering, *reasons)
        place_bytes_max = limits.shared_state_bytes_max
        self._place = Published(memory, 8, place_bytes_max)
        self._status = Published(memory, 8 + Published.size(place_bytes_max), limits.shared_status_bytes_max)
        errors = [reason() for reason in self._reasons]
        self._errors: list[NotApplied | None] = [None, *errors]
        self._last = b"", Place(0, machine.initial)

    @staticmethod
    def size(limits: Limits) -> int:
        """Return how many bytes a board takes."""
        return 8 + Published.size(limits.shared_state_bytes_max) + Published.size(limits.shared_status_bytes_max)

    # What workers read.

    @property
    def unready(self) -> NotApplied | None:
        """Why no group is taken just now, if so."""
        code = self._memory[0]
        return self._errors[code - _READY] if code else self._errors[1]

    def reason(self, number: int) -> NotApplied:
        """Return the error of a number that `number_of` gave."""
        error = self._errors[number]
        assert error is not None, "reasons are counted from 1"
        return error

    @property
    def place(self) -> Place[S]:
        """The durable place; the same object until there is another."""
        data = self._place.read()
        if data != self._last[0]:
            sequence, _, state = data.decode("ascii").partition(",")
            self._last = data, Place(int(sequence), self._machine.decode_state(state))
        return self._last[1]

    @property
    def status(self) -> Status:
        """As `Store.status`, as of the last time that it was published."""
        found = json.loads(self._status.read() or b'{"labels": {}, "measures": []}')
        return Status(found["labels"], [_measure(**each) for each in found["measures"]])

    # What the writer writes.

    def show_unready(self, error: NotApplied | None) -> None:
        """Say whether groups are taken from now on, and if not, why."""
        self._memory[0] = _READY + (self.number_of(error) if error is not None else 0)

    def number_of(self, error: NotApplied) -> int:
        """Return the number of a reason, at least 1."""
        return 1 + self._reasons.index(type(error))

    def show_place(self, place: Place[S]) -> None:
        """Show where the machine stands. Raises Scarce if its state is longer than what can be shared."""
        data = f"{place.sequence},{self._machine.encode_state(place.state)}".encode("ascii")
        if len(data) > self._limits.shared_state_bytes_max:
            raise Scarce(
                f"the state takes {len(data)} bytes, and workers share at most {self._limits.shared_state_bytes_max}. "
                "Run it with --workers 1."
            )
        self._place.publish(data)

    def show_status(self, status: Status) -> None:
        """Show how the store is."""
        document = {"labels": dict(status.labels), "measures": [_document(each) for each in status.measures]}
        self._status.publish(json.dumps(document).encode("ascii"))


def _document(measure: Measure) -> dict[str, object]:
    value = measure.value
    shown = vars(value) if isinstance(value, Histogram) else value
    return asdict(Measure(measure.name, measure.text, 0)) | {"value": shown}


def _measure(name: str, text: str, value: float | dict[str, list[float]]) -> Measure:
    if not isinstance(value, dict):
        return Measure(name, text, value)
    histogram = Histogram(tuple(value["bounds"]))
    vars(histogram).update(counts=value["counts"], total=value["total"])
    return Measure(name, text, histogram)
