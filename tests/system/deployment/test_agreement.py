"""What is said of the service where it is deployed, against what the service is.

A port, a path, a variable or a bound that is written in the Dockerfile, compose.yaml or a manifest is written in the
code too, and the one that is forgotten is noticed in production. So each is compared here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pexservice.cli import commands
from pexservice.config import parse_duration_s, parse_size_bytes
from pexservice.limits import DEFAULT, MIB
from support.process import run, serving
from system.deployment.deploy_files import (
    MONITORING,
    claim,
    compose,
    compose_volumes,
    container,
    image_environment,
    instruction,
    only,
    page,
    pod,
)

_STOP_MARGIN_S: Final = 10
"""Beyond the drain: to let the disk answer, and the journal be closed."""


def test_the_service_answers_where_it_is_asked(tmp_path: Path) -> None:
    """The paths of probes and of the monitor are there; they mean one port, and clients another."""
    probes = [container()[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    paths = [probe["path"] for probe in probes] + [only("ServiceMonitor", MONITORING)["spec"]["endpoints"][0]["path"]]
    with serving(tmp_path) as service, service.connect() as client:
        assert [client.ask("GET", path).status for path in paths] == [200] * 4
    walk, admin = container()["ports"]
    (variable,) = (each["value"] for each in container()["env"] if each["name"] == "PEXSERVICE_ADMIN_BIND")
    assert variable == f"0.0.0.0:{admin['containerPort']}"
    monitoring = only("NetworkPolicy", MONITORING)["spec"]["ingress"]
    assert {each["port"] for each in [*probes, *monitoring[0]["ports"]]} == {admin["name"]}
    assert [port["targetPort"] for port in only("Service")["spec"]["ports"]] == [walk["name"], admin["name"]]
    (rule,) = only("NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"port": walk["name"]}]
    default = next(option.default for option in commands.commands["serve"].params if option.name == "port")
    assert walk["containerPort"] == default == int(instruction("EXPOSE"))
    assert compose()["ports"] == [f"127.0.0.1:{default}:{default}"]


def test_a_stop_is_given_the_time_it_may_take() -> None:
    """Whoever stops the service waits for longer than it drains."""
    longest_s = DEFAULT.drain_timeout_s + _STOP_MARGIN_S
    assert pod()["spec"]["terminationGracePeriodSeconds"] >= longest_s
    assert parse_duration_s(compose()["stop_grace_period"]) >= longest_s


def test_limits_are_what_the_service_is_made_for() -> None:
    """512 MiB, one core, a descriptor for each connection, and room for the history and as much again."""
    resources, limits = container()["resources"], compose()
    assert resources["requests"] == resources["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert parse_size_bytes(limits["mem_limit"]) == parse_size_bytes(limits["memswap_limit"]) == 512 * MIB
    assert limits["cpus"] == 1
    assert limits["ulimits"]["nofile"] >= DEFAULT.connections_max + DEFAULT.reserved_descriptors
    assert parse_size_bytes(claim()["spec"]["resources"]["requests"]["storage"] + "B") >= 2 * DEFAULT.history_bytes_max


def test_the_page_tells_what_the_manifests_say() -> None:
    """The numbers in the table of docs/kubernetes.md, and those in the command of docs/container.md."""
    told = page("kubernetes.md")

    def number(pattern: str) -> str:
        found = re.search(pattern, told)
        assert found is not None, pattern
        return found[1]

    for kind in ("startup", "liveness"):
        probe = container()[f"{kind}Probe"]
        longest_s = probe["periodSeconds"] * probe["failureThreshold"]
        assert int(number(rf"{kind} probe `/livez`, (\d+) min")) * 60 == longest_s
    assert int(number(r"grace period (\d+) s")) == pod()["spec"]["terminationGracePeriodSeconds"]
    limits = container()["resources"]["limits"]
    assert parse_size_bytes(number(r"\| (\d+ MiB), \d+ CPU")) == parse_size_bytes(limits["memory"] + "B")
    assert number(r"MiB, (\d+) CPU") == limits["cpu"]
    storage = claim()["spec"]["resources"]["requests"]["storage"] + "B"
    assert parse_size_bytes(number(r"volume claim, \w+, (\d+ GiB)")) == parse_size_bytes(storage)
    assert f"port {container()['ports'][1]['containerPort']}" in told
    assert f"group {pod()['spec']['securityContext']['fsGroup']}" in told
    told = page("container.md")
    assert number(r"--memory (\S+)") == number(r"--memory-swap (\S+)") == compose()["mem_limit"]
    assert int(number(r"--cpus (\S+)")) == compose()["cpus"]
    assert int(number(r"--stop-timeout (\d+)")) == parse_duration_s(compose()["stop_grace_period"])


def test_the_volume_is_mounted_where_the_data_is() -> None:
    """The image, the pod and compose mean the same directory."""
    data_dir = image_environment()["PEXSERVICE_DATA_DIR"]
    assert instruction("VOLUME") == data_dir
    assert container()["volumeMounts"] == [{"name": claim()["metadata"]["name"], "mountPath": data_dir}]
    assert [volume.split(":")[1] for volume in compose()["volumes"]] == [data_dir]


def test_the_page_and_compose_name_the_same_things() -> None:
    """What docs/container.md does to the container and the volume works with compose too."""
    run_it = re.search(r"docker run --detach --name (\S+) .* --volume (\S+):", page("container.md"))
    assert run_it is not None
    (mounted,) = (volume.split(":")[0] for volume in compose()["volumes"])
    assert run_it.groups() == (compose()["container_name"], compose_volumes()[mounted]["name"])
    assert set(re.findall(r"docker exec (\S+)", page("container.md"))) == {compose()["container_name"]}


def _variables() -> Iterator[str]:
    yield from image_environment()
    yield from compose()["environment"]
    yield from (variable["name"] for variable in container()["env"])


def test_variables_are_options_of_the_service() -> None:
    """A variable that no option reads would be ignored in silence."""
    known = {option.envvar for command in commands.commands.values() for option in command.params}
    given = {name for name in _variables() if name.startswith("PEXSERVICE_")}
    assert given
    assert given <= known


def test_kubernetes_sets_no_variables_of_its_own() -> None:
    """For a Service of our name, it would set one that is an option, to what is no port."""
    assert pod()["spec"]["enableServiceLinks"] is False
    assert run("serve", PEXSERVICE_PORT="tcp://10.0.0.1:80").returncode == 2
