"""`pexservice status`: of a service, and of whatever else may listen there."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pexservice.cli.status import PATIENCE_S, ServiceStatus
from support.process import Service, command, environment, run, serving
from support.stranger import answering

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
METRICS = (
    'pex_info{version="1",python="3"} 1\npex_position 1\npex_sequence_total 1\npex_digits 1\npex_steps_waiting 0\n'
    "pex_connections_open 1\nprocess_start_time_seconds 1\n"
)


def page(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


STRANGERS = {
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    "closed": b"",
    "bytes": bytes(range(256)) * 16,
    "html": page(b"<!DOCTYPE html><title>It works!</title>"),
    "no-text": page(b"\xff\xfe\x00pex_info{} 1\n"),
    "exporter": page(b"# HELP up Up.\n# TYPE up gauge\nup 1\nprocess_start_time_seconds 1.7e+09\n"),
    "half": page(b'pex_info{version="1"} 1\n'),
    "nan": page(METRICS.replace("pex_position 1", "pex_position NaN").encode()),
    "inf": page(METRICS.replace("pex_digits 1", "pex_digits 1e999").encode()),
    "negative": page(METRICS.replace("pex_connections_open 1", "pex_connections_open -1").encode()),
    "huge": page(METRICS.replace("pex_position 1", "pex_position " + "9" * 400).encode()),
    "no-number": page(METRICS.replace("pex_position 1", "pex_position 1-e").encode()),
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "loop": b"HTTP/1.1 301 Moved\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n",
    "status": b"HTTP/1.1 99999 What\r\n\r\n",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "huge-chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 400 + b"\r\n",
    "cut": HEAD + b"Content-Length: 1000\r\n\r\npex_info{} 1\n",
    "length": HEAD + b"Content-Length: -5\r\n\r\n",
    "long-line": HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "many-fields": HEAD + b"X: x\r\n" * 1_000 + b"\r\n",
    "long": page(METRICS.encode() + b"x" * 300_000),
}


def is_one_line_of_69(ended: subprocess.CompletedProcess[str]) -> bool:
    return ended.returncode == 69 and ended.stdout == "" and ended.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", list(STRANGERS))
def test_a_stranger_is_69_and_one_line(kind: str) -> None:
    """Whatever it says: 1 would mean that a service is there and takes no steps."""
    with answering(STRANGERS[kind]) as port:
        ended = run("status", "--url", f"http://127.0.0.1:{port}")
    assert is_one_line_of_69(ended), ended
    assert f"http://127.0.0.1:{port}" in ended.stderr


@pytest.mark.parametrize(
    ("answer", "then", "period_s"),
    [
        (HEAD + b"\r\n", b"x" * 65_536, 0.0),
        (HEAD, b"X-More: x\r\n", 0.0),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.01),
    ],
    ids=["body", "header", "continue", "drip"],
)
def test_an_answer_without_end_is_left(answer: bytes, then: bytes, period_s: float) -> None:
    """Whether it comes fast or drop by drop."""
    with answering(answer, then=then, period_s=period_s) as port:
        assert is_one_line_of_69(run("status", "--url", f"http://127.0.0.1:{port}"))


def test_silence_is_left() -> None:
    """Who takes a connection and never answers does not keep us."""
    with answering(b"", closes=False) as port:
        ended = run("status", "--url", f"http://127.0.0.1:{port}")
    assert is_one_line_of_69(ended)
    assert "time" in ended.stderr


def test_the_patience_is_less_than_that_of_the_health_check() -> None:
    """Or the container's engine would kill it, and nobody would learn why."""
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text("utf-8")
    assert "--timeout=10s " in dockerfile
    assert PATIENCE_S < 10


@pytest.mark.parametrize(
    "variables",
    [
        {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"},
        {"https_proxy": "http://127.0.0.1:1", "no_proxy": "", "REQUEST_METHOD": "GET"},
        {"SSL_CERT_FILE": "/nonexistent", "SSL_CERT_DIR": "/nonexistent"},
        {"NETRC": "/nonexistent", "HOME": "/nonexistent"},
        {"COLUMNS": "-1", "LINES": "0", "TERM": "dumb"},
        {"COLUMNS": "x", "TERM": ""},
        {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "nowhere", "LC_NUMERIC": "de_DE.UTF-8", "TZ": "Asia/Kathmandu"},
        {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PY_COLORS": "1"},
        {"NO_COLOR": "1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUNBUFFERED": "1", "PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
        {"PYTHONWARNINGS": "error", "PYTHONINTMAXSTRDIGITS": "640"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_the_environment_changes_nothing(service: Service, variables: dict[str, str]) -> None:
    """No proxy stands between us and our own service, and no locale or terminal alters what is told."""
    ended = run("status", "--json", "--url", f"http://127.0.0.1:{service.port}", **variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["health"] == "ok"


def test_a_unix_socket_is_asked(tmp_path: Path) -> None:
    """By the option, or by the variable that told the service to listen there; --url goes before that."""
    where = tmp_path / "socket"
    with serving(tmp_path / "one") as by_port, serving(tmp_path / "other", "--uds", str(where)):
        assert f"unix:{where}" in run("status", "--uds", str(where)).stdout
        assert f"unix:{where}" in run("status", PEXSERVICE_UDS=str(where)).stdout
        url = f"http://127.0.0.1:{by_port.port}"
        assert url in run("status", "--url", url, PEXSERVICE_UDS=str(where)).stdout
    assert is_one_line_of_69(run("status", "--uds", str(tmp_path / "gone")))
    assert is_one_line_of_69(run("status", "--uds", "x" * 200))


def test_nothing_of_a_stranger_controls_the_terminal() -> None:
    """Neither a label of its metrics nor what it says is wrong; a program gets it as JSON has it."""
    odd = "\x1b]0;owned\x07\u202e"
    with answering(page(METRICS.replace('"3"', f'"{odd}"').encode())) as port:
        shown = run("status", "--url", f"http://127.0.0.1:{port}")
        as_json = run("status", "--json", "--url", f"http://127.0.0.1:{port}")
    assert r"python \x1b]0;owned\x07\u202e" in shown.stdout
    assert json.loads(as_json.stdout)["running"]["python"] == odd
    found = ServiceStatus(odd, False, odd, {}, 1, 1.0, 0, 0, 0, 0, {})
    assert all(line.isprintable() for line in found.lines())


def test_json_is_one_object(service: Service) -> None:
    """With the names of the screen, numbers as numbers, and how long it runs."""
    ended = run("status", "--json", "--url", f"http://127.0.0.1:{service.port}")
    found = json.loads(ended.stdout)
    assert (found["ready"], found["health"], ended.stdout.count("\n")) == (True, "ok", 1)
    assert {type(found[name]) for name in ("position", "sequence", "digits", "uptime_s", "memory_bytes")} == {int}
    assert found["running"]["durability"] == "fsync"
    assert found["workers"] is None


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_watch_goes_on_until_it_is_told_to_stop(tmp_path: Path, arguments: list[str]) -> None:
    """Also while the service is away; Ctrl-C ends it as it ends any program, without a word."""
    with serving(tmp_path) as service:
        program = [*command("pexservice"), "status", "--watch", "--url", f"http://127.0.0.1:{service.port}", *arguments]
        with subprocess.Popen(
            program, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        ) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            lines = iter(watching.stdout.readline, "")
            healthy = (line for line in lines if re.search(r'health"?: +"?ok', line))
            assert next(healthy)
            assert next(healthy)
            service.stop()
            assert "nothing answers" in watching.stderr.readline()
            os.kill(watching.pid, signal.SIGINT)
            assert (watching.wait(), "Traceback" in watching.stderr.read()) == (-signal.SIGINT, False)
