"""`make dist`: make everything that is given out of the last commit, or nothing."""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from release import installed, inventory
from release.building import Commit, Unfit, build

_INTO: Final = Path("dist")


def main() -> None:
    """Make wheel, sdist, SBOM and their checksums. Ends with 1, and leaves `dist` alone, if anything is unfit."""
    try:
        with TemporaryDirectory(prefix="pexservice-release-") as work:
            made = _make(Path(work))
            shutil.rmtree(_INTO, ignore_errors=True)
            shutil.copytree(made, _INTO)
    except (Unfit, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.exit(f"no release: {error}")
    print((_INTO / "SHA256SUMS").read_text("ascii"), end="")  # noqa: T201 - for the terminal.


def _make(work: Path) -> Path:
    commit = Commit.head(Path())
    built = build(commit, work)
    source = work / "source"
    version = built.wheel.name.split("-")[1]
    environment = installed.Environment.install(built.wheel, source / "requirements" / "run.txt", work / "environment")
    installed.use(environment, version, work / "data")
    made = work / "built"
    sbom = inventory.write(source, built.wheel, version, environment, commit.epoch_s)
    (made / f"pexservice-{version}.cdx.json").write_text(sbom, "utf-8")
    sums = "".join(f"{sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(made.iterdir()))
    (made / "SHA256SUMS").write_text(sums, "ascii")
    return made


if __name__ == "__main__":
    main()
