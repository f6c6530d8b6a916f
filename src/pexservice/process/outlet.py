"""Standard error as the outlet of log lines: nobody ever waits for it.

A line is put into a queue, and a thread takes it to whoever reads. When nobody does, a line waits for a second, the
others for none, and what finds no room is dropped and counted; the first line that does find room is followed by one
that says how many did not. A thread, and no O_NONBLOCK: that would be set for everyone who shares the terminal or the
pipe, also for the shell that started us.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from pexservice.process.beginning import PATIENCE_S, write


class Outlet:
    """Takes lines, as a text file does, to a descriptor."""

    def __init__(
        self, fd: int, encode: Callable[[str], bytes], tell_dropped: Callable[[int], None], lines_max: int
    ) -> None:
        """`tell_dropped` logs that so many lines were dropped; the thread calls it when there is room again.

        Beyond `lines_max` that wait, lines are dropped.
        """
        self.dropped = 0
        """Lines that found no room, or could not be written, since the start."""
        self._fd = fd
        self._lines_max = lines_max
        self._encode = encode
        self._tell_dropped = tell_dropped
        self._is_stuck = False
        self.renew()

    def renew(self) -> None:
        """Begin with no lines and a new thread: in a process that was forked, there is none."""
        self.dropped = self._told = 0
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._has_thread = True
        try:
            threading.Thread(target=self._run, name="log", daemon=True).start()
        except RuntimeError:  # None can be had. Then a line may be waited for, but not for long.
            self._has_thread = False

    def write(self, text: str) -> None:
        """Take a line."""
        if self._waiting.qsize() >= self._lines_max:
            self.dropped += 1
        elif self._has_thread:
            self._waiting.put(self._encode(text))
        else:
            self._put(self._encode(text))

    def flush(self) -> None:
        """Do nothing: every line is on its way."""

    def finish(self) -> None:
        """Wait for the lines that were taken, but not for long."""
        if self._has_thread:
            done = threading.Event()
            self._waiting.put(done)
            done.wait(2 * PATIENCE_S)

    def _run(self) -> None:
        while True:
            line = self._waiting.get()
            if isinstance(line, threading.Event):
                line.set()
            else:
                self._put(line)

    def _put(self, line: bytes) -> None:
        is_written = False
        with suppress(OSError):  # A full disk, a reader that is gone.
            is_written = write(self._fd, line, 0 if self._is_stuck else PATIENCE_S)
        self._is_stuck = not is_written
        if not is_written:
            self.dropped += 1
        elif self.dropped > self._told:
            lines, self._told = self.dropped - self._told, self.dropped
            self._tell_dropped(lines)
