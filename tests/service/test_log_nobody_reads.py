"""A log that nobody reads: standard error is a full pipe, a full stream socket, or a terminal after Ctrl-S."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Client
from support.messages import NEXT
from support.outlets import KINDS, Outlet, unread
from support.process import HANG_S, command, environment, wait_until
from support.unheard import answering

_LOOP_HANGS = """
import threading
from pexservice.core.engine import Engine
from pexservice.__main__ import main
Engine._cut = lambda self: threading.Event().wait()
main()
"""
_LOOP_SPINS = """
from pexservice.core.engine import Engine
from pexservice.__main__ import main
def spin(self):
    while True:
        pass
Engine._cut = spin
main()
"""


@pytest.fixture(params=KINDS)
def outlet(request: pytest.FixtureRequest) -> Iterator[Outlet]:
    with unread(request.param) as made:
        yield made


def dropped(client: Client) -> int:
    """Return how many lines were dropped."""
    text = client.ask("GET", "/metrics").body.decode()
    found = re.search(r"^pex_log_lines_dropped_total (\S+)$", text, re.MULTILINE)
    assert found
    return int(float(found[1]))


def test_nothing_waits_for_it(tmp_path: Path, outlet: Outlet) -> None:
    """It starts, takes steps, is alive, counts the lines that are lost, and a stop ends with 0."""
    with answering(tmp_path, stderr=outlet.fd) as (process, client):
        assert client.ask("POST", "/next").sequence == 1
        assert client.ask("GET", "/livez").status == 200
        wait_until(lambda: dropped(client) > 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0


def test_when_there_is_room_again_one_line_tells_how_many_were_dropped(tmp_path: Path, outlet: Outlet) -> None:
    """It follows the first line that is written, and counts all that were not."""
    with answering(tmp_path, "--log-format", "json", stderr=outlet.fd) as (process, client):
        wait_until(lambda: dropped(client) > 1)  # `recovered` and what follows.
        count = dropped(client)
        outlet.begin_to_read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0
        text = outlet.text()
    assert '"draining"' in text
    told = re.findall(r'"lines": (\d+), "event": "log lines were dropped', text)
    assert sum(map(int, told)) >= count


def test_a_second_signal_ends_it_at_once(tmp_path: Path, outlet: Outlet) -> None:
    """Also while a drain waits for a client, by the signal's own action."""
    with answering(tmp_path, "--drain-timeout", "1h", stderr=outlet.fd) as (process, client):
        client.send(NEXT + NEXT[:9])
        assert client.read().status == 200
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == -signal.SIGTERM


@pytest.mark.parametrize("source", [_LOOP_HANGS, _LOOP_SPINS])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_ends_one_whose_event_loop_hangs(tmp_path: Path, source: str, number: int) -> None:
    """It waits for ever, or computes for ever: it need not turn to be ended."""
    with (
        unread("pipe") as outlet,
        answering(tmp_path, program=[sys.executable, "-c", source], stderr=outlet.fd) as (process, client),
    ):
        client.send(NEXT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(number)
        assert process.wait(HANG_S) == -number


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--port", "x"], 2), (["--host", "192.0.2.1"], 69), (["--token-file", "/nonexistent"], 2)],
)
def test_a_start_that_fails_ends_all_the_same(
    tmp_path: Path, outlet: Outlet, arguments: list[str], status: int
) -> None:
    """With its own exit status, if without a word."""
    options = ["serve", "--data-dir", str(tmp_path / "data"), *arguments]
    ended = subprocess.run(
        [*command("pexservice"), *options], env=environment(), stderr=outlet.fd, timeout=HANG_S, check=False
    )
    assert ended.returncode == status
