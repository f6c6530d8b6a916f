"""A file appears whole, or not at all."""

import asyncio
import errno

import pytest

from pexservice.errors import DamagedData, Scarce
from pexservice.stores.journal import whole_file
from pexservice.stores.journal.errors import JournalFailed, JournalFull, failed, translate
from pexservice.stores.journal.whole_file import new_name, put
from support.journals import broken, disk


def test_a_file_takes_the_place_of_the_older_one() -> None:
    """Also behind an attempt that was cut off; and after a power cut it is the one or the other."""
    on = disk()
    on.create(new_name("a"))
    for data in (b"old", b"new" * 100_000):
        asyncio.run(put(on, "a", data, "it"))
        assert on.read("a") == data
    assert on.names() == ["a"]
    assert on.powered_off().read("a") == b"new" * 100_000


def test_without_room_the_older_one_stays() -> None:
    """And it may be tried again."""
    on = disk()
    asyncio.run(put(on, "a", b"old", "it"))
    on.faults.free_bytes = 2
    with pytest.raises(JournalFull, match="cannot write it a"):
        asyncio.run(put(on, "a", b"newer", "it"))
    assert (on.names(), on.read("a")) == (["a"], b"old")
    on.faults.free_bytes = None
    asyncio.run(put(on, "a", b"newer", "it"))


def test_what_cannot_be_named_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not known whether it has its name."""
    for method, told in (("rename", "cannot write it a"), ("sync_names", "cannot sync the name of a")):
        on = disk()
        with monkeypatch.context() as patched:
            patched.setattr(on, method, broken)
            with pytest.raises(JournalFailed, match=told):
                asyncio.run(put(on, "a", b"data", "it"))


def test_a_directory_in_the_way_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the name, or that which the file has until it is whole: nothing is wrong with the disk."""

    def in_the_way(*_: object) -> None:
        raise IsADirectoryError(errno.EISDIR, "Is a directory")

    for method in ("remove", "rename"):
        on = disk()
        with monkeypatch.context() as patched:
            patched.setattr(on, method, in_the_way)
            with pytest.raises(JournalFailed, match=r"it a: a directory has this name, or .*\.new\. Move it"):
                asyncio.run(put(on, "a", b"data", "it"))


def test_a_file_that_was_made_longer_than_any_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read: its size may be all that there is of it."""
    on = disk()
    asyncio.run(put(on, "a", b"data", "it"))
    assert whole_file.read(on, "a") == b"data"
    monkeypatch.setattr(on, "size", lambda _: 8 << 30)
    monkeypatch.setattr(on, "read", broken)
    with pytest.raises(DamagedData, match="a has 8589934592 bytes, and no file of a journal has more than"):
        whole_file.read(on, "a")


@pytest.mark.parametrize(
    ("code", "remedies"),
    [
        (errno.ENOSPC, ["Make room; nothing else needs to be done.", "Make room, then start again."]),
        (errno.EFBIG, [r"Raise the limit on the size of files .* start again."] * 2),
        (errno.EMFILE, ["Have fewer connections, or a higher limit on file descriptors", "file descriptor is left"]),
    ],
)
def test_what_is_to_be_done_is_told_of_what_lacks(code: int, remedies: list[str]) -> None:
    """Room on the disk is no help against the limit on the size of files, or on descriptors."""
    for told, remedy in zip((translate, failed), remedies, strict=True):
        with pytest.raises((JournalFull, JournalFailed, Scarce), match=remedy):
            raise told("write", "it", OSError(code, ""))


def test_memory_that_lacks_is_no_fault_of_the_disk() -> None:
    """The system may have none for a file, whatever becomes of it."""
    for told in (translate, failed):
        with pytest.raises(Scarce, match="memory"):
            raise told("read", "it", OSError(errno.ENOMEM, ""))
