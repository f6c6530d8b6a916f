"""The command line in this process, whatever its environment holds."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_variables_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PEXSERVICE_"):
            monkeypatch.delenv(name)
