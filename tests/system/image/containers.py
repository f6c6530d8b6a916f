"""Images and containers, by podman, in a store apart from the machine's own.

A machine without a registry can still have a base image, for Debian makes one of its packages (debootstrap). From it
come two: one with what a build needs, and one without any shell, in which the service must do. Everything is kept in
`.image` of the checkout, so that a second run does not fetch it again; `make clean` removes it.
"""

import os
import platform
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.process import Service, started

_CHECKOUT: Final = Path(__file__).parents[3]
_STORE: Final = _CHECKOUT / ".image"
_ENGINE: Final = _STORE / "containers.conf"
_STORAGE: Final = _STORE / "storage.conf"
_COMMAND_S_MAX: Final = 600
"""A build installs packages; on a busy machine that takes minutes."""
TOOLS: Final = ("debootstrap", "podman", "runc", "tar")

_BASE: Final = "localhost/pexservice-base"
_RUNTIME: Final = "localhost/pexservice-runtime"
_TRIMMED: Final = (
    "dev/*",
    "proc/*",
    "sys/*",
    "var/cache/*",
    "var/lib/apt/lists/*",
    "usr/share/doc/*",
    "usr/share/man/*",
)
_SHELLS_AND_BYTECODE: Final = ("usr/bin/*sh", "*.pyc")
"""The usual Python images have no bytecode of the standard library, so ours must do without it too."""

_CONFINED: Final = (
    *("--read-only", "--read-only-tmpfs=false"),
    *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--memory", "512m", "--memory-swap", "512m", "--cpus", "1"),
    *("--pids-limit", "160", "--ulimit", "nofile=1024:1024"),
    *("--ulimit", "nproc=1024"),  # Podman would raise this limit, which a machine need not allow.
)
"""What compose.yaml and the manifests ask for, with fewer descriptors."""
_ON_LOOPBACK: Final = {"PEXSERVICE_HOST": "127.0.0.1", "PEXSERVICE_PORT": "0", "PEXSERVICE_LOG_FORMAT": "json"}


def podman(*arguments: str, is_failure_fine: bool = False) -> subprocess.CompletedProcess[str]:
    """Run podman on a store of its own."""
    return _run("podman", "--log-level", "fatal", *arguments, is_failure_fine=is_failure_fine)


def build() -> str:
    """Build the image with `make image`, on bases of this machine's own. Returns its name."""
    _STORE.mkdir(exist_ok=True)
    _configure()
    _make_bases()
    flags = [
        "--isolation=chroot",
        "--layers=false",
        "--build-arg",
        f"BASE={_BASE}",
        "--build-arg",
        f"RUNTIME={_RUNTIME}",
    ]
    # Where packages come from, and whose word for it is taken, is as on this machine.
    flags += [f"--volume={path}:{path}:ro" for path in ("/etc/pip.conf", "/etc/ssl/certs") if Path(path).exists()]
    _run("make", "image", f"IMAGE_FLAGS={' '.join(flags)}")
    podman("image", "prune", "--force")
    return "localhost/pexservice"


@dataclass(frozen=True)
class Container:
    """A container that serves, and the service in it as its log shows it."""

    name: str
    service: Service

    @property
    def pid(self) -> int:
        """The id of the service's process on this machine."""
        return int(podman("inspect", "--format", "{{.State.Pid}}", self.name).stdout)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return podman("exec", self.name, *command, is_failure_fine=True)


@contextmanager
def volume() -> Iterator[str]:
    """Give the name of a new volume, which is removed at the end of the block."""
    name = f"pexservice-test-{uuid.uuid4().hex}"
    podman("volume", "create", name)
    try:
        yield name
    finally:
        podman("volume", "rm", name)


def directory_of(volume_name: str) -> Path:
    """Return where a volume lies on this machine."""
    return Path(podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume_name).stdout.strip())


@contextmanager
def serving(image: str, volume_name: str | None, **variables: str) -> Iterator[Container]:
    """Run a container, confined, with its service on a free port of this machine's loopback interface.

    Without a volume, `variables` say which store. It may have ended by itself at the beginning of the block, if
    it could not start.
    """
    with _removing() as name:
        command = _command(name, volume_name, "--network", "host", image, variables=_ON_LOOPBACK | variables)
        program = ["podman", "--log-level", "fatal", "run", *command]
        with started(program, CONTAINERS_CONF=str(_ENGINE), CONTAINERS_STORAGE_CONF=str(_STORAGE)) as service:
            yield Container(name, service)


@contextmanager
def detached(image: str, volume_name: str, **variables: str) -> Iterator[str]:
    """Run a container, confined, as the image says, in a network of its own. Gives the container's name."""
    with _removing() as name:
        podman("run", "--detach", *_command(name, volume_name, "--network", "none", image, variables=variables))
        yield name


def ended(image: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a container without a volume, confined, until it ends by itself."""
    with _removing() as name:
        arguments = _command(name, None, "--network", "host", image, *command, variables=variables)
        return podman("run", *arguments, is_failure_fine=True)


def _command(name: str, volume_name: str | None, *rest: str, variables: Mapping[str, str]) -> list[str]:
    mounted = [] if volume_name is None else ["--volume", f"{volume_name}:/var/lib/pexservice"]
    values = [f"--env={variable}={value}" for variable, value in variables.items()]
    return ["--name", name, *_CONFINED, *mounted, *values, *rest]


@contextmanager
def _removing() -> Iterator[str]:
    name = f"pexservice-test-{uuid.uuid4().hex}"
    try:
        yield name
    finally:
        podman("rm", "--force", "--ignore", name)


def _make_bases() -> None:
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    bases = {_BASE: _STORE / f"{release}-base.tar", _RUNTIME: _STORE / f"{release}-runtime.tar"}
    if not all(path.exists() for path in bases.values()):
        tree = _STORE / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        _run("debootstrap", "--variant=minbase", "--include=python3,python3-venv", release, str(tree))
        for path, left_out in zip(bases.values(), (_TRIMMED, _TRIMMED + _SHELLS_AND_BYTECODE), strict=True):
            partial = path.with_suffix(".new")
            exclusions = [f"--exclude=./{pattern}" for pattern in left_out]
            _run("tar", "--directory", str(tree), "--anchored", *exclusions, "--create", "--file", str(partial), ".")
            partial.rename(path)
        shutil.rmtree(tree)
    for name, path in bases.items():
        if podman("image", "exists", name, is_failure_fine=True).returncode:
            podman("import", str(path), name)


def _configure() -> None:
    """Write podman's configuration: a store here, in whichever way the file system allows; runc; no systemd."""
    storage = f'[storage]\ndriver = ""\ngraphroot = "{_STORE}/storage"\nrunroot = "{_STORE}/run"\n'
    _STORAGE.write_text(storage, "utf-8")
    engine = '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    _ENGINE.write_text(engine, "utf-8")


def _environment() -> dict[str, str]:
    return {
        "CONTAINERS_CONF": str(_ENGINE),
        "CONTAINERS_STORAGE_CONF": str(_STORAGE),
        "DOCKER_HOST": "unix:///nonexistent",  # So that `make image` does not prefer a docker that runs here.
    }


def _run(*command: str, is_failure_fine: bool = False) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command,
        cwd=_CHECKOUT,
        env=os.environ | _environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S_MAX,
        check=False,
    )
    if ended.returncode and not is_failure_fine:
        raise AssertionError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[-3000:]}")
    return ended
