"""The SBOM: a CycloneDX 1.6 document of what an installation consists of (https://cyclonedx.org/docs/1.6/json).

The lock file is the truth about versions and hashes, and the environment that the wheel was tried in about licences and
who needs whom. The lock allows several files of a component, one for each platform, so their hashes stand with its
distribution. Nothing in the document depends on when or where it was made.
"""

import json
import re
import tomllib
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release.building import Unfit
from release.installed import Environment
from release.lock import Locked, read

_NAME: Final = re.compile(r"[\w.-]+")
_DESCRIBE: Final = """
import importlib.metadata as metadata, json, sys
def described(name):
    fields = metadata.metadata(name)
    return {key: fields.get(key) for key in ("License-Expression", "License", "Summary")} | {
        "needs": [each for each in metadata.requires(name) or [] if "extra ==" not in each]}
print(json.dumps({name: described(name) for name in sys.argv[1:]}))
"""


def write(source: Path, wheel: Path, version: str, installed: Environment, epoch_s: int) -> str:
    """Return the SBOM of a wheel, from its source tree and an environment that it is installed in. Raises Unfit."""
    packages = read((source / "requirements" / "run.txt").read_text("utf-8"))
    names = [package.name for package in packages]
    described = json.loads(installed.python("-c", _DESCRIBE, "pexservice", *names))
    builds = {_normal(need) for need in _build_requirements(source)}
    digest = sha256(wheel.read_bytes()).hexdigest()
    root = {
        "type": "application",
        "bom-ref": f"pkg:pypi/pexservice@{version}",
        "name": "pexservice",
        "version": version,
        "purl": f"pkg:pypi/pexservice@{version}",
        "description": described["pexservice"]["Summary"],
        "licenses": _licences(described["pexservice"]),
        "hashes": [_sha256(digest)],
    }
    references = {_normal(package.name): package.reference for package in packages}
    needed = [(root["bom-ref"], described["pexservice"])] + [
        (each.reference, described[each.name]) for each in packages
    ]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid5(NAMESPACE_URL, f"sha256:{digest}").urn,
        "version": 1,
        "metadata": {"timestamp": datetime.fromtimestamp(epoch_s, UTC).isoformat(), "component": root},
        "components": [_component(each, described[each.name], builds) for each in packages],
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(_needs(of["needs"], references))} for reference, of in needed
        ],
    }
    text = json.dumps(document, indent=2) + "\n"
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise Unfit(f"the SBOM is not valid: {error}")
    return text


def _component(package: Locked, described: dict[str, Any], builds: set[str]) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": package.reference,
        "name": package.name,
        "version": package.version,
        "purl": package.reference,
        "description": described["Summary"],
        "scope": "excluded" if _normal(package.name) in builds else "required",
        "licenses": _licences(described),
        "externalReferences": [
            {"type": "distribution", "url": package.reference, "hashes": [_sha256(each) for each in package.hashes]}
        ],
    }


def _licences(described: dict[str, Any]) -> list[dict[str, Any]]:
    if described["License-Expression"]:
        return [{"expression": described["License-Expression"]}]
    if described["License"]:
        return [{"license": {"name": described["License"]}}]
    return []


def _needs(requirements: list[str], references: dict[str, str]) -> set[str]:
    """Return what is installed of the requirements; the others are for other platforms or versions of Python."""
    names = {_normal(requirement) for requirement in requirements}
    return {reference for name, reference in references.items() if name in names}


def _build_requirements(source: Path) -> list[str]:
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))
    requirements: list[str] = project["build-system"]["requires"]
    return requirements


def _normal(requirement: str) -> str:
    """Return the name that a requirement begins with, as PEP 503 normalises it."""
    matched = _NAME.match(requirement)
    assert matched is not None, requirement
    return re.sub(r"[-_.]+", "-", matched[0]).lower()


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
