"""The example of a client that retries: `examples/retry.py`."""

import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from support.process import serving

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def example() -> list[str]:
    pytest.importorskip("httpx")
    return [sys.executable, str(CHECKOUT / "examples" / "retry.py")]


def test_the_example_steps_once_over_a_kill(tmp_path: Path, example: list[str]) -> None:
    """It is started while nothing listens, and ends with the answer once something does."""
    with serving(tmp_path) as service:
        where = f"http://127.0.0.1:{service.port}"
        port = service.port
        done = subprocess.run(
            [*example, f"{where}/next", "a-key"], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
        service.stop(signal.SIGKILL)
    waiting = subprocess.Popen([*example, f"{where}/next", "a-key"], stdout=subprocess.PIPE, text=True)
    with serving(tmp_path, "--port", str(port)) as service, service.connect() as client:
        assert waiting.communicate(timeout=30)[0] == "1\n"
        assert client.ask("GET", "/current").sequence == 1


def test_the_example_waits_for_as_long_as_it_is_told(example: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In seconds; a date, as a proxy may send, is no reason to end. Behind the last attempt there is no wait."""
    import httpx  # noqa: PLC0415 - the fixture looks for it.

    loading = spec_from_file_location("retry", example[1])
    assert loading is not None
    assert loading.loader is not None
    retry = module_from_spec(loading)
    loading.loader.exec_module(retry)
    waits = iter(["7", "Fri, 27 Nov 2026 00:00:00 GMT", "-1"])
    slept: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", slept.append)
    monkeypatch.setattr(retry, "ATTEMPTS", 3)
    answer = httpx.MockTransport(lambda _: httpx.Response(503, headers={"Retry-After": next(waits)}))
    with (
        httpx.Client(transport=answer) as client,
        pytest.raises(httpx.TransportError, match="with the key k"),
    ):
        retry.step(client, "http://localhost/next", "k")
    assert [slept[0] >= 7, len(slept)] == [True, 2]
