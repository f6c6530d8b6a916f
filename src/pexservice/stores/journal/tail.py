"""The newest segment, which alone is written to."""

from collections.abc import Awaitable

from pexservice.disk import File
from pexservice.stores.journal.errors import JournalFailed, failure


class Tail:
    """A segment under its name, and where its next row goes."""

    def __init__(self, name: str, file: File, checksum: int, size_bytes: int, rotate_at_bytes: int) -> None:
        self.name = name
        self.checksum = checksum
        """Of the last row, from which the next one continues."""
        self.size_bytes = size_bytes
        """As far as its rows are known to be where they belong: durable, or under `interval`, written."""
        self.rotate_at_bytes = rotate_at_bytes
        self._file = file

    @property
    def is_long(self) -> bool:
        """Whether it is time for another segment."""
        return self.size_bytes >= self.rotate_at_bytes

    def append(self, row: bytes) -> None:
        """Write a row, or cut the segment back to where it was. Raises JournalFull, JournalFailed."""
        try:
            self._file.append(row)
        except OSError as error:
            unwritten = failure("write to", self.name, error)
            try:
                self._file.cut(self.size_bytes)
            except OSError as cut_error:
                raise failure("cut back", self.name, cut_error) from error
            raise unwritten from error

    def sync(self) -> Awaitable[None]:
        """As `File.sync`."""
        return self._file.sync()

    def grow(self, row_bytes: int, checksum: int) -> None:
        """Take note that a row is where it belongs, unless the file was removed. Raises JournalFailed."""
        try:
            is_linked = self._file.is_linked()
        except OSError as error:
            raise failure("look at", self.name, error) from error
        if not is_linked:
            message = f"the segment {self.name} was removed while it was in use. Restore the data directory."
            raise JournalFailed(message)
        self.size_bytes += row_bytes
        self.checksum = checksum

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
