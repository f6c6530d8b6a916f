"""As many connections as descriptors allow."""

import resource
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from pexservice.config import Settings
from pexservice.errors import Scarce
from pexservice.limits import DEFAULT
from pexservice.process.descriptors import fitting

SETTINGS = Settings(limits=replace(DEFAULT, connections_max=1000, reserved_descriptors=32, admin_connections_max=16))


class Kernel:
    """Keeps a limit, as the kernel does for a process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, *, forbids: bool = False) -> None:
        self.limit = soft, hard
        self._forbids = forbids
        monkeypatch.setattr(resource, "getrlimit", lambda _: self.limit)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, _: int, limit: tuple[int, int]) -> None:
        if self._forbids:
            raise ValueError("not allowed to raise maximum limit")
        self.limit = limit


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1032, 1032, 1032),
        (256, 4096, 1032),
        (256, resource.RLIM_INFINITY, 1032),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
        (5000, 9000, 5000),
    ],
)
def test_the_limit_is_raised_as_far_as_is_needed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int
) -> None:
    """No further, and never lowered; then all connections are allowed."""
    kernel = Kernel(monkeypatch, soft, hard)
    assert fitting(SETTINGS) == SETTINGS
    assert kernel.limit == (raised, hard)


@pytest.mark.parametrize("forbids", [False, True])
def test_what_is_not_allowed_is_told_and_done_without(monkeypatch: pytest.MonkeyPatch, forbids: bool) -> None:  # noqa: FBT001
    """Connections are fewer, by those that are reserved; a listener of its own for probes reserves more."""
    Kernel(monkeypatch, 132, 900 if forbids else 132, forbids=forbids)
    with capture_logs() as logs:
        assert fitting(SETTINGS).limits.connections_max == 100
        assert fitting(replace(SETTINGS, admin=("127.0.0.1", 9100))).limits.connections_max == 84
    assert [(entry["wanted"], entry["allowed"]) for entry in logs] == [(1000, 100), (1000, 84)]


def test_a_service_without_any_connection_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many descriptors it has, how many it needs, and where to raise the limit."""
    Kernel(monkeypatch, 32, 32)
    with pytest.raises(Scarce, match=r"may have 32 file descriptors, and needs 32 besides.*ulimit -n"):
        fitting(SETTINGS)
