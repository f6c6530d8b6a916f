"""What the Dockerfile, compose.yaml and the Kubernetes manifests say, for tests that hold it against each other."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml

Manifest = dict[str, Any]

CHECKOUT: Final = Path(__file__).parents[3]
VERSIONS: Final = ["1.29", kubernetes_validate.latest_version().rpartition(".")[0]]
"""Of Kubernetes: from the first in which ReadWriteOncePod is stable, to the newest there are schemas of."""
BASE: Final = CHECKOUT / "deploy/kubernetes/base"
MONITORING: Final = CHECKOUT / "deploy/kubernetes/overlays/monitoring"
REPLICAS: Final = CHECKOUT / "deploy/kubernetes/overlays/replicas"
STORE_INIT: Final = CHECKOUT / "deploy/kubernetes/store-init"
_RESOURCES_SINCE: Final = 21
"""The kubectl 1.20 of Debian 12 has a Kustomize of 2019, for which a directory is no resource, but a base, and what is
deleted is still there, with nothing in it."""


def manifests(directory: Path) -> list[Manifest]:
    """Return what the kustomization of a directory lists there."""
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    files = [directory / name for name in kustomization["resources"] if name.endswith(".yaml")]
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]


def only(kind: str, directory: Path = BASE) -> Manifest:
    """Return the one manifest of a kind."""
    (manifest,) = (each for each in manifests(directory) if each["kind"] == kind)
    return manifest


def kustomized(directory: Path, scratch: Path) -> list[Manifest]:
    """Return what kubectl makes of the kustomization of a directory."""
    version = json.loads(_kubectl("version", "--client", "--output=json"))["clientVersion"]
    if int(version["minor"].rstrip("+")) < _RESOURCES_SINCE:
        directory = shutil.copytree(BASE.parent, scratch / "kubernetes") / directory.relative_to(BASE.parent)
        file = directory / "kustomization.yaml"
        text = file.read_text().replace("resources:\n  - ../../base\n", "bases:\n  - ../../base\nresources:\n")
        file.write_text(text.replace("patches:", "patchesStrategicMerge:").replace("- path: ", "- "))
    return [each for each in yaml.safe_load_all(_kubectl("kustomize", str(directory))) if each]


def _kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


def name(manifest: Manifest) -> str:
    """Return name and kind of a manifest, which no other shares."""
    return f"{manifest['metadata']['name']}-{manifest['kind']}"


def pod(workload: Manifest | None = None) -> Manifest:
    """Return the template of the pod of a workload; of the StatefulSet, if none is given."""
    template: Manifest = (workload or only("StatefulSet"))["spec"]["template"]
    return template


def container(workload: Manifest | None = None) -> Manifest:
    """Return that pod's one container."""
    (found,) = pod(workload)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def claim() -> Manifest:
    """Return the claim of the pod's volume."""
    (found,) = only("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert isinstance(found, dict)
    return found


def compose() -> Manifest:
    """Return what compose.yaml says of the service."""
    service: Manifest = _compose_file()["services"]["pexservice"]
    return service


def compose_volumes() -> dict[str, Manifest]:
    """Return the volumes that compose.yaml declares."""
    declared: dict[str, Manifest] = _compose_file()["volumes"]
    return declared


def _compose_file() -> Manifest:
    whole: Manifest = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
    return whole


def page(name: str) -> str:
    """Return a page of docs."""
    return (CHECKOUT / "docs" / name).read_text("utf-8")


def instruction(name: str) -> str:
    """Return the last such instruction of the Dockerfile, without its name."""
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    found: list[str] = re.findall(rf"^{name} (.*)$", text, re.MULTILINE)
    return found[-1].strip()


def image_environment() -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())
