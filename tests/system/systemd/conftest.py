"""One host for all rules: booted, and the service installed in it, once."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from system.systemd.booted import booted
from system.systemd.installed import Installed

_DIRECTORY: Final = Path(__file__).parents[3] / ".systemd"


@pytest.fixture(scope="session")
def service() -> Iterator[Installed]:
    """Give the service as `make all` installed it. Each rule leaves it running, with its data."""
    missing = [tool for tool in ("debootstrap", "unshare", "nsenter", "git") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"a host is booted by root, with debootstrap, util-linux and git; missing: {missing or 'root'}")
    _DIRECTORY.mkdir(exist_ok=True)
    with booted(_DIRECTORY) as host:
        yield Installed(host, _DIRECTORY)
