"""The catalogue of errors: what each tells, and what is made of one that nobody foresaw."""

import errno
import json
import os
import re
from typing import Any, cast

import pytest

from pexservice import errors
from pexservice.errors import Fatal, NotApplied, PexError, Scarce, ServiceEnded, defect, ending, reason, scarcity, why
from pexservice.stores.journal.record import Codec


def _all(kind: type[PexError]) -> list[type[PexError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, kind)]
    return [each for each in found if each is not kind]


def test_every_refusal_says_why_and_when_to_ask_again() -> None:
    """Each with a code and a title of its own, and sentences."""
    refusals = [each for each in _all(NotApplied) if issubclass(each, NotApplied)]
    assert len({each.code for each in refusals}) == len({each.title for each in refusals}) == len(refusals) > 3
    for each in refusals:
        assert each.detail.endswith(".")
        assert each.retry_after_s >= 1


def test_every_end_has_a_status_that_is_not_success() -> None:
    """Those of sysexits.h, or 2 for wrong usage."""
    statuses = {each.exit_status for each in _all(Fatal) if issubclass(each, Fatal)}
    assert statuses <= {2, *range(64, 79)}


def _raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EMFILE, "x"), "descriptor"),
        (ImportError(f"cannot open: {os.strerror(errno.ENFILE)}"), "descriptor"),
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "x"), "memory"),
        (ImportError("failed to map segment from shared object"), "memory"),
        (RuntimeError("can't start new thread"), "thread"),
        (_raised(KeyError(1), OSError(errno.EMFILE, "x")), "descriptor"),
    ],
)
def test_what_is_scarce_is_named(error: BaseException, says: str) -> None:
    """Also where it is only the cause, and with what to raise."""
    found = scarcity(error)
    assert isinstance(found, Scarce)
    assert says in str(found)
    assert "Raise the limit" in str(found)


@pytest.mark.parametrize(
    ("error", "end", "field"),
    [
        (MemoryError(), Scarce, "error"),
        (KeyError("secret"), type(None), "defect"),
        (OSError(errno.EIO, "x"), type(None), "defect"),
    ],
)
def test_a_limit_is_told_apart_from_a_defect(error: BaseException, end: type[object], field: str) -> None:
    """In the field of a log line and in what the process ends with."""
    assert isinstance(ending(error), end)
    assert set(why(error)) == {field}


def test_what_a_service_ended_with_is_passed_on() -> None:
    """Unless it is a verdict of the command that started it, or a signal."""
    assert [ServiceEnded(status, "").exit_status for status in (73, 70, 1, 0, -9)] == [73, 70, 69, 69, 69]
    assert str(ServiceEnded(-9, "it did not say why.")) == "the service ended by signal 9: it did not say why."


@pytest.mark.parametrize("error", [OSError(errno.EIO, "x"), KeyError("Cannot allocate"), ValueError()])
def test_what_is_not_scarce_is_not_said_to_be(error: BaseException) -> None:
    """Other errors are not explained away."""
    assert scarcity(error) is None


def test_an_error_that_comes_of_itself_is_looked_through_once() -> None:
    """What is raised again while its effect is handled has that for its context, and is the cause of it."""
    inner, outer = ValueError(), KeyError()
    inner.__context__, outer.__cause__ = outer, inner
    assert scarcity(inner) is None


def test_a_defect_is_told_without_what_it_holds() -> None:
    """Its kind and where it was raised: what a client sent may be in the rest."""
    assert defect(KeyError("secret")) == "KeyError"
    told = defect(_raised(KeyError("secret")))
    assert re.fullmatch(r"KeyError at (\S+/)?test_errors.py:\d+ in _raised", told), told
    assert "secret" not in told


def test_a_defect_in_code_of_others_is_told_with_who_called_it() -> None:
    """A file from its package on, and the function: of a library, and of our code that called it."""
    try:
        json.dumps(object())
    except TypeError as error:
        told = defect(error)
    library, called = told.split(", called at ")
    assert re.fullmatch(r"TypeError at json/encoder.py:\d+ in JSONEncoder.default", library)
    assert re.fullmatch(r"(\S+/)?test_errors.py:\d+ in test_a_defect_in_code_of_others_\w+", called), called


def test_a_defect_of_ours_is_told_by_one_place() -> None:
    """What was called is what has the defect, and a package is the folder of its first module."""
    with pytest.raises(AttributeError) as raised:
        Codec(cast("Any", None))
    told = defect(raised.value)
    assert re.fullmatch(r"AttributeError at pexservice/stores/journal/record.py:\d+ in Codec.__init__", told), told


def test_the_reason_of_an_error_is_words() -> None:
    """The system's, or those of whoever raised it."""
    assert reason(OSError(errno.EIO, "Input/output error")) == "Input/output error"
    assert reason(OSError("no such host")) == "no such host"
