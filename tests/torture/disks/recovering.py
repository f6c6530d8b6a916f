"""What a start makes of a data directory after a disaster, and that it serves from there."""

from pathlib import Path
from typing import Final

from pexservice.core.judging import Place
from pexservice.disk.linux import LinuxDisk
from pexservice.errors import Fatal
from pexservice.stores.journal.history import History
from pexservice.stores.journal.opening import look
from pexservice.stores.journal.record import Codec
from pexservice.walk.machine import WALK
from torture.attack import Bench, Violation, require
from torture.load import place_of

_CODEC: Final = Codec(WALK)


def recovered_place(data_dir: Path) -> Place[int]:
    """Return where a start would go on, asked of its code in this process: milliseconds instead of a second.

    Raises Violation where a start would be refused, and where the history, proved row by row, does not lead there.
    """
    if not data_dir.exists():
        return Place(0, 0)
    disk = LinuxDisk.inspect(data_dir)
    try:
        place = look(disk, _CODEC).plan.place
    except Fatal as error:
        raise Violation(f"a start would be refused with {error.exit_status}: {error}") from error
    else:
        end = _end_of_history(disk)
        require(place == end, f"a start would find {place}, but the history ends at {end}")
        return place
    finally:
        disk.close()


def _end_of_history(disk: LinuxDisk) -> Place[int]:
    """Return where the last row leads, as `pexservice journal verify` would."""
    try:
        places = [Place(0, 0)]
        for piece in History.look(disk, _CODEC).pieces():
            places += [piece.start, *(row.place for row in piece.rows)]
            require(places[-1] == piece.end, f"the rows of {piece.name} lead to {places[-1]}, and it says {piece.end}")
    except Fatal as error:
        raise Violation(f"`journal verify` would end with {error.exit_status}: {error}") from error
    return places[-1]


def prove_by_start(bench: Bench, data_dir: Path, place: Place[int]) -> None:
    """Start the service, which must be at this place, take a step, and stop it."""
    with bench.serving(data_dir) as service:
        found = place_of(service)
        require(found == place, f"it started at {found}, not at {place}: {service.log}")
        with service.connect() as client:
            sequence = client.ask("POST", "/next").sequence
        require(sequence == place.sequence + 1, f"the step after {place} was answered with sequence {sequence}")
        status = service.stop()
        require(status == 0, f"it stopped with {status}: {service.log}")
