"""Bytes that one process publishes to others in shared memory.

Nobody waits for anybody: no lock could be left behind by a process that was killed or suspended. There are two copies,
each with its length and checksum. The first is written before the second and read before it, so one of them is whole
at every instant, and who sees the first whole sees no older one later.
"""

import struct
from mmap import mmap
from typing import Final
from zlib import crc32

_HEAD: Final = struct.Struct("<II")
_WINDOW_BYTES: Final = 128
"""What is read at first: most of what is published is no longer, and a copy of it costs nothing."""


class Published:
    """A region of shared memory with one writer and any number of readers."""

    def __init__(self, memory: mmap, begin: int, bytes_max: int) -> None:
        """Take `size(bytes_max)` bytes of the memory, which are all 0 before anything is published."""
        self._memory = memory
        self._begins = begin, begin + _HEAD.size + bytes_max
        self._bytes_max = bytes_max

    @staticmethod
    def size(bytes_max: int) -> int:
        """Return how many bytes a region takes."""
        return 2 * (_HEAD.size + bytes_max)

    def publish(self, data: bytes) -> None:
        """Show these bytes from now on, in place of those before. Not empty, and no longer than the bound."""
        assert 0 < len(data) <= self._bytes_max, f"{len(data)} bytes are published, of at most {self._bytes_max}"
        whole = _HEAD.pack(len(data), crc32(data)) + data
        for begin in self._begins:
            self._memory[begin : begin + len(whole)] = whole

    def read(self) -> bytes:
        """Return what was published last, or nothing if nothing was."""
        while True:
            for begin in self._begins:
                window = self._memory[begin : begin + _WINDOW_BYTES]
                length, checksum = _HEAD.unpack_from(window)
                if length == 0:
                    return b""
                if length > self._bytes_max:  # Torn.
                    continue
                if length > _WINDOW_BYTES - _HEAD.size:
                    window = self._memory[begin : begin + _HEAD.size + length]
                data = window[_HEAD.size : _HEAD.size + length]
                if crc32(data) == checksum:
                    return data
