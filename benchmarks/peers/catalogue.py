"""Which peers there are. Each is built, or found, or said to be missing."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.asking import ask
from benchmarks.peers import Peer, Program, Unavailable
from benchmarks.peers.running import module_variables, running
from benchmarks.placement import Placement
from benchmarks.processes import Failed, run

FLOOR: Final = "floor"
ORIGINAL: Final = "original"
NGINX: Final = "nginx"
FASTAPI: Final = "fastapi"
FSYNC: Final = "fsync"
INTERVAL: Final = "interval"

TITLES: Final = {
    FLOOR: "C epoll loop, stores nothing",
    NGINX: "nginx, constant answer",
    ORIGINAL: "Go original, stores each second",
    FASTAPI: "FastAPI + Redis, always",
    FSYNC: "pexservice, fsync",
    INTERVAL: "pexservice, interval",
}

_PYTHON: Final = Path(".bench/venv/bin/python").absolute()
"""Of an environment with what the service needs and nothing else, which `make bench` sets up."""
SERVE: Final = [str(_PYTHON), "-m", "pexservice", "serve"]
_HERE: Final = Path(__file__).parent
_BUILD_S: Final = 120
"""Go compiles its standard library the first time."""
_WALKED: Final = 30
"""Where the walk stands whose answer the floor repeats: F(30) is 832040."""


def available(build: Path, data: Path, placement: Placement, skipped: list[str]) -> list[Peer]:
    """Return the peers that this machine can have, and add to `skipped` why it lacks the others."""
    makers: dict[str, Callable[[], Peer]] = {
        FLOOR: partial(_floor, build, data, placement),
        NGINX: _nginx,
        ORIGINAL: partial(_original, build),
        FASTAPI: _fastapi,
        FSYNC: partial(_pexservice, FSYNC),
        INTERVAL: partial(_pexservice, INTERVAL),
    }
    found = []
    for name, make in makers.items():
        try:
            found.append(make())
        except (Unavailable, Failed) as error:
            skipped.append(f"{TITLES[name]}: {error}")
    return found


def compile_c(source: Path, build: Path) -> Path:
    """Compile a program of one file and return it. Raises processes.Failed, Unavailable."""
    program = build / source.stem
    run([_installed("gcc", "gcc"), "-O2", "-o", str(program), str(source)], timeout_s=_BUILD_S)
    return program


def _floor(build: Path, data: Path, placement: Placement) -> Peer:
    program = compile_c(_HERE / "floor.c", build)
    answers = [build / f"answer-{index}" for index in range(3)]
    with running(_pexservice(FSYNC), placement, data) as service:
        for _ in range(_WALKED):
            ask(service.port, "/next")
        keep_alive = ask(service.port, "/next")
        closing = ask(service.port, "/previous", version="1.0")
        keep_alive_10 = ask(service.port, "/next", version="1.0", field="Connection: Keep-Alive\r\n")
    for path, answer in zip(answers, (keep_alive, closing, keep_alive_10), strict=True):
        path.write_bytes(answer)
    arguments = [str(program), "{port}", *map(str, answers)]
    return Peer(
        FLOOR,
        lambda _, port: [Program([each.replace("{port}", str(port)) for each in arguments])],
    )


def _original(build: Path) -> Peer:
    program = build / "original"
    offline = {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",  # Where Debian's packages put the sources of Go libraries.
        "GOFLAGS": "",
        "GOCACHE": str((build / "go").resolve()),
    }
    source = str(_HERE / "original" / "main.go")
    go = _installed("go", "golang-go, golang-github-gorilla-mux-dev")
    run([go, "build", "-o", str(program), source], timeout_s=_BUILD_S, variables=offline)
    return Peer(
        ORIGINAL,
        lambda directory, port: [Program([str(program), str(port), str(directory / "fibo.csv")])],
        tells_place=True,
    )


def _nginx() -> Peer:
    nginx = _installed("nginx", "nginx-light")
    template = (_HERE / "nginx.conf").read_text("ascii")

    def programs(directory: Path, port: int) -> list[Program]:
        configuration = directory / "nginx.conf"
        text = template.replace("@PORT@", str(port)).replace("@DIRECTORY@", str(directory))
        configuration.write_text(text, "utf-8")
        return [Program([nginx, "-e", "stderr", "-p", str(directory), "-c", str(configuration)])]

    return Peer(NGINX, programs)


def _fastapi() -> Peer:
    redis = _installed("redis-server", "redis-server")
    missing = [name for name in ("fastapi", "uvicorn", "redis", "hiredis") if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(f"the Python packages {', '.join(missing)} are not installed")

    def programs(directory: Path, port: int) -> list[Program]:
        path = str(directory / "redis.sock")
        store = [redis, "--port", "0", "--unixsocket", path, "--dir", str(directory), "--save", ""]
        server = [sys.executable, "-m", "uvicorn", "benchmarks.peers.fastapi_redis:app", "--port", str(port)]
        variables = {"BENCHMARK_REDIS": path} | module_variables()
        return [
            Program([*store, "--appendonly", "yes", "--appendfsync", "always"]),
            Program(
                [*server, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"],
                variables,
            ),
        ]

    return Peer(FASTAPI, programs)


def _pexservice(durability: str) -> Peer:
    if not _PYTHON.exists():
        raise Unavailable("its environment is missing; make bench sets it up")
    serve = [*SERVE, "--durability", durability]
    return Peer(
        durability,
        lambda directory, port: [Program([*serve, "--port", str(port), "--data-dir", str(directory)])],
        tells_place=True,
    )


def _installed(program: str, package: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        raise Unavailable(f"{program} is not installed (Debian: {package})")
    return found
