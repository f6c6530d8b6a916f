"""The whole service, as a separate process: what it answered is there after any end."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from pexservice.fibonacci import Pair
from support.service import Service, serving


def test_a_killed_service_loses_no_answered_step(tmp_path: Path) -> None:
    """After SIGKILL under load the sequence lies between the highest answered and the highest sent."""
    answered = sent = 0

    def load(service: Service, sequences: list[int], asked: list[int]) -> None:
        connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
        try:
            while True:
                asked.append(1)
                connection.request("POST", "/next")
                answer = connection.getresponse()
                answer.read()
                sequences.append(int(answer.headers["Pex-Sequence"]))
        except (OSError, HTTPException):
            return

    for _ in range(4):
        with serving(tmp_path) as service:
            _, sequence, value = service.ask("/current")
            assert answered <= sequence <= sent
            assert value == str(Pair.at(sequence).value)
            answered = sent = sequence
            sequences: list[int] = []
            asked: list[int] = []
            threads = [threading.Thread(target=load, args=(service, sequences, asked)) for _ in range(8)]
            for thread in threads:
                thread.start()
            while len(sequences) < 200:
                threads[0].join(0.01)
            service.end(signal.SIGKILL)
            for thread in threads:
                thread.join()
            answered = max(answered, *sequences)
            sent += len(asked)


def test_a_stop_on_request_ends_with_status_0(tmp_path: Path) -> None:
    """SIGTERM drains and ends with 0, and the next start goes on from there."""
    with serving(tmp_path) as service:
        assert service.ask("/next")[1:] == (1, "1")
        assert service.end(signal.SIGTERM) == 0
    with serving(tmp_path) as service:
        assert service.ask("/next")[1:] == (2, "1")


def test_the_walk_of_the_original_is_taken_over(tmp_path: Path) -> None:
    """A data directory with a fibo.csv goes on where the original stopped."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144")
    with serving(tmp_path) as service:
        assert service.ask("/current") == (200, 58, "89")
        assert service.ask("/next") == (200, 59, "144")


def test_any_flipped_bit_of_a_row_stops_the_start(tmp_path: Path) -> None:
    """Damage ends the start with 65 and a message that names file and line, and changes nothing."""
    with serving(tmp_path) as service:
        for _ in range(3):
            service.ask("/next")
        service.end(signal.SIGTERM)
    (segment,) = tmp_path.glob("journal-*.csv")
    data = bytearray(segment.read_bytes())
    data[data.index(b"2,2,1n")] ^= 1
    segment.write_bytes(data)
    with serving(tmp_path) as service:
        assert service.process.wait(30) == 65
        assert f"{segment.name} is damaged at line 4, byte offset 126" in "".join(service.log)
    assert segment.read_bytes() == data
    verified = subprocess.run(
        [sys.executable, "-m", "pexservice", "journal", "verify", "--data-dir", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 65


def test_a_full_disk_refuses_steps_and_answers_reads(tmp_path: Path) -> None:
    """At the file size limit steps get 503, reads 200, and nothing answered is lost."""
    command = [sys.executable, "-m", "pexservice", "serve", "--port", "0", "--data-dir", str(tmp_path)]
    shell = 'ulimit -f 2; exec "$0" "$@"'  # Two blocks of 1,024 bytes.
    process = subprocess.Popen(["bash", "-c", shell, *command], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    port = next(int(told[1]) for line in process.stderr if (told := re.search(r"127\.0\.0\.1:(\d+)", line)))
    try:
        answers = []
        for _ in range(100):
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("POST", "/next")
            answer = connection.getresponse()
            answer.read()
            answers.append(answer)
            connection.close()
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert all(answer.headers["Retry-After"] for answer in refused)
        taken = max(int(answer.headers["Pex-Sequence"]) for answer in answers if answer.status == 200)
    finally:
        process.kill()
        process.communicate()
    with serving(tmp_path) as service:
        assert service.ask("/current")[1] == taken


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a file system")
def test_steps_resume_when_space_returns(tmp_path: Path) -> None:
    """On a full 1 MiB file system steps get 503; once space is freed they are taken again."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        ballast = tmp_path / "ballast"
        with serving(tmp_path / "data") as service:
            ballast.write_bytes(bytes(1000 * 1024))
            statuses = [200]
            while statuses[-1] == 200 and len(statuses) < 20_000:  # The pages at hand take some rows yet.
                statuses.append(service.ask("/reset", "POST")[0])
            assert statuses[-1] == 503
            assert service.ask("/readyz")[0] == 503
            status, sequence, _ = service.ask("/current")
            assert (status, sequence) == (200, len(statuses) - 2)
            ballast.unlink()
            while service.ask("/readyz")[0] != 200:
                pass
            assert service.ask("/next", "POST")[:2] == (200, sequence + 1)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_second_service_is_turned_away(tmp_path: Path) -> None:
    """A directory has one owner; the second ends with 75 and a message that says what to do."""
    with serving(tmp_path) as service, serving(tmp_path) as second:
        assert second.process.wait(30) == 75
        assert "--data-dir" in "".join(second.log)
        assert service.ask("/next")[0] == 200


def test_a_stop_under_load_answers_every_pipelined_step(tmp_path: Path) -> None:
    """SIGTERM answers every step that a connection had sent, and the sequence is what was answered."""
    step = b"POST /next HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(tmp_path) as service:
        clients = [socket.create_connection(("127.0.0.1", service.port), timeout=30) for _ in range(8)]
        for client in clients:
            client.sendall(step * 200)
        for client in clients:
            client.recv(1, socket.MSG_PEEK)  # It is accepted, not only in the kernel's backlog.
        assert service.end(signal.SIGTERM) == 0
        answered = 0
        for client in clients:
            received = b""
            while piece := client.recv(65536):
                received += piece
            client.close()
            assert received.count(b"HTTP/1.1 200 OK") == 200
            answered += 200
    with serving(tmp_path) as service:
        assert service.ask("/current")[1] == answered


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; make test-deps brings it")
def test_each_group_is_synced_once_and_before_its_answers(tmp_path: Path) -> None:
    """The system calls of each group are: write its row, sync once, learn of success, and only then answer."""
    trace = tmp_path / "trace"
    strace = [
        "strace",
        "-D",
        "-f",
        "-o",
        str(trace),
        "-e",
        "trace=io_submit,io_getevents,fdatasync,write,writev,sendmsg",
    ]
    with serving(tmp_path / "data", prefix=strace) as service:
        for _ in range(20):
            assert service.ask("/next", "POST")[0] == 200
        service.end(signal.SIGTERM)
    kinds = {
        r'write\(\d+, "\d+,\d+,\d+n,': "row",
        r"IOCB_CMD_FDSYNC": "sync",
        r"fdatasync\(": "sync",
        r"io_getevents\(.*res=0": "done",
        r"fdatasync.*= 0": "done",
        r'"HTTP/1\.1 200': "answer",
    }
    calls = [kind for line in trace.read_text().splitlines() for form, kind in kinds.items() if re.search(form, line)]
    first = calls.index("row")
    assert calls[first : first + 80] == ["row", "sync", "done", "answer"] * 20
