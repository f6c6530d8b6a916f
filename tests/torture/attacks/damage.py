"""Damage to the journal: every kind of it, and what the service may make of each.

The judgement is a table. In every case a start ends with an error that names what is wrong, and changes nothing; or it
begins at a place that is right. `journal verify` finds every damage that is not a torn tail. Damages of bytes are
thousands, so they are judged by calling the code; of each kind one is also put before the real commands.
"""

import os
import shutil
from collections.abc import Iterator
from random import Random
from typing import Final

from torture.attack import Attack, Bench, Unsupported
from torture.attacks import damage_bytes as in_bytes
from torture.attacks import damage_directory as in_directory
from torture.attacks.damage_judge import Start, Trial, Verify, judge_for_real, judge_in_process
from torture.attacks.specimen import Specimen, specimen

DAMAGED, CANNOT_CREATE, CANNOT_READ, FORBIDDEN, AT_END, AT_KEPT, AT_CLAIMED = Start
WHOLE, BROKEN, GAP, NO_FILE, NO_RIGHT = Verify

# A kind of damage to one segment: how a start ends if it is the newest (it does not read an older one), what verify
# says then, and what verify says if it is an older one.
SEGMENT: Final = {
    # What no torn write does.
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
    # What a torn write leaves behind, and what cannot be told from it.
    in_bytes.cut: ({AT_KEPT}, {WHOLE}, {GAP}),
    in_bytes.cut_with_nuls: ({AT_KEPT}, {WHOLE}, {GAP}),
    in_bytes.last_row_removed: ({AT_KEPT}, {WHOLE}, {GAP}),
    in_bytes.last_row_nulled: ({AT_KEPT}, {WHOLE}, {GAP}),
    in_bytes.trailing_nuls: ({AT_END}, {WHOLE}, {WHOLE}),
    in_bytes.trailing_garbage: ({AT_END, DAMAGED}, {WHOLE, BROKEN}, {WHOLE, BROKEN}),
}

# A kind of damage to the directory: how a start ends, and what verify says.
DIRECTORY: Final = {
    in_directory.oldest_missing: ({AT_END}, {WHOLE}),
    in_directory.middle_missing: ({AT_END}, {BROKEN}),
    in_directory.newest_missing: ({AT_KEPT}, {WHOLE}),
    in_directory.unopened: ({DAMAGED}, {BROKEN}),
    in_directory.misnamed: ({DAMAGED}, {BROKEN}),
    # A start reads the newest segment alone, however much history there is; verify reads all.
    in_directory.another_walk: ({DAMAGED, AT_CLAIMED}, {BROKEN}),
    in_directory.overlap: ({DAMAGED, AT_CLAIMED}, {BROKEN}),
    in_directory.older_overlap: ({AT_END}, {BROKEN}),
    in_directory.left_over: ({AT_END}, {WHOLE}),
    in_directory.new_is_directory: ({CANNOT_READ}, {WHOLE}),
    in_directory.torn_is_directory: ({AT_KEPT}, {WHOLE}),
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
    for in_whole, (start, verify) in DIRECTORY.items():
        yield [Trial(in_whole.__name__, damage, start, verify) for damage in in_whole(whole, rng)]


def run(bench: Bench) -> int:
    """Do all damages of bytes to a journal, and one of some kinds for the real commands to meet."""
    if os.geteuid() != 0:
        lacking = "root, to see what a directory is like that may not be read"
        raise Unsupported(lacking)
    whole = specimen(bench)
    kinds = list(_trials(whole, bench.rng))
    copy = bench.directory / "copy"
    shutil.copytree(whole.directory, copy)
    on_bytes = [trial for kind in kinds for trial in kind if trial.damage.is_of_bytes]
    with bench.in_process():
        for number, trial in enumerate(on_bytes):
            judge_in_process(whole, copy, trial, is_thorough=number % _SHARES == bench.index % _SHARES)
    sample = [bench.rng.choice(kind) for kind in kinds[bench.index % _SHARES :: _SHARES] if kind]
    for trial in sample:
        judge_for_real(bench, whole, trial)
    return len(on_bytes) + len(sample)


ATTACK: Final = Attack(
    "journal damaged",
    run,
    rounds=64,
    rounds_short=1,
    sabotage="skip-checksum",
    noticed="and not as it should|a start does not name",
)
