"""The container image, built and run as it will be: confined, killed, restarted and stopped.

`make test-image` runs it, as root, with podman and a debootstrap.
"""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pexservice import __version__
from pexservice.core.judging import Place
from pexservice.limits import DEFAULT
from pexservice.trial.linearizability import check
from pexservice.trial.operation import Operation
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS
from support import postgres
from support.much import Much
from support.process import wait_until
from support.show import Show
from system.image import containers
from system.image.containers import Container, detached, ended, podman, serving, volume
from torture.crowd import allow_descriptors, ask_all, connected
from torture.load import Load, place_of

_DESCRIPTORS = 1024
_LOADED_MODULES = """
import importlib.util, sys
import pexservice.cli, pexservice.process.service, pexservice.process.exposition
loaded = [m for m in sys.modules.values() if getattr(m, '__cached__', None)]
from pathlib import Path
print(len(loaded), [m.__name__ for m in loaded if not Path(m.__cached__).exists()])
"""


pytestmark = pytest.mark.timeout(900)
several = pytest.mark.parametrize("workers", ["1", "2"], ids=["one process", "workers"])


@pytest.fixture(scope="session")
def image() -> str:
    """Build the image, once."""
    missing = [tool for tool in containers.TOOLS if shutil.which(tool) is None]
    if os.getuid() != 0 or missing:
        pytest.skip(f"needs root and {', '.join(containers.TOOLS)}; missing: {missing or 'root'}")
    return containers.build()


@pytest.fixture
def data(image: str) -> Iterator[str]:
    """Give a new volume."""
    with volume() as name:
        yield name


def _inspected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(podman("inspect", name).stdout)[0]
    return found


def _memory(container: Container) -> str:
    """Return what the container uses and may use, as its cgroup says."""
    return podman("stats", "--no-stream", "--format", "{{.MemUsageBytes}}", container.name).stdout.strip()


def test_the_image_says_how_to_run_it(image: str, show: Show) -> None:
    """User, port, volume, stop signal, health check and labels are there for engines to read."""
    inspected = _inspected(image)
    config = inspected["Config"]
    assert config["User"] == "65532:65532"
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["Volumes"]) == ["/var/lib/pexservice"]
    assert list(config["ExposedPorts"]) == ["8081/tcp"]
    assert inspected["HealthCheck" if "HealthCheck" in inspected else "Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert (config["Entrypoint"], config["Cmd"]) == (["pexservice"], ["serve"])
    base = _inspected("localhost/pexservice-runtime")
    show(f"{inspected['Size'] / 1e6:.0f} MB, of which the base has {base['Size'] / 1e6:.0f} MB")


def test_the_health_check_tells_well_from_ill(image: str, data: str, show: Show) -> None:
    """As the image says, without any option: healthy once it serves, and not if nothing answers there."""
    with detached(image, data) as name:
        wait_until(lambda: podman("healthcheck", "run", name, is_failure_fine=True).returncode == 0)
        log = podman("logs", name).stderr
        assert "http://0.0.0.0:8081" in log
    with detached(image, data, PEXSERVICE_PORT="8082") as name:
        wait_until(lambda: "listening" in podman("logs", name).stderr)
        ill = podman("healthcheck", "run", name, is_failure_fine=True)
        assert ill.returncode == 1
        assert "unhealthy" in ill.stdout
    show("healthy when it serves, unhealthy when nothing answers")


def test_it_is_confined(image: str, data: str, show: Show) -> None:
    """No root, no rights, no shell, one process; a root that cannot be written; the limits that were asked for."""
    with serving(image, data) as container:
        place_of(container.service)
        process = Path("/proc") / str(container.pid)
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        assert status["Uid"].split() == ["65532"] * 4
        assert status["Gid"].split() == ["65532"] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        mounts = [line.split() for line in (process / "mounts").read_text().splitlines()]
        assert next(options for _, at, _, options, *_ in mounts if at == "/").startswith("ro,")
        assert container.execute("python3", "-c", "open('/tmp/x', 'w')").returncode == 1
        assert container.execute("sh", "-c", "true").returncode == 127
        assert podman("top", container.name, "hpid").stdout.split()[1:] == [str(container.pid)]
        allowed = container.service.logged("the descriptor limit allows fewer connections")["allowed"]
        assert allowed == _DESCRIPTORS - DEFAULT.reserved_descriptors
        sync_method = container.service.logged("recovered")["sync_method"]
        assert sync_method.startswith("posix-aio")  # Direct where the disk takes it.
        memory = _memory(container)
        assert memory.endswith("/ 512MiB")
        show(f"uid 65532, no capability, seccomp, root read-only, no shell, memory {memory}")
        assert container.service.stop() == 0


def test_a_start_compiles_nothing(image: str, data: str, show: Show) -> None:
    """Bytecode cannot be kept in a root that is read-only, so all of it is in the image, the library's too."""
    with serving(image, data) as container:
        count, missing = container.execute("python3", "-c", _LOADED_MODULES).stdout.split(" ", 1)
        assert int(count) > 100
        assert missing.strip() == "[]"
        show(f"there for all {count} modules that a service loads")


def test_a_crowd_is_served_within_the_limits(image: str, data: str, show: Show) -> None:
    """With 512 MiB and 1,024 descriptors, as many clients as that allows are answered, twice over, at the same time."""
    with serving(image, data) as container:
        crowd = container.service.logged("the descriptor limit allows fewer connections")["allowed"] - 10
        allow_descriptors(crowd)
        with connected(container.service, crowd) as clients:
            history = [operation for step in (NEXT, PREVIOUS) for operation in ask_all(clients, step)]
            check(history, Place(0, 0), place_of(container.service))
            memory = _memory(container)
        assert sum(operation.is_taken for operation in history) == 2 * crowd
        show(f"{crowd} clients, {len(history)} steps, memory {memory}")
        assert container.service.stop() == 0


@several
def test_killed_and_restarted_it_stands_where_it_stood(
    image: str, data: str, show: Show, workers: str, much: Much
) -> None:
    """SIGKILL under load, again and again, on one volume: no answered step is lost, and none is taken twice."""
    seed, kills = random.randrange(1 << 32), much.of(10, 100)
    rng = random.Random(seed)
    place = Place(0, 0)
    history: list[Operation] = []
    for _ in range(kills):
        with serving(image, data, PEXSERVICE_WORKERS=workers) as container:
            recovered = place_of(container.service)
            check(history, place, recovered)
            place = recovered
            with Load(container.service, rng) as load:
                load.wait(rng.randrange(200, 1000))
                podman("kill", "--signal", "KILL", container.name)
                assert container.service.wait() == 128 + 9
            history = load.history
    with serving(image, data, PEXSERVICE_WORKERS=workers) as container:
        recovered = place_of(container.service)
        check(history, place, recovered)
        assert container.service.stop() == 0
    show(f"{kills} times under load, sequence {recovered.sequence} intact (seed {seed})")


@several
def test_a_stop_answers_what_was_accepted(image: str, data: str, show: Show, workers: str) -> None:
    """The engine's stop, by the image's stop signal, under load: exit 0, and the walk took just the answered steps."""
    seed = random.randrange(1 << 32)
    with serving(image, data, PEXSERVICE_WORKERS=workers) as container:
        with Load(container.service, random.Random(seed)) as load:
            load.wait(500)
            podman("stop", "--time", str(int(DEFAULT.drain_timeout_s) + 10), container.name)
            assert container.service.wait() == 0
        assert container.service.logged("stopped")
    with serving(image, data, PEXSERVICE_WORKERS=workers) as container:
        place = place_of(container.service)
        check([operation for operation in load.history if operation.is_taken], Place(0, 0), place)
    show(f"under load, exit 0, {place.sequence} steps, all of them answered (seed {seed})")


@pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL; make test-deps brings it")
def test_a_replica_needs_no_volume(image: str, show: Show) -> None:
    """The image has what talks to a server; nothing is written beside it; a replica that is killed is not missed."""
    url = postgres.shared().database(WALK)
    store = {"PEXSERVICE_STORE": url, "PEXSERVICE_DATA_DIR": ""}
    checked = ended(image, "store", "check", **store)
    assert checked.stdout.startswith("A replica may start. Sequence 0"), checked.stderr
    with serving(image, None, **store) as one, serving(image, None, **store) as two:
        with one.service.connect() as here, two.service.connect() as there:
            assert [client.ask("POST", "/next").sequence for client in (here, there) * 5] == list(range(1, 11))
        assert not [change for change in podman("diff", two.name).stdout.splitlines() if change[:1] != "C"]
        podman("kill", "--signal", "KILL", one.name)
        assert one.service.wait() == 128 + 9
        assert two.service.sequence() == 10
        assert two.service.stop() == 0
    both = ended(image, PEXSERVICE_STORE=url)
    assert (both.returncode, "PEXSERVICE_DATA_DIR contradict each other" in both.stderr) == (2, True)
    show("two replicas without a volume, one of them killed; beside a directory it is refused")


def test_damage_ends_the_container_with_65(image: str, data: str, show: Show) -> None:
    """An engine, and whoever reads its events, can tell damage from a crash."""
    with serving(image, data) as container, container.service.connect() as client:
        assert client.ask("POST", "/next").sequence == 1
        client.close()
        assert container.service.stop() == 0
    newest = max(containers.directory_of(data).glob("journal-*.csv"))
    newest.write_bytes(newest.read_bytes() + b"1,1,1n,never,00000000\n")
    with serving(image, data) as container:
        assert container.service.wait() == 65
        assert newest.name in container.service.log
        show(container.service.log.strip().splitlines()[-1])
