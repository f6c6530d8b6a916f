"""Shell completion, in a real bash."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import HANG_S, environment

BASH = shutil.which("bash")
SCRIPT = """
set -eu
eval "$(_PEXSERVICE_COMPLETE=bash_source pexservice)"
COMP_WORDS=({words} "")
COMP_CWORD={count}
COMPREPLY=()
_pexservice_completion pexservice
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a directory that has `pexservice` as a command."""
    file = tmp_path / "pexservice"
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -m pexservice "$@"\n')
    file.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pexservice"], {"serve", "status", "journal", "import", "demo", "bench", "store", "version"}),
        (["pexservice", "journal"], {"verify", "show", "backup", "export"}),
        (["pexservice", "serve", "--durability"], {"fsync", "interval"}),
    ],
)
def test_bash_completes_commands_and_values(program: Path, words: list[str], expected: set[str]) -> None:
    """Whatever a variable of ours holds: a wrong one must not make a key of the keyboard fail."""
    variables = environment(PATH=f"{program}:/usr/bin:/bin", PEXSERVICE_PORT="x", PEXSERVICE_NOPE="1")
    script = SCRIPT.format(words=" ".join(words), count=len(words))
    ended = subprocess.run(
        [str(BASH), "--norc", "-c", script], env=variables, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert set(ended.stdout.split()) == expected
