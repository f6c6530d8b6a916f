"""Every option of `serve` and its variable, with values that nobody meant: no defect, no traceback, no hang.

What a start may come to is known. It serves, and stops with 0; or it ends with a status of the catalogue that is no
defect, and says why in words. Values are picked from lists of what has been wrong somewhere before, and mutated. The
seed is in the output of a failure; PEX_SEED replays it, and PEX_ROUNDS takes longer.
"""

import json
import os
import random
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import pytest

from pexservice.cli.serve import serve
from support.process import HANG_S, command
from support.unheard import running

_SEED: Final = int(os.environ.get("PEX_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
_ROUNDS: Final = int(os.environ.get("PEX_ROUNDS", "4"))
"""For each option; with a dozen options some 50 starts of a third of a second."""
_SILENT_S: Final = 5
_ENDS: Final = {0, 2, 65, 69, 71, 73, 74, 75, 77}
_NUMBERS: Final = [
    *("0", "-0", "1", "-1", "00", "1e3", "0x10", "\u0661", "1_0", "", " ", "nan", "inf", "-inf", "1.5", ".5", "5."),
    *("+5", "65535", "65536", str(1 << 31), str(1 << 63), str(1 << 64), "1\n", "1 2", "9" * 30, "9" * 5000),
    "0." + "0" * 400 + "1",
]
_UNITS: Final = ["", "ms", "s", "m", "h", "d", "B", "KiB", "GB", "GiB", "TiB", " h", "S", "µs"]
_HOSTS: Final = [
    *("", " ", ".", "..", "127..0.0.1", "a..b", "x" * 64, "x" * 300, "127.1", "0x7f.1", "256.0.0.1", "localhost", "::"),
    *("::1", "[::1]", "fe80::1", "fe80::1%none", "::ffff:127.0.0.1", "\udcff", "é.test", "-", "--port", "*", "@"),
    *("127.0.0.1:80", "192.0.2.1", "localhost."),
]
_PATHS: Final = [
    *("", ".", "..", "/", "/dev/null", "/dev/full", "/dev/zero", "/dev/tty", "/proc/self/mem", "/proc/self/fd/2"),
    *("/nonexistent/x", "x" * 108, "x" * 300, "x/" * 3000, "m\udcff", "a\nb", "~", "-", "--", "file", "file/x", "fifo"),
    *("loop", "socket", "dangling", "directory", "\x1b[1m", "é"),
]
_WORDS: Final = ["", "FSYNC", "fsync ", "json", "console", "debug", "critical", "interval", "\udcff", "x" * 5000]


def _values(rng: random.Random, kind: "click.ParamType[Any]") -> str:  # Generic since click 8.4.
    """Return a value that an option of this kind may be given."""
    number = rng.choice(_NUMBERS) + rng.choice(_UNITS)
    pools = {
        "path": _PATHS,
        "directory": _PATHS,
        "file": _PATHS,
        "host:port": [f"{rng.choice(_HOSTS)}:{rng.choice(_NUMBERS)}", f"[{rng.choice(_HOSTS)}]:0"],
        "text": _HOSTS,
        "choice": [*_WORDS, *getattr(kind, "choices", ())],
    }
    value: str = rng.choice(pools.get(kind.name, [number, rng.choice(_NUMBERS)]))
    if rng.random() < 0.1:
        value = rng.choice([*_NUMBERS, *_HOSTS, *_PATHS, *_WORDS])
    if value and rng.random() < 0.2:
        at = rng.randrange(len(value))
        value = value[:at] + chr(rng.choice([9, 32, 37, 46, 58, 91, 0x3B1, 0xDCFE])) + value[at + 1 :]
    return value


def _furnish(directory: Path) -> None:
    """Make what paths may lead to."""
    (directory / "file").write_text("")
    (directory / "directory").mkdir()
    os.mkfifo(directory / "fifo")
    (directory / "loop").symlink_to("loop")
    (directory / "dangling").symlink_to("nowhere")


def _run(directory: Path, arguments: Sequence[str], variables: dict[str, str]) -> "tuple[int, str]":
    """Serve, and stop as soon as it listens; return exit status and log."""
    program = command("pexservice", "serve", *arguments)
    said = ""
    with running(program, cwd=directory, stderr=subprocess.PIPE, variables=variables) as process:
        assert process.stderr is not None
        # With a log of errors alone nothing tells that it listens.
        stopping = threading.Timer(_SILENT_S, process.send_signal, [signal.SIGTERM])
        stopping.start()
        try:
            for line in process.stderr:
                said += line.decode(errors="backslashreplace")
                if b"listening" in line:
                    process.send_signal(signal.SIGTERM)
            return process.wait(HANG_S), said
        finally:
            stopping.cancel()


@pytest.mark.parametrize("option", [each for each in serve.params if each.envvar], ids=lambda each: each.name)
def test_no_value_is_a_defect(tmp_path: Path, option: click.Option) -> None:
    """As an argument or as a variable, alone or with others: it serves, or is refused with a reason."""
    rng = random.Random(f"{_SEED} {option.name}")
    others = [each for each in serve.params if isinstance(each, click.Option) and each.envvar]
    for number in range(_ROUNDS):
        directory = tmp_path / str(number)
        directory.mkdir()
        _furnish(directory)
        wrong = {option, *rng.sample(others, rng.choice([0, 0, 1, 2]))}
        arguments, variables = ["--log-format=json"], {"PEXSERVICE_PORT": "0"}
        for each in sorted(wrong, key=lambda each: str(each.name)):
            value = _values(rng, each.type).replace("\0", "")
            if rng.random() < 0.5:
                arguments.append(f"{each.opts[0]}={value}")
            else:
                variables[str(each.envvar)] = value
        told = f"PEX_SEED={_SEED}: {arguments!a} {variables!a}"
        status, said = _run(directory, arguments, variables)
        _judge(status, said, told)


def _judge(status: int, said: str, told: str) -> None:
    assert status in _ENDS, f"{told} ended with {status}: {said!a}"
    assert "Traceback" not in said, f"{told}: {said!a}"
    if status == 0:
        return
    assert said.strip(), f"{told} ended with {status} and without a word"
    last = said.strip().splitlines()[-1]
    if last.startswith("{"):
        ended = json.loads(last)
        assert ended["event"] in {"wrong usage", "cannot go on"}, f"{told}: {said!a}"
        assert ended["exit_status"] == status, f"{told}: {said!a}"
        assert "None" not in ended["error"], f"{told}: {said!a}"
