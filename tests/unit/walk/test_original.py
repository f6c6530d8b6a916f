"""Taking over the data file of the original service."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pexservice.core.judging import Place
from pexservice.errors import CannotCreate, DamagedData, StorageFailed
from pexservice.walk.fibonacci import fibonacci_modulo
from pexservice.walk.original import adopt, parse, pass_over, read, row

WRAPPED = fibonacci_modulo(300, 2**64)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("58,11,55,89,144", Place(58, 11)),
        ("58,11,55,89,144\n", Place(58, 11)),
        ("0,0,0,0,1", Place(0, 0)),
        ("7,1,0,0,1", Place(7, 0)),
        ("7,1,0,1,1", Place(7, 1)),
        (f"900,300,0,{WRAPPED},0", Place(900, 300)),
    ],
)
def test_a_consistent_file_gives_its_place(text: str, place: Place[int]) -> None:
    """The hits are the sequence, and a value that wrapped is as good as one that did not."""
    assert parse(text, "fibo.csv") == place


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(0, 0), "0,0,0,0,1"),
        (Place(7, 1), "7,1,0,1,1"),
        (Place(58, 11), "58,11,55,89,144"),
        (Place(94, 93), "94,93,7540113804746346429,12200160415121876738,1293530146158671551"),
    ],
)
def test_a_place_is_written_as_the_original_would(place: Place[int], text: str) -> None:
    """Its values wrap at 2^64: F(94) is the first that does."""
    assert row(place) == text + "\n"


@given(sequence=st.integers(0, 2**62), position=st.integers(0, 2**62))
@example(94, 94)
@example(97, 97)
def test_what_is_written_is_taken_back(sequence: int, position: int) -> None:
    """At any position, as one that moves a walk from here to there needs it."""
    assert parse(row(Place(sequence, position)), "fibo.csv") == Place(sequence, position)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "58,11,55,89",
        "58,11,55,90,144",
        "58,12,55,89,144",
        "a,b,c,d,e",
        "-1,0,0,0,1",
        "1,1,0,1,1\n2,1,0,1,1",
        f"{2**62 + 1},11,55,89,144",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A file that is not one, or contradicts itself, is refused with a message that names it."""
    with pytest.raises(DamagedData, match=r"fibo\.csv .* Nothing was imported\. [A-Z].*\.$"):
        parse(text, "fibo.csv")


def test_nothing_of_another_file_is_shown() -> None:
    """Whoever names a wrong file may have named one with a secret; that it is empty is told."""
    with pytest.raises(DamagedData) as raised:
        parse("root:secret:1", "shadow")
    assert "secret" not in str(raised.value)
    with pytest.raises(DamagedData, match="this is empty"):
        parse("\n", "fibo.csv")


def test_a_file_must_be_there_and_short(tmp_path: Path) -> None:
    """A missing file cannot be read, and a long one is not of the original."""
    with pytest.raises(CannotCreate, match=r"cannot read .*No such file or directory\. .*Name the data file"):
        read(tmp_path / "fibo.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CannotCreate, match="not a regular file"):
        read(tmp_path / "pipe")
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144" + " " * 5000)
    with pytest.raises(DamagedData):
        read(tmp_path / "fibo.csv")


def test_a_link_that_leads_nowhere_begins_no_new_walk(tmp_path: Path) -> None:
    """Only a directory without the name is one without a walk; whatever else it may be is read, or told."""
    assert adopt(tmp_path) is None
    (tmp_path / "fibo.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(CannotCreate, match=r"cannot read .*Move it away to begin at 0"):
        adopt(tmp_path)
    (tmp_path / "fibo.csv").unlink()
    (tmp_path / "fibo.csv").touch()
    with pytest.raises(DamagedData, match=r"this is empty.*Move it away to begin at 0"):
        adopt(tmp_path)


def test_a_file_that_the_disk_does_not_tell_of_begins_no_new_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be there, so it is not taken for absent."""
    (tmp_path / "fibo.csv").write_text("58,11,55,89,144")

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", broken)
        patch.setattr(Path, "lstat", broken)
        with pytest.raises(StorageFailed, match=r"cannot look for .*fibo\.csv: Input/output error"):
            adopt(tmp_path)
    assert adopt(tmp_path) == Place(58, 11)


@pytest.mark.parametrize(
    ("text", "sequence", "is_told"),
    [
        (None, 5, False),
        ("something else", 5, False),
        ("58,11,55,89,144", 0, True),
        ("58,11,55,89,144", 57, True),
        ("58,11,55,89,144", 58, False),
        ("58,11,55,89,144", 9000, False),
    ],
)
def test_a_file_that_a_start_passes_over_is_told_of(
    tmp_path: Path, text: str | None, sequence: int, *, is_told: bool
) -> None:
    """Where there is a journal, it is not read; unless the walk has come as far, and may have begun with it."""
    if text is not None:
        (tmp_path / "fibo.csv").write_text(text)
    with capture_logs() as lines:
        pass_over(tmp_path, Place(sequence, 3))
    assert [each["file"] for each in lines] == [str(tmp_path / "fibo.csv")] * is_told
