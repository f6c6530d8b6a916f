"""Going from version to version by deploy/systemd/manage, beside a systemctl that only notes what it is told.

`make test-systemd` does the same in a systemd of its own.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from system.deployment.deploy_files import CHECKOUT

_UNITS: Final = ("pexservice.socket", "pexservice-admin.socket", "pexservice.service", "pexservice-halted.target")
_SYSTEMCTL: Final = """#!/bin/sh
echo "$*" >> {root}/told
case "$*" in
  *"start pexservice.service") ! [ -e {root}/opt/current/fails ] ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Host:
    """What a machine has of the service, below a directory of its own."""

    root: Path

    def version(self, name: str, *lacking: str) -> Path:
        """Make a version, without some of the units."""
        units = self.root / "opt" / name / "units"
        units.mkdir(parents=True)
        for unit in set(_UNITS) - set(lacking):
            (units / unit).write_text(f"{unit} of {name}")
        return units.parent

    def points(self, **links: Path) -> None:
        """Make links, as an install leaves them."""
        for name, to in links.items():
            (self.root / "opt" / name).symlink_to(to)

    def at(self, name: str) -> str | None:
        """Return to which version a link points."""
        link = self.root / "opt" / name
        return link.readlink().name if link.is_symlink() else None

    def roll_back(self) -> int:
        """Go back, and return the exit status."""
        program = ["bash", str(self.root / "checkout/deploy/systemd/manage"), "roll-back"]
        path = f"{self.root}/bin:/usr/bin:/bin"
        return subprocess.run(program, env={"PATH": path}, capture_output=True, check=False).returncode


@pytest.fixture
def host(tmp_path: Path) -> Host:
    text = (CHECKOUT / "deploy/systemd/manage").read_text()
    for place, stands_in in (
        ("PREFIX=/opt/pexservice", "opt"),
        ("UNITS_DIR=/usr/local/lib/systemd/system", "units"),
        ("COMMAND=/usr/local/bin/pexservice", "bin/pexservice"),
        ("CONFIGURATION=/etc/pexservice.env", "env"),
    ):
        assert text.count(place) == 1
        text = text.replace(place, f"{place.partition('=')[0]}={tmp_path}/{stands_in}")
    text = text.replace("[ -d /run/systemd/system ]", "true")
    files = {
        "checkout/deploy/systemd/manage": text,
        "checkout/deploy/systemd/pexservice.env": "",
        "bin/systemctl": _SYSTEMCTL.format(root=tmp_path),
        "bin/journalctl": "#!/bin/sh\n",
        "bin/id": "#!/bin/sh\necho 0\n",
    }
    for name, content in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755)
    return Host(tmp_path)


def test_a_unit_that_a_version_does_not_have_goes_and_comes_back(host: Host) -> None:
    """Back to a version without the admin socket: it is stopped and gone, and the way forward brings it again."""
    old, new = host.version("1-old", "pexservice-admin.socket"), host.version("2-new")
    host.points(current=new, started=new, previous=old)
    installed = host.root / "units"
    installed.mkdir()
    for unit in _UNITS:
        (installed / unit).write_bytes((new / "units" / unit).read_bytes())
    assert host.roll_back() == 0
    assert (host.at("current"), host.at("started"), host.at("previous")) == ("1-old", "1-old", "2-new")
    assert {each.name for each in installed.iterdir()} == set(_UNITS) - {"pexservice-admin.socket"}
    assert (installed / "pexservice.service").read_text() == "pexservice.service of 1-old"
    told = (host.root / "told").read_text().splitlines()
    assert told.index("stop pexservice-admin.socket") < told.index("restart pexservice.service")
    assert host.roll_back() == 0
    assert (installed / "pexservice-admin.socket").read_text() == "pexservice-admin.socket of 2-new"


def test_the_way_back_from_a_version_that_did_not_start_leads_forward_again(host: Host) -> None:
    """It stays as `previous`, whatever kept it from starting: a setting, perhaps."""
    old, new = host.version("1-old"), host.version("2-new")
    host.points(current=new, previous=old)  # So an install leaves them whose start failed.
    (new / "fails").touch()
    assert host.roll_back() == 0
    assert (host.at("current"), host.at("started"), host.at("previous")) == ("1-old", "1-old", "2-new")
    assert host.roll_back() != 0
    assert (host.at("current"), host.at("started"), host.at("previous")) == ("2-new", None, "1-old")
    (new / "fails").unlink()
    assert host.roll_back() == 0
    assert (host.at("current"), host.at("started"), host.at("previous")) == ("1-old", "1-old", "2-new")
    assert host.roll_back() == 0
    assert host.at("current") == "2-new"
