"""How the peers are made. Each is built, or found, or said to be missing."""

import importlib.util
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.asking import ask
from benchmarks.peers import Peer, Program, Unavailable
from benchmarks.peers import catalogue as peers
from benchmarks.peers.postgresql import cluster
from benchmarks.peers.running import module_variables, running
from benchmarks.placement import Placement
from benchmarks.processes import Failed, run

_HERE: Final = Path(__file__).parent
_BUILD_S: Final = 120
"""Go compiles its standard library the first time."""
_WALKED: Final = 30
"""Where the walk stands whose answer the floor repeats: F(30) is 832040."""
_BEFORE_THE_RING: Final = "b0288fc3c54af9432e4a61efe56e10298ed1c8aa"
"""The last commit whose journal appended and synced, one group at a time."""


def available(build: Path, data: Path, placement: Placement, skipped: list[str]) -> list[Peer]:
    """Return the peers that this machine can have, and add to `skipped` why it lacks the others."""
    makers: dict[str, Callable[[], Peer]] = {
        peers.FLOOR: partial(_floor, build, data, placement),
        peers.NGINX: _nginx,
        peers.ORIGINAL: partial(_go, peers.ORIGINAL, "each_second.go", build),
        peers.DURABLE_GO: partial(_go, peers.DURABLE_GO, "fsync.go", build),
        peers.BBOLT: partial(_go, peers.BBOLT, "bbolt.go", build),
        peers.REDIS: _redis,
        peers.POSTGRESQL: partial(_postgresql, build),
        peers.SQLITE: _sqlite,
        peers.FSYNC: partial(_pexservice, peers.FSYNC),
        peers.INTERVAL: partial(_pexservice, peers.INTERVAL),
        peers.BEFORE: partial(_before, build),
    }
    found = []
    for name, make in makers.items():
        try:
            found.append(make())
        except (Unavailable, Failed) as error:
            skipped.append(f"{peers.TITLES[name]}: {error}")
    return found


def compile_c(source: Path, build: Path) -> Path:
    """Compile a program of one file and return it. Raises processes.Failed, Unavailable."""
    program = build / source.stem
    run([_installed("gcc", "gcc"), "-O2", "-o", str(program), str(source)], timeout_s=_BUILD_S)
    return program


def _floor(build: Path, data: Path, placement: Placement) -> Peer:
    program = compile_c(_HERE / "floor.c", build)
    answers = [build / f"answer-{index}" for index in range(3)]
    with running(_pexservice(peers.FSYNC), placement, data) as service:
        for _ in range(_WALKED):
            ask(service.port, "/next")
        keep_alive = ask(service.port, "/next")
        closing = ask(service.port, "/previous", version="1.0")
        keep_alive_10 = ask(service.port, "/next", version="1.0", field="Connection: Keep-Alive\r\n")
    for path, answer in zip(answers, (keep_alive, closing, keep_alive_10), strict=True):
        path.write_bytes(answer)
    arguments = [str(program), "{port}", *map(str, answers)]
    return Peer(
        peers.FLOOR,
        lambda _, port: [Program([each.replace("{port}", str(port)) for each in arguments])],
    )


def _go(name: str, store: str, build: Path) -> Peer:
    program = build / name
    offline = {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",  # Where Debian's packages put the sources of Go libraries.
        "GOFLAGS": "",
        "GOCACHE": str((build / "go").resolve()),
    }
    sources = [str(_HERE / "go" / each) for each in ("walk.go", store)]
    go = _installed("go", "golang-go, golang-github-gorilla-mux-dev, golang-github-coreos-bbolt-dev")
    run([go, "build", "-o", str(program), *sources], timeout_s=_BUILD_S, variables=offline)
    return Peer(
        name,
        lambda directory, port: [Program([str(program), str(port), str(directory / "walk")])],
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

    return Peer(peers.NGINX, programs)


def _fastapi(store: str, port: int, where: str, *packages: str) -> Program:
    """Return FastAPI with a store, as its authors would run it. Raises Unavailable."""
    missing = [name for name in ("fastapi", "uvicorn", *packages) if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(f"the Python packages {', '.join(missing)} are not installed")
    server = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.fastapi_{store}:app", "--port", str(port)]
    return Program(
        [*server, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"],
        {"BENCHMARK_STORE": where} | module_variables(),
    )


def _redis() -> Peer:
    redis = _installed("redis-server", "redis-server")

    def programs(directory: Path, port: int) -> list[Program]:
        path = str(directory / "redis.sock")
        store = [redis, "--port", "0", "--unixsocket", path, "--dir", str(directory), "--save", ""]
        return [
            Program([*store, "--appendonly", "yes", "--appendfsync", "always"]),
            _fastapi("redis", port, path, "redis", "hiredis"),
        ]

    programs(Path(), 0)
    return Peer(peers.REDIS, programs)


def _postgresql(build: Path) -> Peer:
    store = cluster(build / "postgresql")

    def programs(_: Path, port: int) -> list[Program]:
        return [store, _fastapi("postgresql", port, str(build / "postgresql"), "asyncpg")]

    programs(Path(), 0)
    return Peer(peers.POSTGRESQL, programs)


def _sqlite() -> Peer:
    def programs(directory: Path, port: int) -> list[Program]:
        return [_fastapi("sqlite", port, str(directory / "walk"))]

    programs(Path(), 0)
    return Peer(peers.SQLITE, programs)


def _pexservice(durability: str) -> Peer:
    if not peers.PYTHON.exists():
        raise Unavailable("its environment is missing; make bench sets it up")
    serve = [*peers.SERVE, "--durability", durability]
    return Peer(
        durability,
        lambda directory, port: [Program([*serve, "--port", str(port), "--data-dir", str(directory)])],
        tells_place=True,
    )


def _before(build: Path) -> Peer:
    """Return this service as it was, out of the history of the checkout. Raises Unavailable, Failed."""
    if not peers.PYTHON.exists():
        raise Unavailable("its environment is missing; make bench sets it up")
    source = build / peers.BEFORE
    source.mkdir(exist_ok=True)
    archive = source / "source.tar"
    run(["git", "archive", "--output", str(archive), _BEFORE_THE_RING, "src"], timeout_s=_BUILD_S)
    run(["tar", "-x", "-f", str(archive), "-C", str(source)], timeout_s=_BUILD_S)
    return Peer(
        peers.BEFORE,
        lambda directory, port: [
            Program(
                [*peers.SERVE, "--port", str(port), "--data-dir", str(directory)],
                {"PYTHONPATH": str((source / "src").resolve())},
            )
        ],
        tells_place=True,
    )


def _installed(program: str, package: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        raise Unavailable(f"{program} is not installed (Debian: {package})")
    return found
