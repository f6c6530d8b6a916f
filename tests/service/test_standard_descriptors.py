"""Standard descriptors that are closed when a command starts."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.process import HANG_S, command, environment, run, serving
from support.unheard import answering

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


def closing(closed: str, *arguments: str) -> list[str]:
    """Return a command that runs pexservice with descriptors closed."""
    return ["bash", "-c", f'exec "$@" {closed}', "bash", *command("pexservice", *arguments)]


@pytest.mark.parametrize("closed", CLOSED)
def test_a_service_starts_serves_and_stops(tmp_path: Path, closed: str) -> None:
    """What it opens is never taken for standard output or error, and a stop ends with 0."""
    with answering(tmp_path, program=closing(closed)) as (process, client):
        assert client.ask("POST", "/next").sequence == 1
        opened = {fd: Path(f"/proc/{process.pid}/fd/{fd}").readlink() for fd in range(3)}
        for fd, sign in enumerate(("<&-", " >&-", "2>&-")):
            if sign in f" {closed}":
                assert opened[fd] == Path("/dev/null")
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


@pytest.mark.parametrize("closed", CLOSED)
def test_the_exit_status_is_right(tmp_path: Path, closed: str) -> None:
    """Of wrong usage, of an address that is taken, and of a command with nothing to complain of."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = [(["serve", "--port", "x"], 2), (["serve", "--port", port], 69), (["version"], 0)]
        for arguments, status in cases:
            ended = subprocess.run(
                closing(closed, *arguments), cwd=tmp_path, env=environment(), timeout=HANG_S, check=False
            )
            assert ended.returncode == status, arguments


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("name", ["export", "show", "verify"])
def test_the_journal_is_read(tmp_path: Path, closed: str, name: str) -> None:
    """Into nothing, but without a traceback, and with the status of what was read."""
    with serving(tmp_path) as service, service.connect() as client:
        assert client.ask("POST", "/next").status == 200
    program = closing(closed, "journal", name, "--data-dir", str(tmp_path))
    ended = subprocess.run(program, env=environment(), capture_output=True, text=True, timeout=HANG_S, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert bool(ended.stdout) == (" >&-" not in f" {closed}")
    assert run("journal", "verify", "--data-dir", str(tmp_path)).returncode == 0
