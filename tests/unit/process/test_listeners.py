"""What is said when an address cannot be had: each error of each system call."""

import asyncio
import errno
import os
import socket
from pathlib import Path
from typing import Final

import pytest

from pexservice.errors import AddressUnavailable, Fatal, NotPermitted, Scarce
from pexservice.limits import DEFAULT
from pexservice.process.listeners import bind, bind_unix
from support.process import free_port

_KINDS: Final[dict[int, tuple[type[Fatal], str]]] = {
    errno.EACCES: (NotPermitted, "may not listen on"),
    errno.EPERM: (NotPermitted, "may not listen on"),
    errno.EMFILE: (Scarce, "no file descriptor is left"),
    errno.ENFILE: (Scarce, "no file descriptor is left"),
    errno.ENOMEM: (Scarce, "no memory is left"),
}


def _fail(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket.socket, call, fail)


@pytest.mark.parametrize("call", ["bind", "listen"])
@pytest.mark.parametrize("code", sorted(errno.errorcode))
def test_every_error_has_its_kind_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """Whichever the system gives: of an address, and of a path, which speaks of no ports."""
    port = free_port()
    _fail(monkeypatch, call, code)
    kind, begins = _KINDS.get(code, (AddressUnavailable, "cannot listen on"))
    with pytest.raises(kind, match=begins) as of_address:
        asyncio.run(bind("127.0.0.1", port, DEFAULT))
    with pytest.raises(kind, match=begins) as of_path:
        bind_unix(tmp_path / "socket", DEFAULT)
    for said in (of_address, of_path):
        assert str(said.value).endswith((".", ")"))
        assert "None" not in str(said.value)
    assert "port" not in str(of_path.value).lower().replace("supported", "").replace("transport", "")
    assert "Ports below" not in str(of_address.value)


def test_ports_below_1024_are_spoken_of_for_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free port takes no right."""
    _fail(monkeypatch, "bind", errno.EACCES)
    for port, is_told in ((80, True), (1023, True), (1024, False), (0, False)):
        with pytest.raises(NotPermitted) as said:
            asyncio.run(bind("127.0.0.1", port, DEFAULT))
        assert ("Ports below 1024" in str(said.value)) == is_told
