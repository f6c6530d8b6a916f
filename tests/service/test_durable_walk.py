"""The whole service, as a separate process: what it answered is there after any end."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pexservice.walk.fibonacci import Pair
from support.client import Answer
from support.messages import NEXT
from support.process import Service, run, serving, wait_until


def ask(service: Service, method: str, path: str) -> Answer:
    """Ask on a connection of its own."""
    with service.connect() as client:
        return client.ask(method, path)


def test_a_killed_service_loses_no_answered_step(tmp_path: Path) -> None:
    """After SIGKILL under load the sequence lies between the highest answered and the highest sent."""
    answered = sent = 0

    def load(service: Service, sequences: list[int], asked: list[int]) -> None:
        try:
            with service.connect() as client:
                while True:
                    asked.append(1)
                    sequences.append(client.ask("POST", "/next").sequence)
        except OSError:
            return

    for _ in range(4):
        with serving(tmp_path) as service:
            recovered = ask(service, "GET", "/current")
            assert answered <= recovered.sequence <= sent
            assert recovered.position == recovered.sequence
            assert recovered.body.decode() == f"{Pair.at(recovered.position).value}\n"
            answered = sent = recovered.sequence
            sequences: list[int] = []
            asked: list[int] = []
            threads = [threading.Thread(target=load, args=(service, sequences, asked)) for _ in range(8)]
            for thread in threads:
                thread.start()
            wait_until(lambda seen=sequences: len(seen) >= 200)  # type: ignore[misc]
            assert service.stop(signal.SIGKILL) == -signal.SIGKILL
            for thread in threads:
                thread.join()
            assert len(set(sequences)) == len(sequences)
            answered = max(answered, *sequences)
            sent += len(asked)


def test_a_stop_on_request_ends_with_status_0(tmp_path: Path) -> None:
    """SIGTERM drains and ends with 0, and the next start goes on from there."""
    for sequence in (1, 2):
        with serving(tmp_path) as service:
            answer = ask(service, "GET", "/next")
            assert (answer.sequence, answer.position, answer.body) == (sequence, sequence, b"1\n")
            assert service.stop() == 0


def test_the_walk_of_the_original_is_taken_over(tmp_path: Path) -> None:
    """A data directory with a fibo.csv goes on where the original stopped."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144")
    with serving(tmp_path) as service:
        for method, path, sequence, value in [("GET", "/current", 58, b"89\n"), ("GET", "/next", 59, b"144\n")]:
            answer = ask(service, method, path)
            assert (answer.status, answer.sequence, answer.body) == (200, sequence, value)


def test_any_flipped_bit_of_a_row_stops_the_start(tmp_path: Path) -> None:
    """Damage ends the start with 65 and a message that names file and line, and changes nothing."""
    with serving(tmp_path) as service:
        for _ in range(3):
            assert ask(service, "GET", "/next").status == 200
        assert service.stop() == 0
    (segment,) = tmp_path.glob("journal-*.csv")
    data = bytearray(segment.read_bytes())
    data[data.index(b"2,2,1n")] ^= 1
    segment.write_bytes(data)
    with serving(tmp_path) as service:
        assert service.wait() == 65
        assert f"{segment.name} is damaged at line 4, byte offset 143" in service.log
    assert list(tmp_path.glob("journal-*")) == [segment]
    assert segment.read_bytes() == data
    verified = run("journal", "verify", "--data-dir", str(tmp_path))
    assert verified.returncode == 65
    assert f"{segment.name} is damaged at line 4, byte offset 143" in verified.stderr


def test_a_full_disk_refuses_steps_and_answers_reads(tmp_path: Path) -> None:
    """At the file size limit steps get 503, reads 200, and nothing answered is lost."""
    limited = ["bash", "-c", 'ulimit -f 70; exec "$0" "$@"']  # 70 KiB: a ring of 16 lines, and a segment.
    with serving(tmp_path, wrapper=limited) as service, service.connect() as client:
        answers = [client.ask("POST", "/next") for _ in range(2000)]
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert all(answer["retry-after"] for answer in refused)
        taken = [answer.sequence for answer in answers if answer.status == 200]
        assert len(taken) + len(refused) == 2000
        assert taken == list(range(1, len(taken) + 1))
        read = ask(service, "GET", "/current")
        assert (read.status, read.sequence) == (200, taken[-1])
    with serving(tmp_path) as service:
        assert ask(service, "GET", "/current").sequence == taken[-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a file system")
def test_steps_resume_when_space_returns(tmp_path: Path) -> None:
    """On a full 1 MiB file system steps get 503; once space is freed they are taken again."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        ballast = tmp_path / "ballast"
        with serving(tmp_path / "data") as service, service.connect() as client:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            statuses = [200]
            while statuses[-1] == 200 and len(statuses) < 20_000:  # The pages at hand take some rows yet.
                statuses.append(client.ask("POST", "/reset").status)
            assert statuses[-1] == 503
            assert client.ask("GET", "/readyz").status == 503
            read = client.ask("GET", "/current")
            assert (read.status, read.sequence) == (200, len(statuses) - 2)
            ballast.unlink()
            wait_until(lambda: client.ask("GET", "/readyz").status == 200)
            step = client.ask("POST", "/next")
            assert (step.status, step.sequence) == (200, read.sequence + 1)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_second_service_is_turned_away(tmp_path: Path) -> None:
    """A directory has one owner; the second ends with 75 and a message that says what to do."""
    with serving(tmp_path) as service, serving(tmp_path) as second:
        assert second.wait() == 75
        assert f"another process (pid {service.pid}) owns the data directory" in second.log
        assert "--data-dir" in second.log
        assert ask(service, "GET", "/next").status == 200


def test_a_stop_under_load_answers_every_pipelined_step(tmp_path: Path) -> None:
    """SIGTERM answers every step that a connection had sent, and the sequence is what was answered."""
    with serving(tmp_path) as service:
        clients = [service.connect() for _ in range(8)]
        for client in clients:
            client.send(NEXT * 200)
        for client in clients:
            client.socket.recv(1, socket.MSG_PEEK)  # It is accepted, not only in the kernel's backlog.
        assert service.stop() == 0
        sequences = []
        for client in clients:
            answers = client.read_all()
            client.close()
            assert [answer.status for answer in answers] == [200] * 200
            sequences += [answer.sequence for answer in answers]
        assert sorted(sequences) == list(range(1, 1601))
    with serving(tmp_path) as service:
        assert ask(service, "GET", "/current").sequence == 1600


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; make test-deps brings it")
def test_each_group_is_durable_before_its_answers(tmp_path: Path) -> None:
    """The system calls of each group are: write its line to a file whose writes are durable, and only then answer."""
    trace = tmp_path / "trace"
    calls_traced = "trace=openat,pwrite64,sendto"
    strace = ["strace", "-D", "-f", "-o", str(trace), "-e", calls_traced]
    with serving(tmp_path / "data", wrapper=strace) as service:
        for _ in range(20):
            assert ask(service, "POST", "/next").status == 200
        assert service.stop() == 0
    kinds = {
        r'pwrite64\(\d+, "\d+,\d+,1,': "line",
        r'pwrite64\(\d+, "\d+,\d+,1,.* = \d+$': "done",
        r"pwrite64 resumed.* = \d+$": "done",
        r'"HTTP/1\.1 200': "answer",
    }
    lines = trace.read_text().splitlines()
    opened = {int(found[1]) for line in lines if (found := re.search(r'"ring\.csv.*O_RDWR\|O_DSYNC.* = (\d+)$', line))}
    written_to = {int(found[1]) for line in lines if (found := re.search(r'pwrite64\((\d+), "\d+,\d+,1,', line))}
    assert written_to
    assert written_to <= opened
    calls = [kind for line in lines for form, kind in kinds.items() if re.search(form, line)]
    first = calls.index("line")
    assert calls[first : first + 60] == ["line", "done", "answer"] * 20


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed; make test-deps brings it")
def test_the_names_of_the_data_directory_are_durable(tmp_path: Path) -> None:
    """A start syncs the directories above its own, new or not: one that was killed may have made them in vain."""
    data_dir = tmp_path / "a" / "b"
    for _ in range(2):
        trace = tmp_path / "trace"
        strace = ["strace", "-D", "-f", "-y", "-o", str(trace), "-e", "trace=fsync"]
        with serving(data_dir, wrapper=strace) as service:
            service.stop()
        synced = re.findall(r"fsync\(\d+<(.*)>\) += 0", trace.read_text())
        assert {str(tmp_path / "a"), str(tmp_path)} <= set(synced)


def test_a_file_of_the_original_that_comes_too_late_is_told_of(tmp_path: Path) -> None:
    """It is not read beside a journal, so a start warns; one that was taken over is no matter of a later start."""
    event = "a fibo.csv lies beside the journal and is not read"
    with serving(tmp_path / "late"):
        pass
    for name, is_told in (("late", True), ("taken", False), ("taken", False)):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "fibo.csv").write_text("58,11,55,89,144")
        with serving(tmp_path / name) as service:
            assert ask(service, "GET", "/current").sequence == (0 if is_told else 58)
            assert (event in service.log) == is_told
