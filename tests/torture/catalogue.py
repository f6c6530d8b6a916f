"""All attacks, in the order of the table."""

from typing import Final

from torture.attack import Attack
from torture.attacks import clock, full_disk, kill, stop, suspension, system_calls

ATTACKS: Final[list[Attack]] = [
    kill.ATTACK,
    system_calls.ATTACK,
    full_disk.LIMITED,
    full_disk.SMALL,
    suspension.ATTACK,
    clock.ATTACK,
    stop.ATTACK,
]
