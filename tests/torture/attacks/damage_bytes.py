"""What can become of the bytes of one segment, or be in its place. How each kind is judged is told in `damage.py`."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random

from torture.attacks.specimen import HEADER, Damage, File, chained, forged


def opening_cut(file: File, _rng: Random) -> Iterator[Damage]:
    """Not even the opening row is whole, which was durable before the file got its name."""
    for end in range(_opening_end(file)):
        yield file.hurt(file.data[:end], end)


def opening_cut_with_nuls(file: File, rng: Random) -> Iterator[Damage]:
    for end in range(_opening_end(file)):
        yield file.hurt(file.data[:end] + bytes(rng.choice([1, 511, 4096])), end)


def zeroed(file: File, _rng: Random) -> Iterator[Damage]:
    yield file.hurt(bytes(len(file.data)), 0)


def cut(file: File, _rng: Random) -> Iterator[Damage]:
    """Where it ends with a row it is whole in itself, and does not meet the ring."""
    for end in range(_opening_end(file), len(file.data)):
        yield replace(file.hurt(file.data[:end], end), names="is damaged")


def cut_with_nuls(file: File, rng: Random) -> Iterator[Damage]:
    for end in range(_opening_end(file), len(file.data)):
        yield file.hurt(file.data[:end] + bytes(rng.choice([1, 511, 4096])), end)


def _opening_end(file: File) -> int:
    return file.lines[2].begin


def last_row_removed(file: File, _rng: Random) -> Iterator[Damage]:
    begin = file.lines[-1].begin
    yield replace(file.hurt(file.data[:begin], begin), names="is damaged")


def last_row_nulled(file: File, _rng: Random) -> Iterator[Damage]:
    for begin in range(file.lines[-1].begin, len(file.data) - 1):
        yield file.hurt(file.data[:begin] + bytes(len(file.data) - begin - 1) + b"\n", begin)


def nul_within(file: File, _rng: Random) -> Iterator[Damage]:
    for at in range(file.lines[-1].begin):
        yield file.hurt(file.data[:at] + b"\0" + file.data[at + 1 :], at)


def bit_flipped(file: File, _rng: Random) -> Iterator[Damage]:
    for at in range(len(file.data)):
        for bit in range(8):
            data = bytearray(file.data)
            data[at] ^= 1 << bit
            yield file.hurt(bytes(data), at)


def rows_swapped(file: File, _rng: Random) -> Iterator[Damage]:
    for first, second in combinations(range(len(file.lines)), 2):
        lines = list(file.lines)
        lines[first], lines[second] = lines[second], lines[first]
        yield file.hurt(b"".join(line.data for line in lines), file.lines[first].begin)


def row_repeated(file: File, _rng: Random) -> Iterator[Damage]:
    for line in file.lines:
        end = line.begin + len(line.data)
        yield file.hurt(file.data[:end] + line.data + file.data[end:], end)


def row_removed(file: File, _rng: Random) -> Iterator[Damage]:
    for line, after in zip(file.lines, file.lines[1:], strict=False):
        yield file.hurt(file.data[: line.begin] + file.data[after.begin :], line.begin)


def row_edited(file: File, _rng: Random) -> Iterator[Damage]:
    """A row says another position, with a checksum to match; the rows after it are as they were."""
    for index, after in enumerate(file.lines[2:], 1):
        yield file.hurt(forged(file, index, index + 1) + file.data[after.begin :], after.begin)


def row_forged(file: File, _rng: Random) -> Iterator[Damage]:
    """As before, and all checksums after it are computed anew: only the arithmetic is wrong."""
    for index in range(2, len(file.lines) - 1):
        damage = file.hurt(forged(file, index, len(file.lines)), file.lines[index].begin)
        yield replace(damage, names=f"{file.name} is damaged at line ")  # It, or the row after it: they contradict.


def last_row_forged(file: File, _rng: Random) -> Iterator[Damage]:
    yield file.hurt(forged(file, len(file.lines) - 1, len(file.lines)), file.lines[-1].begin)


def foreign(file: File, rng: Random) -> Iterator[Damage]:
    noise = rng.randbytes(400)
    for data in (
        b"58,11,55,89,144\n",
        b"58,11,55,89,144",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + noise,
        b"<!DOCTYPE html>",
        b"PK\x03\x04" + noise.replace(b"\n", b"x"),
        b"\n" + file.data,
    ):
        yield file.hurt(data, 0)


def converted(file: File, _rng: Random) -> Iterator[Damage]:
    yield file.hurt(file.data.replace(b"\n", b"\r\n"), 0)
    yield file.hurt(file.data.replace(b"\n", b"\r"), 0)
    yield file.hurt(b"\xef\xbb\xbf" + file.data, 0)
    yield file.hurt(file.data.decode("ascii").encode("utf-16"), 0)


def no_version(file: File, _rng: Random) -> Iterator[Damage]:
    for what in (b"v2", b"v0 fibonacci", b"v2 fibonacci sometimes", b"2 fibonacci"):
        yield file.hurt(_opened(file, what), len(HEADER))


def unknown_version(file: File, _rng: Random) -> Iterator[Damage]:
    """The whole of another format version."""
    for what in (b"v1", b"v1-interval", b"v3 fibonacci", b"v10 fibonacci"):
        version = what.partition(b" ")[0].partition(b"-")[0].decode().removeprefix("v")
        names = f"{file.name} is of format version {version}, "
        yield Damage({file.name: _opened(file, what)}, file.opening, names)


def another_machine(file: File, _rng: Random) -> Iterator[Damage]:
    """The whole journal of another machine, of the same columns and of others."""
    names = f"{file.name} belongs to another machine, 'stairs', "
    for header in (HEADER, HEADER.replace(b"position", b"floor"), HEADER.replace(b"position", b"floor,stair")):
        yield Damage({file.name: _opened(file, b"v2 stairs", header)}, file.opening, names)


def _opened(file: File, what: bytes, header: bytes = HEADER) -> bytes:
    """Return a file whose opening row says something else, in a whole chain of checksums."""
    bodies = [line.body for line in file.lines[1:]]
    bodies[0] = bodies[0].replace(b",v2 fibonacci,", b",%b," % what)
    return chained(bodies, header)


def trailing_nuls(file: File, _rng: Random) -> Iterator[Damage]:
    for count in (1, 511, 512, 4096):
        yield file.hurt(file.data + bytes(count), len(file.data))


def trailing_garbage(file: File, rng: Random) -> Iterator[Damage]:
    for garbage in (b"x", b"\r", b",,,,", rng.randbytes(600).replace(b"\n", b"x")):
        yield file.hurt(file.data + garbage, len(file.data))


def trailing_lines(file: File, rng: Random) -> Iterator[Damage]:
    noise = rng.randbytes(100).replace(b"\n", b"x").replace(b"\0", b"x")
    for garbage in (b"\n", b"\n\n", noise + b"\n", file.lines[2].data, HEADER, b"\0" * 50 + b"\n" + file.lines[2].data):
        yield file.hurt(file.data + garbage, len(file.data))


def special(file: File, _rng: Random) -> Iterator[Damage]:
    """Something that is no file."""
    for make in (
        Path.mkdir,
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to("/dev/null"),
        lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    ):
        yield Damage({file.name: instead(make)}, file.opening)


def unreadable(file: File, _rng: Random) -> Iterator[Damage]:
    """A file that nobody may read."""
    yield Damage({file.name: instead(forbidden)}, file.opening, is_of_modes=True)


def instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return a function that makes something in the place of a file, if there is one."""

    def put(path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return put


def forbidden(path: Path) -> None:
    """Make a file without any right to it."""
    path.touch(0)
