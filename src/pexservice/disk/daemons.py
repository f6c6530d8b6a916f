"""Calls that may hang, in threads of their own, so that the event loop hears signals and knows when to give up."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from pexservice.errors import Fatal

T = TypeVar("T")


def off_loop(function: Callable[[], T]) -> asyncio.Future[T]:
    """Run a function that may wait for the disk, so that the event loop does not wait with it.

    Without a thread to be had it does after all.
    """
    try:
        return in_daemon(function)
    except RuntimeError:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(function())
        except Exception as error:  # noqa: BLE001 - as from a thread.
            done.set_exception(error)
        return done


def in_daemon(function: Callable[[], T]) -> asyncio.Future[T]:
    """Run a function in a thread that does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(settle_with: Callable[[Any], None], outcome: object) -> None:
        if not done.done():
            settle_with(outcome)

    def run() -> None:
        try:
            outcome = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever awaits it.
            report = partial(settle, done.set_exception, error)
        else:
            report = partial(settle, done.set_result, outcome)
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(report)

    threading.Thread(target=run, daemon=True).start()
    return done


async def first(*futures: asyncio.Future[Any], timeout_s: float | None = None) -> None:
    """Return once one of them is done, or the time is over."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


async def in_time(function: Callable[[], T], timeout_s: float, hung: Fatal) -> T:
    """Return what a function returns that a start waits for. Raises what it raises, and `hung` beyond the time."""
    try:
        return await asyncio.wait_for(in_daemon(function), timeout_s)
    except TimeoutError as error:
        raise hung from error
