"""Check every rule in a booted systemd, and print what was seen."""
# ruff: noqa: T201 - it is there to print.

import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Final

from support.strict import skips_fail
from system.machine.booted import booted
from system.machine.installed import Installed
from system.machine.rules import RULES

_DIRECTORY: Final = Path(__file__).parents[3] / ".machine"


def main() -> int:
    """Return the exit status: 1 if a rule is broken."""
    missing = [tool for tool in ("debootstrap", "unshare", "nsenter", "git") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        print("skipped: a machine is booted by root,", f"with {', '.join(missing)}" if missing else "which this is not")
        return int(skips_fail())
    _DIRECTORY.mkdir(exist_ok=True)
    broken = 0
    with booted(_DIRECTORY) as machine:
        service = Installed(machine, _DIRECTORY)
        for rule in RULES:
            began_s = time.monotonic()
            try:
                outcome, seen = "holds", rule(service)
            except Exception as error:  # noqa: BLE001 - the next rules are checked all the same.
                line = traceback.extract_tb(error.__traceback__)[1].lineno
                outcome, seen = "BROKEN", f"line {line}: {type(error).__name__}: {error}"
                broken += 1
            print(
                f"{outcome:6}  {rule.__name__.replace('_', ' '):42} {time.monotonic() - began_s:5.1f} s  {seen}",
                flush=True,
            )
    print(f"{len(RULES) - broken} passed, {broken} failed")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
