"""The Kubernetes manifests: valid, restricted, and pointing at each other.

A manifest goes wrong in silence, by a field that is misspelt or a selector that selects nothing. So the schemas of
Kubernetes are applied strictly, and every selector is followed. ServiceMonitor is none of Kubernetes's own kinds, so
there is no schema of it here; what it says is held against what it refers to.
"""

import copy
import shutil
import subprocess
from pathlib import Path
from typing import Final

import kubernetes_validate
import pytest
import yaml

from pexservice import __version__
from pexservice.config import parse_duration_s
from system.deployment.deploy_files import (
    BASE,
    CHECKOUT,
    MONITORING,
    VERSIONS,
    Manifest,
    claim,
    container,
    instruction,
    kustomized,
    manifests,
    name,
    only,
    page,
    pod,
)

_ALL: Final = manifests(BASE) + manifests(MONITORING)
_OWN: Final = [manifest for manifest in _ALL if manifest["kind"] != "ServiceMonitor"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", _OWN, ids=name)
def test_manifests_are_valid(manifest: Manifest, version: str) -> None:
    """No field is unknown, missing, or of the wrong type."""
    assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_a_misspelt_field_is_noticed() -> None:
    """The validation is strict, at any depth."""
    manifest = copy.deepcopy(only("StatefulSet"))
    probe = manifest["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]
    probe["failureTreshold"] = probe.pop("failureThreshold")
    with pytest.raises(kubernetes_validate.ValidationError, match="failureTreshold"):
        kubernetes_validate.validate(manifest, VERSIONS[0], strict=True)


def test_the_base_names_this_version() -> None:
    """The tag is the version of this source, so a release cannot forget it."""
    (image,) = yaml.safe_load((BASE / "kustomization.yaml").read_text())["images"]
    assert image == {"name": container()["image"], "newTag": __version__}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("directory", [BASE, MONITORING], ids=lambda each: each.name)
def test_kustomize_renders_them(tmp_path: Path, directory: Path) -> None:
    """The base stands alone, the overlay brings it along; the image has the version of this source."""
    found = kustomized(directory, tmp_path)
    listed = manifests(BASE) + (manifests(directory) if directory != BASE else [])
    assert sorted(map(name, found)) == sorted(map(name, listed))
    (workload,) = (each for each in found if each["kind"] == "StatefulSet")
    assert workload["spec"]["template"]["spec"]["containers"][0]["image"] == f"pexservice:{__version__}"


def test_selectors_select_the_pod() -> None:
    """An empty selector would mean every pod of the namespace, a wrong one none."""
    labels = pod()["metadata"]["labels"]
    assert labels
    assert only("StatefulSet")["spec"]["selector"]["matchLabels"] == labels
    assert only("Service")["spec"]["selector"] == labels
    assert only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    policies = [each for each in _ALL if each["kind"] == "NetworkPolicy"]
    assert [each["spec"]["podSelector"]["matchLabels"] for each in policies] == [labels] * 2
    assert only("StatefulSet")["spec"]["serviceName"] == only("Service")["metadata"]["name"]


def test_the_pod_is_restricted() -> None:
    """Everything that Kubernetes's pod security standard *restricted* asks for, and a root that cannot be written."""
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert "volumes" not in spec  # The claim is the only one.
    assert not spec["automountServiceAccountToken"]
    user = f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}"
    assert user == instruction("USER")
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]


def test_nothing_is_asked_by_the_pod() -> None:
    """The policy names egress, and lets none out."""
    policy = only("NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "egress" not in policy


def test_one_walk_has_one_writer() -> None:
    """One replica, and a volume that one pod alone may mount."""
    workload = only("StatefulSet")["spec"]
    assert workload["replicas"] == 1
    assert claim()["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_monitor_finds_the_service() -> None:
    """Its selector is in the Service's labels, its port is one of the Service's, its path is where the metrics are."""
    monitor, service = only("ServiceMonitor", MONITORING), only("Service")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert set(monitor["spec"]) == {"selector", "endpoints"}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert set(endpoint) == {"port", "path", "interval"}
    (port,) = (port["targetPort"] for port in service["spec"]["ports"] if port["name"] == endpoint["port"])
    assert port == "admin"
    assert parse_duration_s(endpoint["interval"]) >= 1


def test_the_alerts_become_a_rule_of_the_operator() -> None:
    """The command of docs/kubernetes.md hands on every alert, and nothing but a PrometheusRule around them."""
    (command,) = (block for block in page("kubernetes.md").split("\n\n") if "kind: PrometheusRule" in block)
    made, _, applied = command.rpartition("|")
    assert applied.split() == ["kubectl", "--namespace", "walk", "apply", "--filename", "-"]
    rendered = subprocess.run(["sh", "-c", made], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert yaml.safe_load(rendered.stdout) == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pexservice"},
        "spec": yaml.safe_load((CHECKOUT / "deploy/prometheus/alerts.yaml").read_text()),
    }
