"""The catalogue of errors.

Three families, told apart by who can act on them:

- `Fatal`: the process cannot start or go on. Carries the exit status that tells an operator's scripts why
  (numbers of sysexits.h where one fits).
- `NotApplied`: a request was turned away before anything was done. The client may safely ask again, so each
  carries the text of a 503 answer.
- `BadRequest`: a request that is wrong as it stands. Carries its HTTP status.

Every message says what happened, to what, and what to do about it.
"""

import errno
import os
from pathlib import Path
from types import CodeType
from typing import ClassVar, Final


class PexError(Exception):
    """Base of everything that this package raises on purpose."""


class Fatal(PexError):
    """The process cannot start or go on; it ends with `exit_status`, which is 70 for what nobody foresaw."""

    exit_status: int = 70


class BadTokenFile(Fatal):
    """Raised when the token file is missing or not what it must be: wrong usage, which no restart cures."""

    exit_status = 2


class DamagedData(Fatal):
    """Raised when stored data is damaged, of an unknown version, or not what it should be. Nothing was changed."""

    exit_status = 65


class MissingExtra(Fatal):
    """Raised when what was asked for needs packages that are not installed: wrong usage, until they are."""

    exit_status = 2


class WrongApplication(Fatal):
    """Raised when an application is not written as it must be: for its author, who is told before anything is done."""

    exit_status = 2
    what: ClassVar[str] = "application"

    def __init__(self, why: str) -> None:
        super().__init__(f"the {self.what} cannot be served: {why} docs/build-your-own.md has the rules.")


class WrongMachine(WrongApplication):
    """Raised when that is so of its machine."""

    what = "machine"


class DefectiveMachine(Fatal):
    """Raised when a machine writes what could not be read again. Nothing of it was written, and nobody was answered."""

    def __init__(
        self,
        name: str,
        why: str = "wrote what is no field of a row: its encode_state and encode must return a text, a str, of "
        "printable ASCII without commas and quotation marks, and never nothing.",
    ) -> None:
        super().__init__(
            f"the machine {name} {why} Nothing of this group was written. Mend the machine, then start again."
        )


class WrongSockets(Fatal):
    """Raised when the service manager passed sockets that cannot be served: its units are not set up right."""

    exit_status = 2


class NoJournal(Fatal):
    """Raised when there is no journal to read: an empty backup must not look like a proved one."""

    exit_status = 66


class AddressUnavailable(Fatal):
    """Raised when the address to listen on is in use or is not one of this machine's, or nothing of ours answers."""

    exit_status = 69


class Scarce(Fatal):
    """Raised when the machine, or a limit that it sets this process, has no descriptor, thread or memory for it."""

    exit_status = 71


class CannotCreate(Fatal):
    """Raised when the data directory, or a file that must be in it, cannot be created."""

    exit_status = 73


class StorageFailed(Fatal):
    """Raised when what keeps the data cannot be trusted to keep it, or does not answer."""

    exit_status = 74


class Unanswered(StorageFailed):
    """Raised when a stop gives up waiting for the disk: nobody was told what became of the last commands."""


class OutputFailed(Fatal):
    """Raised when standard output cannot be written, as on a full disk: what is there of it is not whole."""

    exit_status = 74


class ServiceEnded(Fatal):
    """Raised when a service that this process started ended by itself: with its exit status, if it has one of ours."""

    def __init__(self, exit_status: int, words: str) -> None:
        """Take the status as subprocess has it: below zero, a signal ended it."""
        how = f"with status {exit_status}" if exit_status >= 0 else f"by signal {-exit_status}"
        super().__init__(f"the service ended {how}: {words}")
        # Neither success nor 1, which is a verdict of the commands that start one.
        self.exit_status = exit_status if exit_status > 1 else AddressUnavailable.exit_status


class DirectoryOwned(Fatal):
    """Raised when another process owns a directory that this one is to write in."""

    exit_status = 75


class NotPermitted(Fatal):
    """Raised when this user may not read or write what it must."""

    exit_status = 77


class NotApplied(PexError):
    """A request was turned away with 503 before anything was done; asking again is safe.

    `code` names the reason in answers and metrics, `retry_after_s` is what the client is told to wait, unless 0.
    """

    is_lasting: ClassVar[bool] = False
    """Whether it is said to all for a while, so that the service is not ready, and not to one request at a time."""
    code: ClassVar[str] = "not-applied"
    title: ClassVar[str] = "Not applied"
    detail: ClassVar[str] = "The request was turned away before it took a step."
    retry_after_s: ClassVar[int] = 1


class QueueFull(NotApplied):
    """Raised when as many commands wait for the disk as may wait."""

    code = "queue-full"
    title = "Too many steps waiting"
    detail = "As many steps wait for the disk as may wait. This one was not taken; ask again."


class AnswersUnsent(NotApplied):
    """Raised when the answers that clients have yet to read fill the memory set aside for them."""

    code = "answers-unsent"
    title = "Too many bytes of answers unsent"
    detail = (
        "Answers that clients have yet to read, or the value here alone, fill the memory set aside for them. Nothing "
        "was done; ask again, or ask with 'Prefer: return=minimal', which carries no value."
    )


class WatchersFull(NotApplied):
    """Raised when as many watch as may watch."""

    code = "watchers-full"
    title = "Too many watchers"
    detail = "As many clients watch the events as may watch. Ask again later, or read the state now and then."


class Recovering(NotApplied):
    """Raised while the service reads its journal after a start."""

    is_lasting = True
    code = "recovering"
    title = "Recovering"
    detail = "The service is reading its journal. Nothing was done; ask again."


class Draining(NotApplied):
    """Raised by `/readyz` while the service stops: it answers what it accepted and takes no new connections."""

    is_lasting = True
    code = "draining"
    title = "Draining"
    detail = "The service is stopping. Ask again: whatever takes its place will answer."


class BadRequest(PexError):
    """A request that is wrong as it stands: answered with `status`, and nothing was done."""

    def __init__(self, status: int, detail: str, *, is_to_head: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.is_to_head = is_to_head
        """Whether the request is known to be a HEAD, so that the answer has no body (RFC 9110, 9.3.2)."""


_NO_DESCRIPTOR: Final = {errno.EMFILE, errno.ENFILE}
_NO_MEMORY: Final = ("failed to map segment", "cannot allocate memory", "without exception set")
_LIMITS: Final = {
    "descriptors": "no file descriptor is left. Raise the limit on them (ulimit -n; LimitNOFILE= of systemd).",
    "threads": (
        "no thread can be started. Raise the limit on processes (ulimit -u; TasksMax= of systemd; pids.max of a "
        "control group), or on memory (ulimit -v)."
    ),
    "memory": "no memory is left. Raise the limit on it (ulimit -v; MemoryMax= of systemd), or free some.",
}


def scarcity(error: BaseException) -> Scarce | None:
    """Tell what the machine has too little of, if that is why an error was raised: also from what it was raised."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:  # One that is raised again while its effect is handled has a ring.
        lacking = _lacking(cause)
        if lacking is not None:
            return Scarce(_LIMITS[lacking])
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return None


def ending(error: BaseException) -> Fatal | None:
    """Return the end of the catalogue that an error comes down to, or None if nobody foresaw it."""
    return error if isinstance(error, Fatal) else scarcity(error)


def why(error: BaseException) -> dict[str, str]:
    """Return the field of a log line that tells of an error: what the machine has too little of, or a defect."""
    scarce = scarcity(error)
    return {"error": str(scarce)} if scarce else {"defect": defect(error)}


def _lacking(error: BaseException) -> str | None:
    code = error.errno if isinstance(error, OSError) else None
    # The loader of libraries tells its reason in words only; and short of memory, Python may lose its MemoryError.
    words = str(error) if isinstance(error, (ImportError, RuntimeError, SystemError)) else ""
    if code in _NO_DESCRIPTOR or any(os.strerror(each) in words for each in _NO_DESCRIPTOR):
        return "descriptors"
    if isinstance(error, MemoryError) or code == errno.ENOMEM or any(each in words for each in _NO_MEMORY):
        return "memory"
    if "can't start new thread" in words:
        return "threads"
    return None


def reason(error: OSError | MemoryError) -> str:
    """Return the reason of an error in words, also where it did not come from the system."""
    if isinstance(error, MemoryError):
        return os.strerror(errno.ENOMEM)
    return error.strerror or str(error)


def defect(error: BaseException) -> str:
    """Tell of an error that nobody foresaw: its kind and where it was raised, and nothing that a client sent.

    Where it was raised by a machine, a form or a library, it is told who called that, too.
    """
    frames: list[tuple[CodeType, str, int]] = []
    where = error.__traceback__
    while where is not None:
        frames.append((where.tb_frame.f_code, where.tb_frame.f_globals.get("__name__", ""), where.tb_lineno))
        where = where.tb_next
    if not frames:
        return type(error).__name__
    package = _package(frames[-1][1])
    callers = [place for place in frames if _package(place[1]) != package]
    by = f", called at {_place(*callers[-1])}" if callers and package != _package(__name__) else ""
    return f"{type(error).__name__} at {_place(*frames[-1])}{by}"


def _package(module: str) -> str:
    return module.partition(".")[0]


def _place(code: CodeType, module: str, line: int) -> str:
    """Return file, line and function: the file from its package on, since many packages have a machine.py."""
    path = Path(code.co_filename)
    parts = module.count(".") + 1 + (path.stem == "__init__")
    return f"{'/'.join(path.parts[-parts:])}:{line} in {code.co_qualname}"
