"""The manifests of replicas: as the base, but for what replicas need, and servers that the store takes.

Cluster is a kind of CloudNativePG. What may stand in it is written down beside this file, as its CRD has it.
"""

import copy
import json
import shutil
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from pexservice import __version__
from pexservice.cli import commands
from pexservice.config import parse_size_bytes
from pexservice.limits import DEFAULT
from system.deployment.deploy_files import (
    BASE,
    REPLICAS,
    STORE_INIT,
    VERSIONS,
    Manifest,
    container,
    image_environment,
    kustomized,
    manifests,
    name,
    only,
    page,
    pod,
)

_PATCH: Final = yaml.safe_load((REPLICAS / "poddisruptionbudget.yaml").read_text())
_OWN: Final = [*manifests(REPLICAS), *manifests(STORE_INIT), _PATCH]
_CLUSTER: Final = only("Cluster", REPLICAS)
_DEPLOYMENT: Final = only("Deployment", REPLICAS)
_JOB: Final = only("Job", STORE_INIT)
_SCHEMA: Final = Draft202012Validator(json.loads(Path(__file__).with_name("cluster.schema.json").read_text()))

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", [each for each in _OWN if each["kind"] != "Cluster"], ids=name)
def test_manifests_are_valid(manifest: Manifest, version: str) -> None:
    """No field is unknown, missing, or of the wrong type."""
    assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_the_cluster_is_valid() -> None:
    """Likewise; and a field that is misspelt is noticed."""
    _SCHEMA.validate(_CLUSTER)
    misspelt = copy.deepcopy(_CLUSTER)
    synchronous = misspelt["spec"]["postgresql"]["synchronous"]
    synchronous["dataDurabilty"] = synchronous.pop("dataDurability")
    with pytest.raises(ValidationError, match="dataDurabilty"):
        _SCHEMA.validate(misspelt)


def test_the_servers_are_such_as_replicas_take() -> None:
    """A standby has each group, whatever happens; nobody is promoted who may lack one; each is on a node of its own."""
    spec = _CLUSTER["spec"]
    synchronous = spec["postgresql"]["synchronous"]
    assert spec["instances"] > synchronous["number"] + 1  # One may be lost.
    assert synchronous["number"] >= 1
    assert synchronous["dataDurability"] == "required"
    assert synchronous["failoverQuorum"]
    affinity = spec["affinity"]
    assert (affinity["enablePodAntiAffinity"], affinity["podAntiAffinityType"]) == (True, "required")
    assert parse_size_bytes(spec["storage"]["size"] + "B") >= 2 * DEFAULT.history_bytes_max


@needs_kubectl
def test_kustomize_renders_them(tmp_path: Path) -> None:
    """The base without its StatefulSet, a budget that lets one go, and all with the image of this version."""
    found = {name(each): each for each in kustomized(REPLICAS, tmp_path / "replicas")}
    listed = [each for each in manifests(BASE) + manifests(REPLICAS) if each["kind"] != "StatefulSet"]
    assert sorted(found) == sorted(map(name, listed))
    assert found["pexservice-PodDisruptionBudget"]["spec"] == only("PodDisruptionBudget")["spec"] | {
        "maxUnavailable": 1
    }
    (job,) = kustomized(STORE_INIT, tmp_path / "init")
    for workload in (found["pexservice-Deployment"], job):
        assert container(workload)["image"] == f"pexservice:{__version__}"


def test_a_replica_is_as_the_one_service_is() -> None:
    """But for volume and variables, its pod and container say what those of the base say."""
    one, many = container(), container(_DEPLOYMENT)
    for field in ("image", "ports", "livenessProbe", "readinessProbe", "startupProbe", "resources", "securityContext"):
        assert many[field] == one[field], field
    assert many["terminationMessagePolicy"] == one["terminationMessagePolicy"]
    assert pod(_DEPLOYMENT)["metadata"]["labels"] == pod()["metadata"]["labels"]
    assert _DEPLOYMENT["spec"]["selector"]["matchLabels"] == pod()["metadata"]["labels"]
    for workload in (_DEPLOYMENT, _JOB):
        spec = pod(workload)["spec"]
        assert not spec["automountServiceAccountToken"]
        assert not spec["enableServiceLinks"]
        own = dict(pod()["spec"]["securityContext"])
        del own["fsGroupChangePolicy"]  # There is no history to touch.
        assert spec["securityContext"] == own
        assert container(workload)["securityContext"] == one["securityContext"]


def _variables(workload: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(workload)["env"]}


def test_a_replica_finds_its_servers_and_trusts_no_other() -> None:
    """URL, and the word for the server's certificate, are of the Secrets that CloudNativePG makes for the Cluster."""
    cluster = _CLUSTER["metadata"]["name"]
    known = {option.envvar for command in commands.commands.values() for option in command.params}
    for workload in (_DEPLOYMENT, _JOB):
        variables = _variables(workload)
        assert {each for each in variables if each.startswith("PEXSERVICE_")} <= known
        assert variables["PEXSERVICE_STORE"] == {"secretKeyRef": {"name": f"{cluster}-app", "key": "uri"}}
        assert variables["PGSSLMODE"] == "verify-full"
        (mounted,), (volume,) = container(workload)["volumeMounts"], pod(workload)["spec"]["volumes"]
        assert mounted["name"] == volume["name"]
        assert volume["secret"]["secretName"] == f"{cluster}-ca"
        (item,) = volume["secret"]["items"]
        assert item["key"] == "ca.crt"
        assert variables["PGSSLROOTCERT"] == f"{mounted['mountPath']}/{item['path']}"
    assert _variables(_DEPLOYMENT)["PEXSERVICE_DATA_DIR"] == ""
    assert "PEXSERVICE_DATA_DIR" in image_environment()
    assert container(_JOB)["args"] == ["store", "init"]


def test_replicas_are_spread_and_may_go_one_at_a_time() -> None:
    """Two pods on one node would go with it; an update takes none away before there is another."""
    constraints = pod(_DEPLOYMENT)["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"]: each["whenUnsatisfiable"] for each in constraints} == {
        "kubernetes.io/hostname": "DoNotSchedule",
        "topology.kubernetes.io/zone": "ScheduleAnyway",
    }
    labels = pod(_DEPLOYMENT)["metadata"]["labels"]
    assert [each["labelSelector"]["matchLabels"] for each in constraints] == [labels] * 2
    assert _DEPLOYMENT["spec"]["replicas"] == 3
    assert _DEPLOYMENT["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert _PATCH["spec"] == {"maxUnavailable": 1}


def test_the_policy_lets_replicas_out_to_servers_and_names_alone() -> None:
    """Its selector is that of the pods, and where it leads are the servers' pods, by the label of their Cluster."""
    policy = next(each for each in manifests(REPLICAS) if each["kind"] == "NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == pod(_DEPLOYMENT)["metadata"]["labels"]
    assert policy["policyTypes"] == ["Egress"]
    store, names = policy["egress"]
    assert store["to"] == [{"podSelector": {"matchLabels": {"cnpg.io/cluster": _CLUSTER["metadata"]["name"]}}}]
    assert [each["port"] for each in store["ports"]] == [5432]
    assert [(each["port"], each["protocol"]) for each in names["ports"]] == [(53, "UDP"), (53, "TCP")]


def test_a_stop_is_given_the_time_it_may_take() -> None:
    """The pause before the stop, and the drain, and the time to let the server answer."""
    ((_, _, program),) = (container(_DEPLOYMENT)["lifecycle"]["preStop"]["exec"]["command"],)
    pause_s = int(program.partition("sleep(")[2].rstrip(")"))
    longest_s = pause_s + DEFAULT.drain_timeout_s + DEFAULT.store_call_s + DEFAULT.store_away_s
    assert pod(_DEPLOYMENT)["spec"]["terminationGracePeriodSeconds"] >= longest_s


def test_the_page_names_what_there_is() -> None:
    """The commands of docs/replicas.md name the directories, the Job and the Cluster."""
    text = page("replicas.md")
    assert f"deploy/kubernetes/overlays/{REPLICAS.name}" in text
    assert f"deploy/kubernetes/{STORE_INIT.name}" in text
    assert f"job/{_JOB['metadata']['name']}" in text
    assert f"cluster/{_CLUSTER['metadata']['name']}" in text
