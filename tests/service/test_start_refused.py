"""Starts that cannot be: each ends soon, with the status of its kind and one true sentence that names what is wrong."""

import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Final

import pytest

from support.process import run, serving

AS_USER: Final = (
    "setpriv",
    "--reuid=54321",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)
"""Somebody who may read this program wherever it is, and no more."""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or which("setpriv") is None, reason="needs root, and setpriv, to be somebody else"
)


def refused(data_dir: Path, *arguments: str, status: int, wrapper: tuple[str, ...] = ()) -> str:
    """Start a service that must refuse to, and return the sentence."""
    with serving(data_dir, *arguments, wrapper=wrapper) as service:
        assert service.wait() == status, service.log
        assert "Traceback" not in service.log
        said: str = service.logged("cannot go on")["error"]
        assert re.search(r"[.)]$", said)
        if os.path.isdir(data_dir):  # noqa: PTH112 - a name that is too long is none, and no error.
            assert not list(data_dir.glob("journal-*")), "it has written"
        return said


def test_a_socket_whose_server_hangs(tmp_path: Path) -> None:
    """With its queue full, it is served all the same: nobody waits for it, and it is not replaced."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as waiting:
        server.bind(str(path))
        server.listen(0)
        waiting.connect(str(path))
        said = refused(tmp_path / "data", "--uds", str(path), status=69)
        assert "another process listens there" in said
        assert path.is_socket()


def _file(path: Path) -> None:
    path.write_text("kept")


def _datagrams(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_file, "something that is no socket has this name"),
        (os.mkfifo, "something that is no socket has this name"),
        (lambda path: path.symlink_to("elsewhere"), "something that is no socket has this name"),
    ],
)
def test_something_else_at_the_path_of_the_socket(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    """It is neither served nor removed, and no process is said to listen there."""
    path = tmp_path / "socket"
    make(path)
    said = refused(tmp_path / "data", "--uds", str(path), status=69)
    assert says in said
    assert path.is_symlink() or path.exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x" * 108, "the path has 108 bytes, and that of a socket may have 107"),
        ("none/socket", "Make its directory first"),
        ("/dev/null/socket", "Not a directory"),
        ("/proc/socket", "Choose another path with --uds"),
    ],
)
def test_a_path_that_no_socket_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    """Too long, below what is missing or is no directory, on a file system that has no sockets."""
    monkeypatch.chdir(tmp_path)
    said = refused(tmp_path / "data", "--uds", name, status=69)
    assert says in said
    assert "None" not in said
    assert "Another process" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "127..0.0.1"], "cannot listen on 127..0.0.1:0: that is no name of a host"),
        (["--admin-bind", "a..b:9100"], "cannot listen on a..b:9100: that is no name of a host"),
        (["--host", "x" * 64 + ".test"], "that is no name of a host"),
        (["--host", "no such host"], "cannot listen on no such host:0"),
        (["--host", "192.0.2.1"], "This machine has no such address"),
        (["--host", "::ffff:192.0.2.1"], "cannot listen on [::ffff:192.0.2.1]:0"),
    ],
)
def test_an_address_that_is_none(tmp_path: Path, arguments: list[str], says: str) -> None:
    """A name that cannot be one, is not known, or is another machine's."""
    assert says in refused(tmp_path / "data", *arguments, status=69)


def _fifo(data: Path) -> None:
    os.mkfifo(data / "lock")


def _directory(data: Path) -> None:
    (data / "lock").mkdir()


def _device(data: Path) -> None:
    (data / "lock").symlink_to("/dev/null")


@pytest.mark.parametrize("make", [_fifo, _directory, _device])
def test_a_lock_that_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It is named, with what to do, and nobody waits for it."""
    make(tmp_path)
    said = refused(tmp_path, status=73)
    assert f"the lock file {tmp_path}/lock" in said
    assert "Remove it" in said


def test_a_data_directory_that_is_no_directory(tmp_path: Path) -> None:
    """Nor is what leads to it; and a file is not said to be there already."""
    (tmp_path / "loop").symlink_to("loop")
    assert "it is no directory" in refused(tmp_path / "loop", status=73)
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(tmp_path / "file" / "data", status=73)
    assert "File name too long" in refused(tmp_path / ("x" * 300), status=73)


@needs_root
def test_what_belongs_to_somebody_else(tmp_path: Path) -> None:
    """The file, or the directory, that this user may not use is named, with the user."""
    for parent in tmp_path.parents[:-2]:
        parent.chmod(0o755)
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    assert f"may not write in the data directory {mine}" in refused(mine, status=77, wrapper=AS_USER)
    os.chown(mine, 54321, -1)
    (mine / "lock").write_text("")
    (mine / "lock").chmod(0o600)
    said = refused(mine, status=77, wrapper=AS_USER)
    assert f"may not use the lock file {mine}/lock: Permission denied. Give user id 54321 the right to" in said
    (mine / "lock").unlink()
    said = refused(mine, "--uds", str(tmp_path / "socket"), status=77, wrapper=AS_USER)
    assert "Ports below" not in said
    assert "Give user id 54321 the right to write in its directory" in said


@needs_root
def test_a_port_that_takes_a_right(tmp_path: Path) -> None:
    """Of that alone it is said that ports below 1024 are for some."""
    limit = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit <= 1:
        pytest.skip("here every port is for everyone")
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 54321, -1)
    for parent in tmp_path.parents[:-2]:
        parent.chmod(0o755)
    assert "Ports below 1024" in refused(data, "--port", "1", status=77, wrapper=AS_USER)


@needs_root
def test_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    """Is told as such, whether the directory is there or not."""
    unshared = ("unshare", "--mount", "bash", "-c", f'mount -t tmpfs -o ro tmpfs {tmp_path} && exec "$@"', "bash")
    if subprocess.run([*unshared, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    for data in (tmp_path, tmp_path / "data"):
        said = refused(data, status=73, wrapper=unshared)
        assert "Read-only file system. Let its file system be writable, or choose another" in said
        assert said.endswith("with --data-dir.")


@needs_root
def test_a_walk_on_a_file_system_that_became_read_only(tmp_path: Path) -> None:
    """Nobody is led to begin another walk elsewhere; writable again, it goes on."""
    data = tmp_path / "data"
    for sequence in (1, 2):
        with serving(data) as service, service.connect() as client:
            assert client.ask("POST", "/next").sequence == sequence
        mount = f'mount --bind {data} {data} && mount -o remount,ro,bind {data} && exec "$@"'
        unshared = ("unshare", "--mount", "bash", "-c", mount, "bash")
        if subprocess.run([*unshared, "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let us mount")
        with serving(data, wrapper=unshared) as service:
            assert service.wait() == 73, service.log
            said = service.logged("cannot go on")["error"]
        assert "Let its file system be writable, or choose another directory with --data-dir, and move there" in said


@pytest.mark.skipif(which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("EINVAL", 73, "cannot sync a directory (Invalid argument)"),
        ("EOPNOTSUPP", 73, "cannot sync a directory (Operation not supported)"),
        ("EIO", 74, "Input/output error. Check the disk"),
        ("ENOSPC", 73, "Free some space"),
    ],
)
def test_a_directory_that_cannot_be_synced(tmp_path: Path, code: str, status: int, says: str) -> None:
    """A file system without it is refused at the start; a disk that fails is told apart; no group is spoken of."""
    tracing = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", f"inject=fsync:error={code}")
    if subprocess.run([*tracing, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us trace")
    said = refused(tmp_path / "data", status=status, wrapper=tracing)
    assert says in said
    assert "group" not in said


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "it is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
)
def test_a_token_file_that_is_none(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    """Nobody waits for it."""
    path = tmp_path / "token"
    make(path)
    with serving(tmp_path / "data", "--token-file", str(path)) as service:
        assert service.wait() == 2
        assert says in service.log


@pytest.mark.parametrize("limit", [5, 6, 7, 8, 9, 10, 12, 15, 18, 24, 32])
def test_too_few_descriptors(tmp_path: Path, limit: int) -> None:
    """However few, down to where Python itself does not start."""
    said = refused(tmp_path / "data", status=71, wrapper=("prlimit", f"--nofile={limit}"))
    assert f"this process may have {limit} file descriptors" in said


@needs_root
@pytest.mark.parametrize("limit", [1, 2])
def test_too_few_processes(tmp_path: Path, limit: int) -> None:
    """A thread that cannot be started is the limit's doing, and the log does without one."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 54321, -1)
    for parent in tmp_path.parents[:-2]:
        parent.chmod(0o755)
    said = refused(data, status=71, wrapper=(*AS_USER, "prlimit", f"--nproc={limit}"))
    assert "no thread can be started" in said


@pytest.mark.parametrize("megabytes", [32, 40, 48, 56, 64, 72])
def test_too_little_memory(tmp_path: Path, megabytes: int) -> None:
    """Wherever it runs out, it is 71, or it suffices."""
    limit = f"--as={megabytes << 20}"
    with serving(tmp_path / "data", wrapper=["prlimit", limit]) as service:
        if service.where:
            assert service.stop() == 0
        else:
            assert service.wait() == 71, service.log
            assert "Raise the limit" in service.log
        assert "Traceback" not in service.log


@pytest.mark.parametrize("megabytes", [18, 22, 28, 36, 44, 52])
@pytest.mark.parametrize("command", [["journal", "verify"], ["import", "x"], ["status"], ["demo"], ["version"]])
def test_other_commands_tell_too_little_memory(tmp_path: Path, command: list[str], megabytes: int) -> None:
    """In one line, before they import what could fail for want of it in any way."""
    ended = run(*command, wrapper=["prlimit", f"--as={megabytes << 20}"], PEXSERVICE_DATA_DIR=str(tmp_path))
    assert ended.returncode == 71
    assert re.fullmatch(r"pexservice: no memory is left\. Raise the limit.*\n", ended.stderr), ended.stderr
