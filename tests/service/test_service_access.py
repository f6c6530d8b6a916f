"""A real service that wants a token for a step."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from pexservice.limits import DEFAULT
from support.client import Answer, Client, message
from support.process import Service, run, serving

TOKEN: Final = "v7Jd3mQ0Zr8yKxT1Lw5nBc"
SECOND: Final = "Xh2fPq9sUe4aNg6iRo0jVk"
WRONG: Final = "Wrong3mQ0Zr8yKxT1Lw5nB"
BEARER: Final = f"Authorization: Bearer {TOKEN}"
STEPS: Final = ("/next", "/previous", "/reset")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two tokens, that logs all it has to say."""
    directory = tmp_path_factory.mktemp("service")
    file = token_file(directory, f"{TOKEN}\n{SECOND}\n")
    with serving(directory / "data", "--token-file", str(file), "--log-level", "debug") as running:
        yield running


def token_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    """Return a file that holds a text."""
    file = directory / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def assert_refused(answer: Answer, status: int, field: str) -> None:
    """Demand a problem document with a challenge that says no more than it must, on a connection that goes on."""
    assert (answer.status, answer["www-authenticate"], answer["cache-control"]) == (status, field, "no-store")
    assert (answer["content-type"], answer.closes) == ("application/problem+json", False)
    assert json.loads(answer.body)["status"] == status
    assert answer.get("pex-sequence") is None


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_step_needs_a_token(client: Client, method: str, path: str) -> None:
    """Each of the tokens steps; none, a wrong one, and two fields get their challenge and take no step."""
    before = client.ask("GET", "/current").sequence
    for _ in range(2):  # Once judged, once looked up.
        assert_refused(client.ask(method, path), 401, 'Bearer realm="pexservice"')
        wrong = client.ask(method, path, f"Authorization: Bearer {WRONG}")
        assert_refused(wrong, 401, 'Bearer realm="pexservice", error="invalid_token"')
        assert_refused(
            client.ask(method, path, BEARER, BEARER), 400, 'Bearer realm="pexservice", error="invalid_request"'
        )
    assert client.ask("GET", "/current").sequence == before
    answers = [client.ask(method, path, f"authorization: BEARER {each}") for each in (TOKEN, TOKEN, SECOND)]
    assert [(answer.status, answer.sequence) for answer in answers] == [(200, before + n) for n in (1, 2, 3)]


def test_a_body_does_not_come_around_the_token(client: Client) -> None:
    """A request with a body, which is not remembered, is judged each time; so is one in pieces."""
    before = client.ask("GET", "/current").sequence
    assert client.ask("POST", "/next", BEARER, body=b"x").status == 200
    assert client.ask("POST", "/next", body=b"x").status == 401
    whole = message("POST", "/next", f"Authorization: Bearer {WRONG}")
    client.send(whole[:-30], whole[-30:])
    assert client.read().status == 401
    assert client.ask("GET", "/current").sequence == before + 1


def test_a_pipeline_is_judged_one_by_one(client: Client) -> None:
    """Of requests sent in one go, those with a token step, in order, and the others do not."""
    before = client.ask("GET", "/current").sequence
    good, bad = message("POST", "/next", BEARER), message("POST", "/next")
    client.send((good + bad) * 3 + message("GET", "/current"))
    answers = [client.read() for _ in range(7)]
    assert [answer.status for answer in answers] == [200, 401] * 3 + [200]
    assert answers[-1].sequence == before + 3


def test_all_else_is_open(client: Client) -> None:
    """Reads, probes and metrics need no token; methods that a path does not take, OPTIONS and 404 are as ever."""
    for path in ("/", "/current", "/livez", "/readyz", "/metrics", "/openapi.json"):
        for fields in ([], [f"Authorization: Bearer {WRONG}"]):
            assert client.ask("GET", path, *fields).status == 200
    for path in STEPS:
        assert [client.ask(method, path).status for method in ("HEAD", "PUT", "OPTIONS")] == [405, 405, 204]
    assert client.ask("POST", "/nothing").status == 404


def test_a_token_does_not_make_a_browser_step(client: Client) -> None:
    """A prefetch, or another site's request, gets 403 with a token, and without one is told of that first."""
    for field in ("Sec-Purpose: prefetch", "Sec-Fetch-Site: cross-site"):
        assert [client.ask("POST", "/next", *more, field).status for more in ([BEARER], [])] == [403, 401]


def test_the_service_says_that_it_needs_a_token(client: Client) -> None:
    """The pages for people and the description for machines do, and the buttons, which could send none, are off."""
    assert "needs a token" in client.ask("GET", "/").body.decode()
    page = client.ask("GET", "/", "Accept: text/html").body.decode()
    assert "needs a token" in page
    assert "<fieldset disabled>" in page
    document = json.loads(client.ask("GET", "/openapi.json").body)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation, "401" in operation["responses"]) == (path in STEPS, path in STEPS)


def test_no_token_is_shown(service: Service, client: Client) -> None:
    """Neither the good nor the wrong ones are in the log, an answer, /metrics, or what ps(1) shows."""
    pages = [client.ask("GET", path, BEARER).body for path in ("/", "/metrics", "/openapi.json", "/nothing")]
    refusals = [client.ask("GET", "/next", f"Authorization: Bearer {WRONG}").body]
    process = Path(f"/proc/{service.pid}")
    shown = [process.joinpath(name).read_bytes() for name in ("cmdline", "environ")]
    for text in (*pages, *refusals, *shown, service.log.encode()):
        assert not any(token.encode() in text for token in (TOKEN, SECOND, WRONG))


def test_tokens_are_replaced_without_a_gap(tmp_path: Path) -> None:
    """Add the new one, restart, move the clients over, drop the old one, restart: someone's is valid all the time."""
    valid = []
    for text in (TOKEN, f"{TOKEN}\n{SECOND}", SECOND):
        file = token_file(tmp_path, text)
        with serving(tmp_path / "data", PEXSERVICE_TOKEN_FILE=str(file)) as service, service.connect() as client:
            tokens = (TOKEN, SECOND)
            answers = [client.ask("POST", "/next", f"Authorization: Bearer {each}") for each in tokens]
            valid.append([answer.status == 200 for answer in answers])
            assert service.stop(signal.SIGTERM) == 0
    assert valid == [[True, False], [True, True], [False, True]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot read the token file"),
        ("", "is empty"),
        (" \n\r\n", "is empty"),
        (TOKEN[:-1], f"needs {DEFAULT.token_characters_min} or more"),
        (f"{TOKEN}\n{SECOND[:-1]}\n", "line 2"),
        (f"Bearer {TOKEN}", "line 1"),
        (f"\n{TOKEN}:", "line 2"),
        (f"={TOKEN}", "is no token"),
        (TOKEN + "\0", "is no token"),
        (TOKEN + "\xe4", "is no token"),
        ((TOKEN + "\n") * (DEFAULT.token_file_bytes_max // len(TOKEN)), "is over 4096 bytes"),
    ],
)
def test_a_bad_token_file_ends_with_2(tmp_path: Path, text: str | None, reason: str) -> None:
    """The message tells the file and the line and shows no part of it; the data directory is not touched."""
    file = tmp_path / "token"
    if text is not None:
        token_file(tmp_path, text)
    ended = run("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--token-file", str(file))
    assert (ended.returncode, reason in ended.stderr, str(file) in ended.stderr) == (2, True, True)
    assert not any(token[:-1] in ended.stderr for token in (TOKEN, SECOND))
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("make", "reason"), [(Path.mkdir, "Is a directory"), (os.mkfifo, "not a regular file")])
def test_a_token_file_that_is_no_file_ends_with_2(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    """A directory or a named pipe is refused; nobody waits for it to be written to."""
    make(tmp_path / "token")
    ended = run("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--token-file", str(tmp_path / "token"))
    assert (ended.returncode, reason in ended.stderr) == (2, True)


def test_a_token_file_that_may_not_be_read_ends_with_77(tmp_path: Path) -> None:
    """Its owner is somebody else."""
    file = token_file(tmp_path, TOKEN, 0o000)
    wrapper = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    )
    ended = run(
        "serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--token-file", str(file), wrapper=wrapper
    )
    assert (ended.returncode, "may not read the token file" in ended.stderr) == (77, True)


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_token_file_for_everyone_is_warned_of(tmp_path: Path, mode: int, warns: bool) -> None:  # noqa: FBT001
    """It works, since Kubernetes makes secrets so, but the log says how to close it."""
    file = token_file(tmp_path, TOKEN, mode)
    with serving(tmp_path / "data", "--token-file", str(file)) as service:
        assert service.logged("listening")["steps"] == "need a token"
        assert ("every user of this machine may read the token file" in service.log) == warns
