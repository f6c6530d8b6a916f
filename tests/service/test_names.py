"""Names that are no text, and locales that are not UTF-8: shown with escapes, and never an error of themselves."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from support.process import HANG_S, command, environment
from support.unheard import answering

NAME: Final = os.fsdecode(b"m\xff\n\x1b[1m\xc3\xa9")
SHOWN: Final = r"m\xff\n\x1b[1m"
LOCALES: Final = [
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii:strict"},
]


def ended(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends by itself; what it says is ASCII or escaped."""
    return subprocess.run(
        command("pexservice", *arguments),
        env=environment(**variables),
        capture_output=True,
        encoding="latin-1",
        timeout=HANG_S,
        check=False,
    )


@pytest.mark.parametrize("variables", LOCALES, ids=str)
@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_service_serves_them(tmp_path: Path, variables: dict[str, str], log_format: str) -> None:
    """Data directory, socket and token file; the log has them in one line, escaped, and is valid JSON."""
    base = tmp_path / NAME
    base.mkdir()
    token = base / "token"
    token.write_text("v7Jd3mQ0Zr8yKxT1Lw5nBc")
    token.chmod(0o644)  # That is warned of.
    options = ["--token-file", str(token), "--log-format", log_format]
    with answering(base, *options, stderr=subprocess.PIPE, **variables) as (process, client):
        assert client.ask("GET", "/current").sequence == 0
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=HANG_S)
    lines = said.decode("latin-1").splitlines()
    assert process.returncode == 0, ascii(lines)
    if log_format == "json":
        lines = ["{event} {where}".format_map({"where": ""} | json.loads(line)) for line in lines]
    [listening] = [line for line in lines if "listening" in line]
    assert f"unix:{tmp_path}/{SHOWN}" in listening


@pytest.mark.parametrize("variables", LOCALES, ids=str)
def test_commands_show_them(tmp_path: Path, variables: dict[str, str]) -> None:
    """Also in what goes wrong, on standard output and standard error."""
    base = tmp_path / NAME
    base.mkdir()
    original, data = base / "fibo.csv", str(base / "data")
    original.write_text("58,11,55,89,144")
    assert SHOWN[:5] in ended("import", str(original), "--data-dir", data, **variables).stdout
    for arguments, status in [
        (["import", str(original), "--data-dir", data], 73),
        (["import", str(base / "none"), "--data-dir", data], 73),
        (["journal", "verify", "--data-dir", str(base / "none")], None),
        (["serve", "--uds", str(original), "--data-dir", data], 69),
        (["serve", "--token-file", str(base / "none")], 2),
        (["serve", "--host", NAME, "--data-dir", str(base / "other")], 69),
    ]:
        done = ended(*arguments, **variables)
        assert status in {None, done.returncode}, ascii(done)
        assert done.returncode not in {0, 1, 70}, ascii(done)
        assert "Traceback" not in done.stderr
        said = done.stderr.replace("\\\\", "\\")  # A value in quotes.
        assert SHOWN[:5] in said, ascii(done)
