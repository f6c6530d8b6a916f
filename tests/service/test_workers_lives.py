"""Processes of a service that are killed, suspended and stopped: what becomes of the others."""

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pexservice.core.judging import Place
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from support.activation import activated
from support.client import Client
from support.crew import await_end, metrics, nursery, shares, suspend, workers
from support.process import serving, wait_until
from torture.load import Load, place_of

WORKERS: Final = ("--workers", "3")


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """Its clients are cut off and everyone else is served; what was answered stays, and counts do not fall."""
    with serving(tmp_path, *WORKERS) as service:
        with Load(service, Random(1), clients=9) as load:
            for _ in range(3):
                load.wait(len(load.history) // 2 + 200)
                before = metrics(service)
                victim = workers(service)[0]
                os.kill(victim, signal.SIGKILL)
                await_end(victim)
                wait_until(lambda: len(workers(service)) == 3)
                after = metrics(service)
                falls = [name for name in before if "_total" in name and after[name] < before[name]]
                assert not falls
        check(load.history, Place(0, 0), place_of(service))
        assert service.logged("a worker ended and is replaced")["status"] == -signal.SIGKILL
        assert metrics(service)["pex_workers_replaced_total"] == 3
        assert service.stop() == 0


def test_a_writer_that_dies_ends_all(tmp_path: Path) -> None:
    """No worker outlives it, and the next service has all that was answered, at once."""
    place, history = Place(0, 0), list[Operation]()
    for seed in range(3):
        with serving(tmp_path, *WORKERS) as service:
            recovered = place_of(service)
            check(history, place, recovered)
            place = recovered
            pids = [nursery(service), *workers(service)]
            with Load(service, Random(seed), clients=6) as load:
                load.wait(200)
                service.stop(signal.SIGKILL)
            history = load.history
        await_end(*pids)


def test_a_writer_that_hangs_is_told_of(tmp_path: Path) -> None:
    """Who balances sends steps elsewhere, and a new one is turned away; reads go on, and so does all once it does."""
    with serving(tmp_path, *WORKERS) as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 1
        suspend(service.pid)
        try:
            wait_until(lambda: client.ask("GET", "/readyz").status == 503)
            refused = client.ask("POST", "/next")
            assert (refused.status, b"writer-silent" in refused.body) == (503, True)
            assert client.ask("GET", "/current").sequence == 1
        finally:
            service.send_signal(signal.SIGCONT)
        wait_until(lambda: client.ask("GET", "/readyz").status == 200)
        assert client.ask("POST", "/next").sequence == 2


def test_the_end_of_the_nursery_is_the_end(tmp_path: Path) -> None:
    """Without it no worker could be replaced. It says so, and what was answered is there."""
    with serving(tmp_path, *WORKERS) as service:
        with service.connect() as client:
            client.ask("POST", "/next")
        pids = workers(service)
        os.kill(nursery(service), signal.SIGKILL)
        assert service.wait() == 71
        await_end(*pids)
    with serving(tmp_path, *WORKERS) as service:
        assert service.sequence() == 1


@pytest.mark.parametrize("is_to_all", [False, True])
def test_a_stop_answers_what_was_accepted(tmp_path: Path, is_to_all: bool) -> None:  # noqa: FBT001
    """Told to the one process, or to all at once as systemd and a terminal do; once, that is a stop in order."""
    with serving(tmp_path, *WORKERS) as service:
        place = place_of(service)
        pids = [nursery(service), *workers(service)]
        with Load(service, Random(1), clients=9) as load:
            load.wait(300)
            if is_to_all:
                os.killpg(service.pid, signal.SIGTERM)
            else:
                service.send_signal(signal.SIGTERM)
            assert service.wait() == 0
        load_ended = [each for each in load.history if each.is_unknown]
        await_end(*pids)
        assert service.logged("stopped")
    with serving(tmp_path) as service:
        check(load.history, place, place_of(service))
        assert len(load_ended) <= 9 * 5


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    """Even while a client is in the middle of a request."""
    with serving(tmp_path, *WORKERS) as service, service.connect() as client:
        client.send(b"GET /current HTTP/1.1\r\n")
        pids = [nursery(service), *workers(service)]
        service.send_signal(signal.SIGTERM)
        service.logged("draining")
        service.send_signal(signal.SIGTERM)
        assert service.wait() == -signal.SIGTERM
        await_end(*pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_worker_told_to_stop_ends_in_order_and_is_replaced(tmp_path: Path, number: int) -> None:
    """By a person, and it alone, by any of the signals that stop a service."""
    with serving(tmp_path, *WORKERS) as service:
        victim = workers(service)[1]
        os.kill(victim, number)
        await_end(victim)
        wait_until(lambda: len(workers(service)) == 3)
        assert service.logged("a worker ended and is replaced")["status"] == 0
        assert service.sequence() == 0


def test_a_suspended_worker_holds_up_nobody_else(tmp_path: Path) -> None:
    """Others are served meanwhile, and it is replaced."""
    with serving(tmp_path, *WORKERS) as service:
        victim = workers(service)[0]
        suspend(victim)
        for _ in range(30):
            began_s = time.monotonic()
            with service.connect() as client:
                client.ask("POST", "/next")
            assert time.monotonic() - began_s < 1
        await_end(victim)
        assert service.logged("a worker is silent and is ended")["pid"] == victim
        wait_until(lambda: len(workers(service)) == 3)
        assert service.sequence() == 30


def test_a_worker_that_does_not_end_in_time_lets_the_service_end_with_74(tmp_path: Path) -> None:
    """It is killed, and what it accepted was not answered: 0 would say that all was."""
    with serving(tmp_path, *WORKERS, "--drain-timeout", "100ms") as service:
        pids = workers(service)
        suspend(pids[0])
        service.send_signal(signal.SIGTERM)
        assert service.wait() == 74, service.log
        assert service.logged("a worker did not end in time")["worker"] == 0
        assert "1 workers had not answered" in service.logged("cannot go on")["error"]
        await_end(*pids)


def test_a_socket_that_was_passed_refuses_nobody_over_a_restart(tmp_path: Path) -> None:
    """It is served by all workers, and outlives them: whoever comes meanwhile is served by who comes next."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        for _ in range(2):
            with activated(tmp_path, listener, *WORKERS) as service:
                for _ in range(6):
                    with Client(listener.getsockname()) as client:
                        client.ask("POST", "/next")
                service.stop()
        with Client(listener.getsockname()) as early, activated(tmp_path, listener, *WORKERS):
            assert early.ask("GET", "/current").sequence == 12


def test_a_worker_without_connections_takes_some_when_others_have_all(tmp_path: Path) -> None:
    """As one that was replaced: whoever comes to it is served, and those that have more close idle ones for it."""
    with serving(tmp_path, "--max-connections", "12", *WORKERS) as service, ExitStack() as stack:
        first, *others = workers(service)
        for pid in others:
            suspend(pid)
        clients = [stack.enter_context(service.connect()) for _ in range(12)]
        for client in clients:
            client.ask("GET", "/current")
        for pid in others:
            os.kill(pid, signal.SIGCONT)
        suspend(first)
        for _ in range(3):
            assert stack.enter_context(service.connect()).ask("POST", "/next").status == 200
        os.kill(first, signal.SIGCONT)
        wait_until(lambda: sum(shares(service)) <= 12)
        assert metrics(service)["pex_connections_evicted_total"] >= 3
