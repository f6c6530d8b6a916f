"""The compose file of replicas: what docker-compose makes of it, and that its files mean the same servers and replicas.

What its scripts and nginx's configuration do is run in tests/system/replicas, without Docker.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pexservice.cli import commands
from pexservice.config import parse_duration_s, parse_size_bytes, parse_store
from pexservice.limits import DEFAULT
from system.deployment.deploy_files import CHECKOUT, Manifest, compose, image_environment, page

_DIRECTORY: Final = CHECKOUT / "deploy/replicas"
_FILE: Final = _DIRECTORY / "compose.yaml"
_REPLICAS: Final = [f"replica{number}" for number in (1, 2, 3)]
_SERVERS: Final = ["db1", "db2"]
_WHOLE: Final[dict[str, Any]] = yaml.safe_load(_FILE.read_text())


def _service(name: str) -> Manifest:
    found: Manifest = _WHOLE["services"][name]
    return found


def _resolved(file: Path, scratch: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Return what docker-compose makes of a compose file."""
    text = file.read_text()
    named = scratch / "compose.yaml"
    named.write_text(re.sub(r"^name: .*\n", "", text, flags=re.MULTILINE))  # Version 1 does not know it yet.
    return subprocess.run(
        ["docker-compose", "--project-directory", str(scratch), "--file", str(named), "config"],
        env={"PATH": os.environ["PATH"]} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


needs_compose = pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="docker-compose is not installed; make test-deps brings it"
)


@needs_compose
@pytest.mark.parametrize("file", [_FILE, CHECKOUT / "compose.yaml"], ids=["replicas", "one service"])
def test_docker_compose_takes_it(tmp_path: Path, file: Path) -> None:
    """No field is unknown or of the wrong type; and one that is misspelt is noticed."""
    done = _resolved(file, tmp_path, PGPASSWORD="secret")
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(yaml.safe_load(file.read_text())["services"])
    misspelt = tmp_path / "misspelt.yaml"
    misspelt.write_text(file.read_text().replace("restart:", "restrat:"))
    refused = _resolved(misspelt, tmp_path, PGPASSWORD="secret")
    assert (refused.returncode, "restrat" in refused.stderr) == (1, True)


@needs_compose
def test_without_a_password_it_does_not_begin(tmp_path: Path) -> None:
    """It says where to write it; servers and replicas are given the same one, and nobody an argument."""
    refused = _resolved(_FILE, tmp_path)
    assert (refused.returncode, "deploy/replicas/.env" in refused.stderr) == (1, True)
    services = yaml.safe_load(_resolved(_FILE, tmp_path, PGPASSWORD="secret").stdout)["services"]
    for name in (*_REPLICAS, *_SERVERS):
        assert services[name]["environment"]["PGPASSWORD"] == "secret"
    assert "secret" not in json.dumps([each.get("command") for each in services.values()])
    assert ".env" in (CHECKOUT / ".gitignore").read_text()


def test_a_replica_is_as_the_one_service_is() -> None:
    """But for volume and variables; what is published is what nginx listens on."""
    one = compose()
    for name in _REPLICAS:
        replica = _service(name)
        for field in ("restart", "read_only", "cap_drop", "security_opt", "mem_limit", "memswap_limit", "ulimits"):
            assert replica[field] == one[field], field
        assert "volumes" not in replica
        assert (_DIRECTORY / replica["build"]).resolve() == CHECKOUT
        longest_s = DEFAULT.drain_timeout_s + DEFAULT.store_call_s + DEFAULT.store_away_s
        assert parse_duration_s(replica["stop_grace_period"]) >= longest_s
        assert parse_size_bytes(replica["mem_limit"]) > 0
    assert _service("nginx")["ports"] == [f"{one['ports'][0].rpartition(':')[0]}:80"]


def test_variables_are_options_of_the_service() -> None:
    """And the directory that the image sets is taken back: it and a server contradict each other."""
    known = {option.envvar for command in commands.commands.values() for option in command.params}
    for name in _REPLICAS:
        given = _service(name)["environment"]
        assert {each for each in given if each.startswith("PEXSERVICE_")} <= known
        assert given["PEXSERVICE_DATA_DIR"] == ""
        assert not parse_store(given["PEXSERVICE_STORE"]).has_password
    assert "PEXSERVICE_DATA_DIR" in image_environment()


def test_all_files_mean_the_same_servers_and_replicas() -> None:
    """URL, names that groups wait for, what nginx asks, and what each server calls itself."""
    url = _service("replica1")["environment"]["PEXSERVICE_STORE"]
    matched = re.fullmatch(r"postgresql://(\w+)@([\w,]+)/(\w+)", url)
    assert matched is not None
    user, hosts, database = matched.groups()
    assert hosts.split(",") == _SERVERS
    for name in _SERVERS:
        environment = _service(name)["environment"]
        assert environment["NAME"] == name
        assert (environment["POSTGRES_USER"], environment["POSTGRES_DB"]) == (user, database)
        assert f"{name}:/var/lib/postgresql/data" in _service(name)["volumes"]
    (names,) = re.findall(r"'ANY 1 \(([\w, ]+)\)'", (_DIRECTORY / "primary.sh").read_text())
    assert names.split(", ") == _SERVERS
    asked = re.findall(r"^    server (\w+):(\d+) ", (_DIRECTORY / "nginx.conf").read_text(), re.MULTILINE)
    assert asked == [(name, "8081") for name in _REPLICAS]
    assert set(_service("nginx")["depends_on"]) == set(_REPLICAS)
    for service in _WHOLE["services"].values():
        for mounted in service.get("volumes", []):
            source = mounted.split(":")[0]
            assert (_DIRECTORY / source).exists() if source.startswith("./") else source in _WHOLE["volumes"]
    assert os.access(_DIRECTORY / "server", os.X_OK)


def test_nginx_is_as_the_one_that_is_tried_at_length() -> None:
    """Each directive for steps is one of deploy/proxy/nginx.conf, but for the time a connection takes."""

    def directives(text: str) -> set[str]:
        return set(re.findall(r"^ +(proxy_\w+ [^;]+|keepalive\w* [^;]+|client_\w+ [^;]+);", text, re.MULTILINE))

    tried = directives((CHECKOUT / "deploy/proxy/nginx.conf").read_text())
    steps, _, reads = (_DIRECTORY / "nginx.conf").read_text().partition("location = /current")
    assert tried ^ directives(steps) == {"proxy_connect_timeout 5s", "proxy_connect_timeout 1s"}
    assert directives(reads) - directives(steps) == {"proxy_next_upstream error timeout http_503"}


def test_the_page_names_what_there_is() -> None:
    """Its commands are about these files and services."""
    text = page("replicas.md")
    assert "cd deploy/replicas" in text
    named = set(re.findall(r"docker compose (?:exec|stop|rm --force|run --rm|up --detach)(?: --\S+)* (\w+)", text))
    assert named
    assert named <= set(_WHOLE["services"])
