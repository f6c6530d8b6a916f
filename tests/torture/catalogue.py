"""All attacks, in the order of the table."""

from typing import Final

from torture.attack import Attack
from torture.attacks import (
    clock,
    damage,
    device_errors,
    full_disk,
    kill,
    malformed,
    malformed_fuzz,
    malformed_journal,
    malformed_schema,
    malformed_smuggling,
    power_loss_blocks,
    power_loss_files,
    slow_disk,
    stop,
    suspension,
    system_calls,
    two_services,
)

ATTACKS: Final[list[Attack]] = [
    kill.ATTACK,
    system_calls.ATTACK,
    power_loss_files.ATTACK,
    power_loss_blocks.ATTACK,
    damage.ATTACK,
    device_errors.EIO,
    device_errors.READ_ONLY,
    device_errors.REMOVED,
    full_disk.LIMITED,
    full_disk.SMALL,
    slow_disk.ATTACK,
    suspension.ATTACK,
    clock.ATTACK,
    stop.ATTACK,
    two_services.ATTACK,
    malformed.ATTACK,
    malformed_smuggling.ATTACK,
    malformed_fuzz.ATTACK,
    malformed_journal.ATTACK,
    malformed_schema.ATTACK,
]
