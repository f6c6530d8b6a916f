"""Transports over real sockets."""

import asyncio
import resource
import socket
from contextlib import ExitStack

import pytest

from pexservice.http.sockets import Poller
from pexservice.limits import DEFAULT
from support.socket_scenes import Told, connected, receive_all, run, until

LONG = bytes(range(256)) * 40_000
"""More than the kernel takes in one go."""


def test_bytes_arrive_and_leave_in_order() -> None:
    """What the client sends is received, and what is written, held or not, arrives in the order of the calls."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            client.send(b"question")
            await until(lambda: told.received == b"question")
            told.transport.hold(b"1")
            told.transport.hold(b"2")
            told.transport.send(b"3")
            told.transport.hold(b"4")
            assert told.transport.unsent_bytes == 1
            await until(lambda: not told.transport.unsent_bytes)
            told.transport.close()
            assert await receive_all(client) == b"1234"
        assert told.events == ["lost"]

    run(scene)


def test_what_the_kernel_does_not_take_waits() -> None:
    """It is told of, taken from the budget, and sent in order; and it is told of when all of it is sent."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            told.transport.send(LONG)
            told.transport.hold(b"behind it")
            told.transport.send(b", and more")
            assert told.events == ["clogged"]
            assert told.transport.is_clogged
            unsent_bytes = told.transport.unsent_bytes
            assert unsent_bytes > DEFAULT.write_buffer_bytes_max
            assert poller.budget.taken_bytes == unsent_bytes
            received = b""
            while len(received) < len(LONG) + len(b"behind it, and more"):
                received += await asyncio.get_running_loop().sock_recv(client, 1 << 16)
            assert received == LONG + b"behind it, and more"
            await until(lambda: told.events == ["clogged", "drained"])
            assert not told.transport.is_clogged
            assert told.transport.unsent_bytes == poller.budget.taken_bytes == 0

    run(scene)


@pytest.mark.parametrize("ending", ["close", "shut_down"])
def test_what_was_sent_arrives_before_the_end(ending: str) -> None:
    """A close and a shut-down come behind all bytes; neither may be asked for while any is unsent: it would be lost."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            told.transport.send(LONG)
            with pytest.raises(AssertionError, match="unsent"):
                getattr(told.transport, ending)()
            receiving = asyncio.ensure_future(receive_all(client))
            await until(lambda: "drained" in told.events)
            getattr(told.transport, ending)()
            assert await receiving == LONG
            client.close()
            await until(lambda: {"end", "lost"} & set(told.events))

    run(scene)


def test_a_client_that_takes_nothing_stalls() -> None:
    """It has as long as for a request. What it takes of the bytes that the kernel holds counts, at either's pace."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            assert not told.transport.is_stalled(0)
            told.transport.send(LONG)
            patience_s = DEFAULT.request_timeout_s
            assert not told.transport.is_stalled(1)
            assert not told.transport.is_stalled(patience_s)
            assert told.transport.is_stalled(1 + patience_s)
            client.recv(1 << 20)
            await asyncio.sleep(0.05)
            assert not told.transport.is_stalled(2 + patience_s)
            assert told.transport.is_stalled(2 + 2 * patience_s)

    run(scene)


def test_what_is_held_is_bounded() -> None:
    """Answers that are held for each other are written once they are long together, whoever holds them.

    So a buffer's length may be held, as much be unsent from before, and one answer more be what led to the writing.
    """
    answer = bytes(1000)

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            while "clogged" not in told.events:
                told.transport.hold(answer)
            assert told.transport.unsent_bytes <= 2 * DEFAULT.write_buffer_bytes_max + len(answer)
            client.close()

    run(scene)


def test_a_defect_ends_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """A handler that raises is closed with a reset, since its next answer would be taken for the missing one."""

    class Broken(Told):
        def on_data(self, data: bytes) -> None:
            raise KeyError(data)

    async def scene(poller: Poller) -> None:
        broken, sound = Broken(), Told()
        with connected(poller, broken) as first, connected(poller, sound) as second:
            first.send(b"secret")
            second.send(b"question")
            poller.look()
            assert broken.events == ["lost"]
            assert sound.received == b"question"
            with pytest.raises(ConnectionResetError):
                await receive_all(first)

    run(scene)
    logged = capsys.readouterr().out
    assert "KeyError at test_sockets.py" in logged
    assert "secret" not in logged


def test_a_look_sees_every_connection() -> None:
    """However many are ready, none is left out: who looks takes the others for idle."""
    count = 1500  # More than select.epoll tells in one go, left to itself.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count + 100:
        pytest.skip("not enough descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 100), hard))

    async def scene(poller: Poller) -> None:
        tellers = [Told() for _ in range(count)]
        with ExitStack() as stack:
            for told in tellers:
                client, served = socket.socketpair()
                stack.enter_context(client)
                poller.adopt(served, told.connect)
                stack.callback(told.transport.abort)
                client.send(b"question")
            poller.look()
            assert [told.received for told in tellers] == [b"question"] * count

    run(scene)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nothing_is_received_while_reading_is_paused() -> None:
    """Bytes wait in the kernel until reading is resumed."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            told.transport.read(wanted=False)
            client.send(b"early")
            await asyncio.sleep(0.05)
            assert told.received == b""
            told.transport.read(wanted=True)
            await until(lambda: told.received == b"early")

    run(scene)


@pytest.mark.parametrize("is_reading", [True, False])
def test_a_reset_is_noticed(is_reading: bool) -> None:  # noqa: FBT001 - pytest passes it.
    """A client that resets the connection is gone at once, also while nothing is read from it, and nothing spins."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            if not is_reading:
                told.transport.read(wanted=False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            await until(lambda: told.events == ["lost"])
            assert not told.transport.is_reading
            told.transport.send(b"too late")
            told.transport.hold(b"too late")
            told.transport.shut_down()
            told.transport.close()
            await asyncio.sleep(0.01)
        assert told.events == ["lost"]

    run(scene)


def test_a_client_that_sends_no_more_may_still_receive() -> None:
    """The end of what a client sends is told of once, and ends nothing by itself."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            client.shutdown(socket.SHUT_WR)
            await until(lambda: told.events)
            await asyncio.sleep(0.01)
            assert told.events == ["end"]
            told.transport.send(b"answer")
            told.transport.close()
            assert await receive_all(client) == b"answer"

    run(scene)


def test_an_abort_resets() -> None:
    """The client of an aborted connection sees a reset, even with an answer on its way."""

    async def scene(poller: Poller) -> None:
        told = Told()
        with connected(poller, told) as client:
            told.transport.send(LONG)
            told.transport.abort()
            with pytest.raises(ConnectionResetError):
                await receive_all(client)
        assert told.events == ["clogged", "lost"]

    run(scene)
