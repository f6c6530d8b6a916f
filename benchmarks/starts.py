"""How long a start takes, from the birth of the process to the first answer to /next, whole.

A start reads only the newest segment, so the time must not grow with the history. Histories are written by the
journal's own code, in segments of the real size of which the newest is full: the worst that a start can meet. Each
start gets a copy made of hard links, which costs nothing and is sound, since no segment is ever written to again.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks import processes
from benchmarks.asking import ask
from benchmarks.effort import Effort
from benchmarks.figures import Start
from benchmarks.peers.catalogue import SERVE
from benchmarks.peers.running import free_port, write_original
from benchmarks.placement import Placement
from pexservice.core.judging import Place
from pexservice.core.keys import SECRET_BYTES, Seen, digests
from pexservice.core.known import KnownKeys
from pexservice.limits import DEFAULT
from pexservice.stores.journal.live_keys import KEYS_NAME, LiveKeys, encode
from pexservice.stores.journal.opening import LINES
from pexservice.stores.journal.record import Codec, seal
from pexservice.stores.journal.ring import RING_NAME, Header, Shape, state_checksum
from pexservice.stores.journal.segment import segment_name
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS

NAME: Final = "starts"
"""By which it is called for, as a load is by its name."""
HISTORY_POSITION: Final = 1_000_000
"""Where the walk with a history stands: the farthest that the target covers, so both together are the worst case."""
_GROUP_STEPS: Final = 64
_UP: Final = WALK.encode([NEXT] * _GROUP_STEPS)
_BEGAN_S: Final = 1_750_000_000.0
"""The time in the first row, Unix time. Any would do."""
_GROUP_S: Final = 0.0005
_BLOCK_BYTES: Final = 4_096
"""Of the disk: so the ring is the one that the service makes where there is room."""
_START_S: Final = 60


def count(effort: Effort) -> int:
    """Return how many figures `measure` will give."""
    return effort.starts * (len(effort.history_groups) + len(effort.start_positions))


def measure(effort: Effort, placement: Placement, data: Path) -> Iterator[Start]:
    """Start the service at each position, then with each length of history, in interleaved rounds.

    Raises processes.Failed, OSError.
    """
    for _ in range(effort.starts):
        for position in effort.start_positions:
            with tempfile.TemporaryDirectory(dir=data) as directory:
                if position:
                    write_original(Path(directory), position)
                yield Start(False, 0, position, seconds_to_answer(Path(directory), placement))
    with tempfile.TemporaryDirectory(dir=data) as root:
        histories = {groups: Path(root) / str(groups) for groups in effort.history_groups}
        for groups, history in histories.items():
            history.mkdir()
            write_history(history, groups)
        for index in range(effort.starts):
            for groups, history in histories.items():
                copy = Path(root) / f"{groups}-{index}"
                shutil.copytree(history, copy, copy_function=os.link)
                yield Start(True, groups, HISTORY_POSITION, seconds_to_answer(copy, placement))
                shutil.rmtree(copy)


def write_history(directory: Path, groups: int, keys: int = 0) -> None:
    """Write a journal of so many groups of 64 steps, up and down in turn. Without any, a file of the original.

    So many keys are known of it.
    """
    if not groups:
        write_original(directory, HISTORY_POSITION)
        return
    codec = Codec(WALK)
    turns = (_UP, WALK.encode([PREVIOUS] * _GROUP_STEPS))
    positions = (HISTORY_POSITION, HISTORY_POSITION - _GROUP_STEPS)
    written = 0
    sizes = _segments(groups)
    for size in sizes:
        place = Place(written * _GROUP_STEPS, positions[(groups - written) % 2])
        opening, checksum = codec.encode_opening(place, is_interval=False, time_s=_BEGAN_S + written * _GROUP_S)
        with (directory / segment_name(place.sequence)).open("wb") as file:
            file.write(opening)
            for number in range(written + 1, written + size + 1):
                left = groups - number
                place = Place(number * _GROUP_STEPS, positions[left % 2])
                body = codec.encode_body(place, turns[left % 2], _BEGAN_S + number * _GROUP_S)
                row, checksum = seal(body, checksum)
                file.write(row)
        written += size
    secret = bytes(SECRET_BYTES)
    (directory / KEYS_NAME).write_bytes(encode(codec, LiveKeys(secret, place.sequence, _keys(keys, place))))
    shape = Shape(LINES, _BLOCK_BYTES, LINES // 2)
    with (directory / RING_NAME).open("wb") as file:
        base_checksum = state_checksum(codec, place)
        file.write(Header(WALK.name, 1, shape, place.sequence, base_checksum).encode()[0])
        file.write(shape.blank * shape.lines)


def _keys(count: int, place: Place[int]) -> bytes:
    """Return so many keys as they are written down."""
    known = KnownKeys(max(count, 1), DEFAULT.idempotency_ttl_s)
    command, state = WALK.encode([NEXT]), WALK.encode_state(place.state)
    for number in range(count):
        known.settle(
            {digests([b"%d" % number], b"any")[0]: Seen(known.now_s(), place.sequence, command, state).packed()}
        )
    return known.write()


def _segments(groups: int) -> list[int]:
    """Return how many rows each segment has, so that the newest is full, or the only one."""
    row, _ = seal(Codec(WALK).encode_body(Place(groups * _GROUP_STEPS, HISTORY_POSITION), _UP, _BEGAN_S), 0)
    full = DEFAULT.segment_bytes_max // len(row)
    return [*([groups % full] if groups % full else []), *[full] * (groups // full)]


def seconds_to_answer(directory: Path, placement: Placement, program: Sequence[str] = SERVE) -> float:
    """Return how long a start takes on this directory. Raises processes.Failed."""
    port = free_port()
    serve = [*program, "--port", str(port), "--data-dir", str(directory)]
    log = directory / "log"
    began_s = time.perf_counter()
    with processes.serving(placement.server(serve), log, {}):
        try:
            answer = ask(port, "/next", patience_s=_START_S)
        except OSError as error:
            raise processes.Failed(f"no first answer: {error}. It says: {processes.last_words(log)}") from error
        taken_s = time.perf_counter() - began_s
    if not answer.startswith(b"HTTP/1.1 200"):
        raise processes.Failed(f"the first answer was {answer[:80]!r}")
    return taken_s
