"""A real service for the tests of a module, and a connection to it for each test; and one that is busy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Client
from support.process import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with service.connect() as connected:
        yield connected


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the directory of a running service, of whose seven groups the last two are in the ring only."""
    data = tmp_path_factory.mktemp("busy")
    for count, is_stopped in ((5, True), (2, False)):
        with serving(data) as service, service.connect() as client:
            for _ in range(count):
                assert client.ask("POST", "/next").status == 200
            if is_stopped:
                service.stop()
            else:
                yield data
