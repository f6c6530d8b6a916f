"""Clients and disks whose faults make alerts fire."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from pexservice.limits import MIB
from support.process import Service
from torture.attack import Unsupported

ROOMY_BYTES: Final = 640 * MIB
"""A file system on which PexDiskSpaceLow keeps quiet. Most of it is never touched, and takes no memory."""


@contextmanager
def stepping(service: Service, count: int) -> Iterator[None]:
    """Have clients step, each again as soon as it is answered, until the end of the block."""
    is_over = threading.Event()

    def client() -> None:
        with suppress(OSError), service.connect() as connected:
            while not is_over.is_set():
                connected.ask("POST", "/next")

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def step(service: Service) -> int:
    """Ask for a step on a connection of its own, and return the status of the answer."""
    with service.connect() as client:
        return client.ask("POST", "/next").status


@contextmanager
def or_skipped() -> Iterator[None]:
    """Skip the test if this machine cannot do what the block does."""
    try:
        yield
    except Unsupported as error:
        pytest.skip(str(error))


def used_bytes(path: Path) -> int:
    """Return how much of a file system is used."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
