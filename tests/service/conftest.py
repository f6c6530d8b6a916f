"""A real service for the tests of a module, and a connection to it for each test."""

from collections.abc import Iterator

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
