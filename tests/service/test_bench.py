"""`pexservice bench`: what it checks, and whom it leaves alone."""

import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.process import HANG_S, Service, command, environment, free_port, run, serving, wait_until
from support.stranger import answering

SMALL = ["--requests", "2000", "--connections", "4"]


GIVING_UP = """#!{python}
import os, socket
os.kill({service.pid}, 9)
while True:
    try:
        socket.create_connection(("127.0.0.1", {service.port})).close()
    except ConnectionRefusedError:
        break
    except ConnectionResetError:
        pass
print("Test aborted")
"""
"""A load generator that sees the service end, and ends with it."""


def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


@pytest.mark.parametrize("tool", ["own", "ab"])
def test_the_sequence_advances_by_exactly_the_answers(service: Service, tmp_path: Path, tool: str) -> None:
    """The table says so in the words that people know, and the plots are a file."""
    if tool == "ab" and shutil.which("ab") is None:
        pytest.skip("ab is not installed (make test-deps)")
    plots = tmp_path / "plots.svg"
    begin = service.sequence()
    ended = run("bench", url(service), "--with", tool, *SMALL, "--svg", str(plots))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^Complete requests: +2000$", ended.stdout, re.MULTILINE)
    assert re.search(r"^Requests per second: +[0-9.]+ \[#/sec\] \(mean\)$", ended.stdout, re.MULTILINE)
    assert re.search(r"^ +99% +[0-9.]+ ", ended.stdout, re.MULTILINE)
    went = f"The sequence went from {begin:,} to {begin + 2000:,}, by 2,000: exactly the answers.\n"
    assert ended.stdout.endswith(went)
    assert len(ET.parse(plots).getroot().findall("{*}polyline")) == 2
    assert service.sequence() == begin + 2000


def test_wrk_leaves_at_most_a_request_on_each_connection(service: Service) -> None:
    """It goes by time; what the service counted is between the answers and those."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed (make test-deps)")
    ended = run("bench", url(service), "--with", "wrk", "--connections", "4")
    assert ended.returncode == 0, ended
    assert re.search(r"(exactly the answers|the answers, and \d of at most 4 unanswered)\.\n$", ended.stdout)


def test_without_ab_and_wrk_it_has_clients_of_its_own(service: Service, tmp_path: Path) -> None:
    """And asked for one that is not there, it says which package has it."""
    ended = run("bench", url(service), *SMALL, PATH=str(tmp_path))
    assert ended.returncode == 0
    assert "clients of pexservice bench" in ended.stdout
    missing = run("bench", url(service), "--with", "ab", PATH=str(tmp_path))
    assert missing.returncode == 69
    assert "ab is not installed. Debian and Ubuntu have it in apache2-utils" in missing.stderr


def test_another_client_is_found_out(service: Service) -> None:
    """Its steps are more than the answers: status 1, and a sentence that tells why."""
    stopping = threading.Event()

    def step() -> None:
        with service.connect() as client:
            while not stopping.is_set():
                client.ask("POST", "/next", "Prefer: return=minimal")

    thread = threading.Thread(target=step)
    thread.start()
    try:
        ended = run("bench", url(service), "--with", "own", *SMALL)
    finally:
        stopping.set()
        thread.join(HANG_S)
    assert ended.returncode == 1
    assert re.search(r"[\d,]+ more than were answered\.\nAnother client steps, too", ended.stdout)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["http://192.0.2.1:8081"], 2, "is not this machine's"),
        (["https://127.0.0.1"], 2, "speaks http, and not https"),
        (["ftp://127.0.0.1"], 2, "is not an http URL"),
        (["http://nobody.invalid"], 69, "leads nowhere"),
        (["--requests", "0"], 2, "is not a whole number"),
        (["--connections", "501"], 2, "is not a whole number"),
    ],
)
def test_what_it_does_not_load_is_one_sentence(arguments: list[str], status: int, words: str) -> None:
    """Other machines above all."""
    ended = run("bench", *arguments)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (status, "", 1)
    assert words in ended.stderr


def test_nobody_and_strangers_are_one_sentence() -> None:
    """And get no load."""
    ended = run("bench", f"http://127.0.0.1:{free_port()}")
    assert (ended.returncode, ended.stderr.count("\n")) == (69, 1)
    assert "nothing answers at" in ended.stderr
    for answer in (b"SSH-2.0-OpenSSH_9.2p1\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1\n"):
        with answering(answer) as port:
            ended = run("bench", f"http://127.0.0.1:{port}")
        assert (ended.returncode, ended.stderr.count("\n")) == (69, 1)
        assert "no pexservice" in ended.stderr


def test_a_service_that_wants_tokens_is_not_stepped(tmp_path: Path) -> None:
    """The answers are no steps, so nothing was measured: status 1, and a sentence that says why."""
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdefghijkl\n", "ascii")
    with serving(tmp_path / "data", "--token-file", str(tokens)) as service:
        ended = run("bench", url(service), "--with", "own", *SMALL)
    assert ended.returncode == 1
    assert re.search(r"^Non-2xx responses: +2000$", ended.stdout, re.MULTILINE)
    assert ended.stdout.endswith(
        "no step was taken, of 2,000 that were refused. If steps need a token, bench has none to send.\n"
    )


def test_plots_that_cannot_be_written_are_one_sentence(service: Service, tmp_path: Path) -> None:
    """After the table: the load was not for nothing."""
    ended = run("bench", url(service), "--with", "own", *SMALL, "--svg", str(tmp_path / "none" / "plots.svg"))
    assert (ended.returncode, ended.stderr.count("\n")) == (73, 1)
    assert "exactly the answers" in ended.stdout


@pytest.mark.parametrize("tool", ["own", "ab"])
def test_a_service_that_dies_meanwhile_is_one_sentence(tmp_path: Path, tool: str) -> None:
    """Soon, and not when all the time for the load is up."""
    if tool == "ab" and shutil.which("ab") is None:
        pytest.skip("ab is not installed (make test-deps)")
    with serving(tmp_path / "data") as service:
        program = command("pexservice", "bench", url(service), "--with", tool, "--requests", "200000")
        with subprocess.Popen(
            program, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            wait_until(lambda: service.sequence() > 100)
            service.stop(9)
            assert process.wait(HANG_S / 2) == 69
            assert process.stderr is not None
            said = process.stderr.read()
    assert re.fullmatch(r"pexservice: nothing answers at .*\n", said), said


def test_a_tool_that_notices_first_is_not_what_failed(tmp_path: Path) -> None:
    """It gives up between two looks at the service, and what it prints is not what there is to be told."""
    with serving(tmp_path / "data") as service:
        giving_up = tmp_path / "ab"
        giving_up.write_text(GIVING_UP.format(python=sys.executable, service=service))
        giving_up.chmod(0o755)
        ended = run("bench", url(service), "--with", "ab", *SMALL, PATH=str(tmp_path))
        service.stop(9)
    assert ended.returncode == 69
    assert re.fullmatch(r"pexservice: nothing answers at .*\n", ended.stderr), ended.stderr


@pytest.mark.parametrize("tool", ["own", "ab"])
def test_a_stop_leaves_nothing(service: Service, tmp_path: Path, tool: str) -> None:
    """Neither a load that goes on, nor a directory."""
    if tool == "ab" and shutil.which("ab") is None:
        pytest.skip("ab is not installed (make test-deps)")
    program = command("pexservice", "bench", url(service), "--with", tool, "--requests", "200000")
    begin = service.sequence()
    with subprocess.Popen(
        program, env=environment(TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: service.sequence() > begin + 100)
        process.send_signal(signal.SIGINT)
        assert process.wait(HANG_S) == -signal.SIGINT
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""
    assert not list(tmp_path.iterdir())
    wait_until(lambda: service.sequence() == service.sequence())  # What was under way may still be taken.
