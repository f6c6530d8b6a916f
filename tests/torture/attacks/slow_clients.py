"""A thousand slow clients at a time, each of which must be gone at its deadline.

Slowness is a client's right until a deadline, and costs the service a place and nothing else. Each kind of it is timed
from both sides: not cut off before, gone after; and one that is slow, but goes on, is not cut off at all.
"""

import asyncio
import socket
import time
from contextlib import suppress
from errno import ECONNRESET
from functools import partial
from itertools import cycle
from random import Random
from typing import Final, NamedTuple

from pexservice.limits import DEFAULT
from support.client import Client, message
from support.process import Service
from torture.attack import Attack, Bench, require
from torture.crowd import narrow, narrow_socket, stand_at
from torture.load import place_of
from torture.vitals import Gauges, check_log, eventually, gauges, memory

_POSITION: Final = 100_000
"""Its value has 20,899 digits, so that a few unread answers are more than the kernel takes."""
_UNREAD: Final = message("GET", "/current") * 30
_READ_STEADILY: Final = message("GET", "/current") * 15 + message("GET", "/livez", "Connection: close")
_SLOW: Final = 1_000

_SLACK_S: Final = 2
"""For a machine that does other things as well."""
_EARLIEST_S: Final = DEFAULT.request_timeout_s - DEFAULT.sweep_period_s
"""Time is read once a sweep, so that a client may seem to have begun as long before."""
_LATEST_S: Final = DEFAULT.request_timeout_s + 2 * DEFAULT.sweep_period_s + _SLACK_S
_BYTE_EVERY_S: Final = 2
_STEADY: Final = 10
_STEADY_BYTES: Final = 2_000
_STEADY_EVERY_S: Final = 0.25
_BODY: Final = message("POST", "/next", "Content-Length: 64")
_CHUNKED: Final = message("POST", "/next", "Transfer-Encoding: chunked")
_LEFT_OVER_BYTES_MAX: Final = 16 << 20
"""What the process may keep of the memory that a thousand clients took: the allocator's, for those to come."""

_KINDS: Final = {
    "silence": (b"", b""),
    "empty lines": (b"\r\n", b"\r\n" * 64),
    "half a header": (message("POST", "/next")[:-2], b""),
    "a header byte by byte": (b"P", message("POST", "/next")[1:]),
    "half a body": (_BODY + b"half", b""),
    "a body byte by byte": (_BODY, b"a" * 63),
    "a chunked body byte by byte": (_CHUNKED, b"3;" + b"a" * 64),
}
"""What each kind sends at once, and then, a byte at a time."""


class _Ending(NamedTuple):
    """How the service ended the connection of a slow client."""

    kind: str
    after_s: float
    received: bytes


def run(bench: Bench) -> int:
    """Let clients of all kinds be slow at once, and time how long the service puts up with each."""
    data_dir = bench.directory / "data"
    stand_at(data_dir, _POSITION)
    with bench.serving(data_dir) as service, service.connect() as watcher:
        place = place_of(service)
        eventually(partial(gauges, watcher), Gauges(1).__eq__, "somebody else is there", within_s=_SLACK_S)
        before = memory(service)
        asyncio.run(_be_slow(service, watcher, bench.rng))
        eventually(partial(gauges, watcher), Gauges(1).__eq__, "something was left behind", within_s=_SLACK_S)
        after = memory(service)
        kept = after.rss_bytes - before.rss_bytes
        require(kept <= _LEFT_OVER_BYTES_MAX, f"memory does not return: {before} before them, {after} after them")
        require(place_of(service) == place, f"a request that never was complete has stepped: {place_of(service)}")
        check_log(service)
    return 1


async def _be_slow(service: Service, watcher: Client, rng: Random) -> None:
    began_s = time.monotonic()
    kinds = [kind for kind, _ in zip(cycle([*_KINDS, "unread answers"]), range(_SLOW), strict=False)]
    slow = {asyncio.create_task(_slow(service, kind, rng.random())): kind for kind in kinds if kind in _KINDS}
    with narrow(service, kinds.count("unread answers")) as unread:
        for client in unread:
            client.sendall(_UNREAD)
        steady = [asyncio.create_task(_read_steadily(service)) for _ in range(_STEADY)]
        await asyncio.sleep(began_s + _EARLIEST_S - time.monotonic())
        is_whole = Gauges(_SLOW + _STEADY + 1).connections == gauges(watcher).connections
        require(is_whole, f"some were gone after {_EARLIEST_S:g} s: {gauges(watcher)} of {_SLOW + _STEADY + 1}")
        ended, staying = await asyncio.wait(slow, timeout=began_s + 1 + _LATEST_S - time.monotonic())
        for task in ended:
            _check_ending(task.result())
        stayed = {slow[task] for task in staying}
        require(
            not staying, f"{len(staying)} were not gone at their deadline of {DEFAULT.request_timeout_s} s: {stayed}"
        )
        left = gauges(watcher).connections
        require(left == _STEADY + 1, f"{left - _STEADY - 1} that do not read were not gone at their deadline")
        held = sum(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != ECONNRESET for client in unread)
        require(not held, f"the kernel goes on holding answers for {held} of them: they were closed, not reset")
    for received in await asyncio.gather(*steady):
        is_all = received.endswith(b"\r\n\r\nok\n")
        require(is_all, f"a slow but steady reader was cut off, after {len(received)} bytes")


async def _slow(service: Service, kind: str, delay_s: float) -> _Ending:
    """Send as the kind does until the service ends the connection."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(delay_s)
    at_once, byte_by_byte = _KINDS[kind]
    with service.connect() as client:
        client.socket.setblocking(False)
        began_s = time.monotonic()
        await loop.sock_sendall(client.socket, at_once)
        dripping = asyncio.create_task(_drip(client.socket, byte_by_byte))
        received = b""
        try:
            while piece := await loop.sock_recv(client.socket, 4096):
                received += piece
        except ConnectionResetError:
            pass  # By a byte that crossed with the end.
        finally:
            dripping.cancel()
        return _Ending(kind, time.monotonic() - began_s, received)


async def _drip(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # It ends when the service ends it.
        for byte in data:
            await asyncio.sleep(_BYTE_EVERY_S)
            await asyncio.get_running_loop().sock_sendall(client, bytes([byte]))


def _check_ending(ending: _Ending) -> None:
    is_told = ending.received.startswith(b"HTTP/1.1 408 ")
    began = ending.kind not in {"silence", "empty lines"}
    require(is_told == began, f"{ending.kind} was answered {ending.received[:80]!r}")
    in_time = _EARLIEST_S <= ending.after_s <= _LATEST_S
    require(in_time, f"{ending.kind} was ended after {ending.after_s:.1f} s, not {DEFAULT.request_timeout_s}")


async def _read_steadily(service: Service) -> bytes:
    """Read slowly, but read on, until others are past their deadline; then all the rest. Return what came."""
    loop = asyncio.get_running_loop()
    with narrow_socket(service) as client:
        client.setblocking(False)
        await loop.sock_sendall(client, _READ_STEADILY)
        began_s = time.monotonic()
        received = b""
        while time.monotonic() < began_s + _LATEST_S:
            received += await loop.sock_recv(client, _STEADY_BYTES)
            await asyncio.sleep(_STEADY_EVERY_S)
        while piece := await loop.sock_recv(client, 1 << 16):
            received += piece
        return received


ATTACK: Final = Attack(
    "slow clients and their deadlines",
    run,
    rounds=5,
    rounds_short=1,
    sabotage="no-deadlines",
    noticed="not gone at their deadline",
    cycles=5,
    pace="waiting",
)
