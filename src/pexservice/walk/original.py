"""The data file of the original Go service, read and written: one line `hits,position,previous,current,next`.

The original's values wrapped at 2^64, but its position did not, and the position is all that is needed. The current
value only serves to check that the file is not damaged.
"""

import re
from pathlib import Path
from typing import Final

import structlog

from pexservice.core.judging import Place
from pexservice.disk.linux import read_regular
from pexservice.errors import CannotCreate, DamagedData, Fatal, NotPermitted, StorageFailed, reason
from pexservice.walk.fibonacci import fibonacci_modulo

log = structlog.get_logger()

FILE_NAME: Final = "fibo.csv"
_FIELDS = re.compile(r"\s{0,16}([0-9]{1,20}),([0-9]{1,20}),([0-9]{1,20}),([0-9]{1,20}),([0-9]{1,20})\s{0,16}", re.ASCII)
_FILE_BYTES_MAX: Final = 4096
_NAME_ANOTHER: Final = "Name the data file of the original, fibo.csv."
_WRAP: Final = 1 << 64
_COUNT_MAX: Final = 1 << 62
"""Half of what a server can hold, and less of a journal, so that no number of steps leads beyond that."""


def row(place: Place[int]) -> str:
    """Write a place as the original has it, values modulo 2^64, in some us at any position.

    `parse` takes it back, up to a sequence or position of 2^62.
    """
    sequence, position = place
    previous, current = (fibonacci_modulo(each, _WRAP) for each in (max(position - 1, 0), position))
    following = fibonacci_modulo(position + 1, _WRAP)
    return f"{sequence},{position},{previous},{current},{following}\n"


def parse(text: str, name: str, remedy: str = _NAME_ANOTHER) -> Place[int]:
    """Return the place that a file of the original stands for.

    Its hits are the sequence. After a reset the original wrote position 1 with value 0; that is position 0.
    Raises DamagedData, naming the file `name`, unless the current value is F(position) mod 2^64. `remedy` is what the
    operator can do about another file.
    """
    matched = _FIELDS.fullmatch(text)
    if matched is None:  # Whatever file was named may hold a secret, so nothing of it is shown.
        message = (
            f"{name} is not a file of the original service: that is one line hits,position,previous,current,next of "
            f"whole numbers, and this is {'something else' if text.strip() else 'empty'}. Nothing was imported. "
            f"{remedy}"
        )
        raise DamagedData(message)
    hits, position, _, current, _ = map(int, matched.groups())
    if max(hits, position) > _COUNT_MAX:
        message = f"{name} says {hits} hits at position {position}, but no walk comes so far. Nothing was imported."
        raise DamagedData(f"{message} {remedy}")
    if (position, current) == (1, 0):
        position = 0
    expected = fibonacci_modulo(position, _WRAP)
    if current != expected:
        message = (
            f"{name} contradicts itself: at position {position} the value must be {expected} (modulo 2^64), but it "
            f"says {current}. Nothing was imported. Correct the position or the value, whichever is wrong."
        )
        raise DamagedData(message)
    return Place(hits, position)


def read(path: Path, remedy: str = _NAME_ANOTHER) -> Place[int]:
    """Read a file of the original. Raises DamagedData, NotPermitted, CannotCreate if there is none.

    `remedy` as in `parse`.
    """
    try:
        data = read_regular(path, bytes_max=_FILE_BYTES_MAX + 1)
    except PermissionError as error:
        message = f"may not read {path}: {error.strerror}. Give this user the right to."
        raise NotPermitted(message) from error
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}. Nothing was imported. {remedy}"
        raise CannotCreate(message) from error
    return parse(data.decode("ascii", "backslashreplace"), str(path), remedy)


def adopt(data_dir: Path) -> Place[int] | None:
    """Return where the walk goes on from, if a directory holds a file of the original.

    Raises as `read`, and StorageFailed where the disk does not tell.
    """
    path = data_dir / FILE_NAME
    try:
        path.lstat()  # A link that leads nowhere is no sign that there was no walk: `read` says why.
    except FileNotFoundError:
        return None
    except OSError as error:  # Nor is a disk that does not tell: to begin anew would hide the walk for good.
        raise StorageFailed(f"cannot look for {path}: {reason(error)}. Check the disk and the kernel's log.") from error
    place = read(path, "Move it away to begin at 0, or put the right one in its place.")
    log.info("taking over the walk of the original", file=str(path))
    return place


def pass_over(data_dir: Path, place: Place[int]) -> None:
    """Warn of a file of the original beside a journal, if the walk cannot have begun there: the file has more hits.

    A file that was taken over stays in the directory, and no later start needs to tell of it.
    """
    path = data_dir / FILE_NAME
    try:
        hits = read(path).sequence
    except Fatal:  # There is none, or it is something else: nobody waits for it to be read.
        return
    if hits > place.sequence:
        hint = "to go on from it, stop, move all else out of the directory, and start"
        log.warning("a fibo.csv lies beside the journal and is not read", file=str(path), hint=hint)
