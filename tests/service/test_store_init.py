"""`pexservice store init` at a server that waits for a standby which is not there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support import postgres
from support.postgres import Server
from support.process import HANG_S, command, environment, wait_until

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


@contextmanager
def waiting() -> Iterator[tuple[Server, subprocess.Popen[str]]]:
    """Run it until it has said what it waits for."""
    with postgres.server(synchronous_standby_names="nobody") as server:
        program = command("pexservice", "store", "init", f"{server.url}/postgres")
        pipe = subprocess.PIPE
        with subprocess.Popen(program, stdout=pipe, stderr=pipe, text=True, env=environment()) as init:
            try:
                assert init.stderr is not None
                assert "waits for a standby that synchronous_standby_names names: nobody" in init.stderr.readline()
                yield server, init
            finally:
                init.kill()


def test_who_waits_for_a_standby_is_told_and_goes_on_once_it_is_there() -> None:
    """After a while, in a line of its own."""
    with waiting() as (server, init):
        standby = Server()
        try:
            standby.make_standby(server, "nobody")
            output, errors = init.communicate(timeout=HANG_S)
        finally:
            standby.remove()
    assert (init.returncode, output.startswith("The schema is made."), errors) == (0, True, "")


@pytest.mark.parametrize("how", ["cancel", "terminate"])
def test_a_wait_that_was_cut_short_is_no_success(how: str) -> None:
    """The schema is there, maybe on one server alone: the server's warning is told."""
    with waiting() as (server, init):
        cut = f"SELECT count(pg_{how}_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: server.ask(cut) == "1")
        output, errors = init.communicate(timeout=HANG_S)
    assert (init.returncode, output) == (69, "")
    assert "the server warned: canceling" in errors
    assert len(errors.splitlines()) == 1
