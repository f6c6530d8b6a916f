"""Damage to the journal: every kind of it, and what the service may make of each.

The judgement is a table. In every case a start ends with an error that names what is wrong, and changes nothing; or it
begins at a place that is right. `journal verify` finds every damage. Damages of bytes are thousands, so they are judged
by calling the code; of each kind one is also put before the real commands.
"""

import os
import shutil
from collections.abc import Iterator
from random import Random
from typing import Final

from pexservice.stores.journal.ring import RING_NAME
from torture.attack import Attack, Bench, Unsupported
from torture.attacks import damage_bytes as in_bytes
from torture.attacks import damage_directory as in_directory
from torture.attacks import damage_ring as in_ring
from torture.attacks.damage_judge import Start, Trial, Verify, judge_for_real, judge_in_process
from torture.attacks.specimen import Specimen, specimen

DAMAGED, CANNOT_CREATE, CANNOT_READ, FORBIDDEN, AT_END = Start
WHOLE, BROKEN, GAP, NO_FILE, NO_RIGHT = Verify

# A kind of damage to one segment: how a start ends if it is the newest (it does not read an older one), what verify
# says then, and what verify says if it is an older one.
SEGMENT: Final = {
    in_bytes.bit_flipped: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.trailing_lines: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.nul_within: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.rows_swapped: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.row_repeated: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.row_removed: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.row_edited: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.opening_cut: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.opening_cut_with_nuls: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.zeroed: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.row_forged: ({AT_END, DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.last_row_forged: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.foreign: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.converted: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.no_version: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.unknown_version: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.another_machine: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.special: ({CANNOT_READ}, {NO_FILE}, {NO_FILE}),
    in_bytes.unreadable: ({FORBIDDEN}, {NO_RIGHT}, {NO_RIGHT}),
    in_bytes.cut_with_nuls: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.last_row_nulled: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.trailing_nuls: ({DAMAGED}, {BROKEN}, {BROKEN}),
    in_bytes.trailing_garbage: ({DAMAGED}, {BROKEN}, {BROKEN}),
    # The ring may have what is missing.
    in_bytes.cut: ({DAMAGED, AT_END}, {BROKEN, WHOLE}, {BROKEN, GAP}),
    in_bytes.last_row_removed: ({DAMAGED, AT_END}, {BROKEN, WHOLE}, {GAP}),
}

# A kind of damage to the ring: how a start ends, and what verify says. It is whole to the last bit, or it is damaged.
RING: Final = {
    in_ring.bit_flipped: ({DAMAGED}, {BROKEN}),
    in_ring.nulled: ({DAMAGED}, {BROKEN}),
    in_ring.cut: ({DAMAGED}, {BROKEN}),
    in_ring.grown: ({DAMAGED}, {BROKEN}),
    in_ring.slots_swapped: ({DAMAGED}, {BROKEN}),
    in_ring.of_another_life: ({DAMAGED}, {BROKEN}),
    # The rows of these lines are in the history: it is enough to know that, if no line calls the one gone durable.
    in_ring.blanked: ({DAMAGED, AT_END}, {BROKEN, WHOLE}),
}

# A kind of damage to the directory: how a start ends, and what verify says.
DIRECTORY: Final = {
    in_directory.oldest_missing: ({AT_END}, {WHOLE}),
    in_directory.middle_missing: ({AT_END}, {BROKEN}),
    in_directory.newest_missing: ({DAMAGED, AT_END}, {BROKEN, WHOLE}),
    in_directory.unopened: ({DAMAGED}, {BROKEN}),
    in_directory.misnamed: ({DAMAGED}, {BROKEN}),
    # A start reads the newest segment alone, however much history there is; verify reads all.
    in_directory.another_walk: ({DAMAGED}, {BROKEN}),
    in_directory.overlap: ({DAMAGED, AT_END}, {BROKEN}),
    in_directory.older_overlap: ({AT_END}, {BROKEN}),
    in_directory.left_over: ({AT_END}, {WHOLE}),
    in_directory.new_is_directory: ({CANNOT_READ}, {WHOLE}),
    in_directory.ring_missing: ({DAMAGED}, {BROKEN}),
    in_directory.history_missing: ({DAMAGED}, {BROKEN}),
    in_directory.lock_is_no_file: ({CANNOT_CREATE}, {WHOLE}),
    in_directory.lock_forbidden: ({FORBIDDEN}, {WHOLE}),
    in_directory.directory_forbidden: ({FORBIDDEN}, {NO_RIGHT}),
    in_directory.directory_read_only: ({FORBIDDEN}, {WHOLE}),
}

_SHARES: Final = 16
"""A round puts one in so many kinds before the real commands; and one in so many damages before all of the code."""


def _trials(whole: Specimen, rng: Random) -> Iterator[list[Trial]]:
    """Give all damages of each kind. A short segment has none of some kinds."""
    for in_segment, (start, verify, verify_older) in SEGMENT.items():
        name = in_segment.__name__
        yield [Trial(name, damage, start, verify) for damage in in_segment(whole.files[-1], rng)]
        yield [Trial(f"older: {name}", damage, {AT_END}, verify_older) for damage in in_segment(whole.files[1], rng)]
    ring = (whole.directory / RING_NAME).read_bytes()
    for kind, (start, verify) in RING.items():
        yield [Trial(f"ring: {kind.__name__}", damage, start, verify) for damage in kind(ring, whole.end, rng)]
    for in_whole, (start, verify) in DIRECTORY.items():
        yield [Trial(in_whole.__name__, damage, start, verify) for damage in in_whole(whole, rng)]


def run(bench: Bench) -> int:
    """Do all damages of bytes to a journal, and one of some kinds for the real commands to meet."""
    if os.geteuid() != 0:
        lacking = "root, to see what a directory is like that may not be read"
        raise Unsupported(lacking)
    whole = specimen(bench)
    kinds = list(_trials(whole, bench.rng))
    on_trial = bench.directory / "on_trial"
    shutil.copytree(whole.directory, on_trial)
    on_bytes = [trial for kind in kinds for trial in kind if trial.damage.is_of_bytes]
    with bench.in_process():
        for number, trial in enumerate(on_bytes):
            judge_in_process(whole, on_trial, trial, is_thorough=number % _SHARES == bench.index % _SHARES)
    sample = [bench.rng.choice(kind) for kind in kinds[bench.index % _SHARES :: _SHARES] if kind]
    for trial in sample:
        judge_for_real(bench, whole, trial)
    return len(on_bytes) + len(sample)


ATTACK: Final = Attack(
    "journal damaged",
    run,
    rounds=_SHARES,  # Then each damage of bytes was before all of the code, and each kind before the real commands.
    rounds_short=1,
    sabotage="skip-checksum",
    noticed="and not as it should|a start does not name",
)
