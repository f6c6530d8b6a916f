"""The box office of docs/build-your-own.md, as a service: killed, restarted, sold out, verified."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from support import postgres
from support.client import Answer, message
from support.process import HANG_S, Service, command, environment, free_port, run, serving

CHECKOUT: Final = Path(__file__).parents[2]
PAGE: Final = (CHECKOUT / "docs" / "build-your-own.md").read_text("utf-8")
SEATS: Final = 20


@contextmanager
def box_office(data_dir: Path | None, *arguments: str) -> Iterator[Service]:
    """Serve it from the folder of examples."""
    with serving(data_dir, *arguments, program=command("tickets"), PYTHONPATH=_path()) as service:
        yield service


def ticket_command(*arguments: str) -> tuple[int, str]:
    """Run another command of it, and return its exit status and all that it printed."""
    done = run(*arguments, program=command("tickets"), PYTHONPATH=_path())
    return done.returncode, done.stdout + done.stderr


def _path() -> str:
    return f"{environment()['PYTHONPATH']}:{CHECKOUT / 'examples'}"


def buy(service: Service, holder: str, seats: object, path: str = "/buy") -> Answer:
    """Ask for seats."""
    with service.connect() as client:
        return client.ask("POST", f"{path}?holder={holder}&seats={seats}")


def hall(service: Service) -> dict[str, Any]:
    """Return who holds what."""
    with service.connect() as client:
        shown: dict[str, Any] = json.loads(client.ask("GET", "/hall").body)
        return shown


@pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")
def test_each_seat_is_sold_once_by_several_at_a_server() -> None:
    """Its own command line makes the schema, for its machine and no other; what one sold, the other has not."""
    server = postgres.shared()
    server.ask("CREATE DATABASE hall")
    url = f"{server.url}/hall"
    made = ticket_command("store", "init", "--one-server", url)
    assert made == (0, "The schema is made. Sequence 0, left 20, held -.\n")
    assert ticket_command("store", "init", "--import", "fibo.csv", url)[0] == 2  # That is of the walk alone.
    with box_office(None, "--store", url) as one, box_office(None, "--store", url) as other:
        assert buy(one, "ann", 15).sequence == 1
        assert buy(other, "bob", 6).status == 409
        assert buy(other, "bob", 5).sequence == 2
        assert hall(one) == {"sequence": 2, "left": 0, "held": {"ann": 15, "bob": 5}}
    checked = ticket_command("store", "check", url)
    assert (checked[0], "Sequence 2, left 0, held ann:15 bob:5" in checked[1]) == (0, True), checked
    refused = run("store", "check", url)
    assert (refused.returncode, "a machine called tickets" in refused.stderr) == (65, True), refused.stderr


def test_each_seat_is_sold_once(tmp_path: Path) -> None:
    """What is sold is there after a kill; what is refused took no number, wrote nothing, and says why."""
    with box_office(tmp_path) as service:
        assert buy(service, "ann", 15).status == 200
        refused = buy(service, "bob", 6)
        assert (refused.status, refused.sequence) == (409, 1)
        assert json.loads(refused.body)["title"] == "Sold out"
        assert buy(service, "bob", 5).sequence == 2
        assert buy(service, "bob", 6, "/return").status == 409
        shown = ticket_command("status", "--url", f"http://127.0.0.1:{service.port}")[1]
        assert re.search(r"seats_left: +0\n.*sequence: +2\n.*steps/s: +0\n", shown), shown
        service.send_signal(signal.SIGKILL)
        service.wait()
    with box_office(tmp_path) as service:
        assert hall(service) == {"sequence": 2, "left": 0, "held": {"ann": 15, "bob": 5}}
        assert buy(service, "cid", 1).status == 409
        with service.connect() as client:
            assert b'pex_steps_declined_total{reason="sold-out"} 1.0' in client.ask("GET", "/metrics").body
        assert buy(service, "ann", 15, "/return").status == 200
        assert service.stop() == 0
    rows = [line for path in sorted(tmp_path.glob("journal-*.csv")) for line in path.read_text().splitlines()]
    assert sum(bool(re.search(r"(buy|return):", line)) for line in rows) == 3
    status, printed = ticket_command("journal", "verify", "--data-dir", str(tmp_path))
    assert (status, "Sequence 3, left 15, held bob:5" in printed) == (0, True), printed


def test_clients_that_race_for_seats_get_no_more_than_there_are(tmp_path: Path) -> None:
    """In one group or many, the first ones get seats and the others a no, and the numbers have no gap."""
    with box_office(tmp_path) as service:
        clients = [service.connect() for _ in range(5)]
        for number, client in enumerate(clients):
            client.send(b"".join(message("POST", f"/buy?holder=h{number}&seats=1") for _ in range(8)))
        answers = [client.read() for client in clients for _ in range(8)]
        for client in clients:
            client.close()
        sold = [answer.sequence for answer in answers if answer.status == 200]
        assert sorted(sold) == list(range(1, SEATS + 1))
        assert sum(answer.status == 409 for answer in answers) == len(answers) - SEATS
        assert hall(service)["left"] == 0


@pytest.mark.parametrize(
    ("holder", "seats"),
    [
        ("", 1),
        ("Ann", 1),
        ("a,b", 1),
        ("a%0ab", 1),
        ("a" * 21, 1),
        ("ann", 0),
        ("ann", "x"),
        ("ann", "01"),
        ("ann", 21),
    ],
)
def test_what_is_no_command_is_told_so(tmp_path: Path, holder: str, seats: object) -> None:
    """A request from which no command can be made gets 400, and nothing is written."""
    with box_office(tmp_path) as service:
        assert buy(service, holder, seats).status == 400
        assert hall(service)["sequence"] == 0


def test_the_frame_is_the_walk_s(tmp_path: Path) -> None:
    """Probes, metrics, OpenAPI, and no home: what was not written for it is there, and no word of the walk."""
    with box_office(tmp_path) as service, service.connect() as client:
        assert client.ask("GET", "/readyz").status == 200
        assert client.ask("GET", "/").status == 404
        description = json.loads(client.ask("GET", "/openapi.json").body)
        assert set(description["paths"]) == {
            "/hall",
            "/buy",
            "/return",
            "/events",
            "/livez",
            "/readyz",
            "/metrics",
            "/openapi.json",
        }
        assert (description["info"]["title"], "walk" in str(description)) == ("tickets", False)
        assert {"400", "409"} < set(description["paths"]["/buy"]["post"]["responses"])
        metrics = client.ask("GET", "/metrics").body
        assert b'pex_steps_total{step="buy"} 0.0' in metrics
        assert b"position" not in metrics


def test_no_link_buys_a_seat(tmp_path: Path) -> None:
    """A command is taken by POST alone, and an answer ends its line."""
    with box_office(tmp_path) as service, service.connect() as client:
        refused = client.ask("GET", "/buy?holder=ann&seats=1")
        assert (refused.status, refused["allow"]) == (405, "POST, OPTIONS")
        assert hall(service)["sequence"] == 0
        assert client.ask("GET", "/hall").body.endswith(b"}\n")


def test_the_help_is_its_own() -> None:
    """A list of exit statuses, one a line; the walk's file is spoken of by the walk alone; completion by its name."""
    _, shown = ticket_command("--help")
    assert "\n  Exit statuses:\n     0  done" in shown
    assert "_TICKETS_COMPLETE=bash_source tickets" in shown
    assert "fibo" not in ticket_command("serve", "--help")[1]
    assert "fibo.csv" in run("serve", "--help").stdout


def test_its_completion_asks_what_a_shell_asks() -> None:
    """A variable that was left behind is wrong usage, by the name of this program; a shell gets its script."""
    left = run("version", program=command("tickets"), PYTHONPATH=_path(), _TICKETS_COMPLETE="bash_complete")
    assert (left.returncode, "_TICKETS_COMPLETE is set, but not by a shell" in left.stderr) == (2, True), left.stderr
    asked = run(program=command("tickets"), PYTHONPATH=_path(), _TICKETS_COMPLETE="zsh_source")
    assert (asked.returncode, "_TICKETS_COMPLETE=zsh_complete" in asked.stdout) == (0, True)
    wrong = run("serve", program=command("tickets"), PYTHONPATH=_path(), PEXSERVICE_XYZZY="1")
    assert "'tickets serve --help' names" in wrong.stderr


@pytest.mark.parametrize("ours", ["tickets", "pexservice"])
def test_the_journal_of_another_machine_is_refused(tmp_path: Path, ours: str) -> None:
    """Neither opens what the other wrote: 65, and the true reason."""
    theirs: Sequence[str] = ["pexservice", "tickets"] if ours == "tickets" else ["tickets", "pexservice"]
    with serving(tmp_path, program=command(theirs[0]), PYTHONPATH=_path()) as service:
        assert service.stop() == 0
    done = run("journal", "verify", "--data-dir", str(tmp_path), program=command(ours), PYTHONPATH=_path())
    assert (done.returncode, "another machine" in done.stderr) == (65, True), done.stderr


def test_a_copy_runs_under_another_name(tmp_path: Path) -> None:
    """As the page says: nothing in it needs the folder to be called tickets, and four names are all that there are."""
    original = CHECKOUT / "examples" / "tickets"
    shutil.copytree(original, tmp_path / "yours", ignore=shutil.ignore_patterns("__pycache__"))
    renamed = {
        "__main__.py": 'command_line("tickets", ',
        "app.py": 'name="tickets"',
        "machine.py": 'name = "tickets"',
        "endpoints.py": '"title": "tickets"',
    }
    for name, text in renamed.items():
        path = tmp_path / "yours" / name
        source = path.read_text("utf-8")
        assert source.count(text) == 1, name
        path.write_text(source.replace(text, text.replace("tickets", "yours")), "utf-8")
    path_of_it = f"{environment()['PYTHONPATH']}:{tmp_path}"
    with serving(tmp_path / "data", program=command("yours"), PYTHONPATH=path_of_it) as service:
        assert buy(service, "ann", 1).sequence == 1
        with service.connect() as client:
            assert json.loads(client.ask("GET", "/openapi.json").body)["info"]["title"] == "yours"
        assert service.stop() == 0
    shown = run("--help", program=command("yours"), PYTHONPATH=path_of_it).stdout
    assert ("_YOURS_COMPLETE" in shown, "tickets" in shown) == (True, False)
    rows = "".join(path.read_text("utf-8") for path in (tmp_path / "data").glob("journal-*.csv"))
    assert (",v2 yours," in rows, "tickets" in rows) == (True, False)


def test_the_scenario_of_the_page_passes(tmp_path: Path) -> None:
    """As it stands there, but for the port, in a folder that has a copy of the example and nothing of ours."""
    shutil.copytree(CHECKOUT / "examples" / "tickets", tmp_path / "yours")
    (scenario,) = re.findall(r"```python scenario\n(.*?)```", PAGE, re.DOTALL)
    assert scenario.count("8082") == 2
    (tmp_path / "scenario.py").write_text(scenario.replace("8082", str(free_port())), "utf-8")
    done = subprocess.run(
        [sys.executable, "scenario.py"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert (done.returncode, "Sequence 1, left 5, held ann:15" in done.stdout) == (0, True), done.stderr


def test_the_page_shows_the_files_as_they_are() -> None:
    """Each line of Python in docs/build-your-own.md stands in the example, in order."""
    sources = [path.read_text("utf-8") for path in sorted((CHECKOUT / "examples" / "tickets").glob("*.py"))]
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        lines = [line.strip() for line in block.splitlines() if line.strip() and line.strip() != "..."]
        assert any(all(line in source for line in lines) for source in sources), block


def test_the_page_counts_lines_as_they_are() -> None:
    """What it says of the size of each file is true to ten lines."""
    for name, count in re.findall(r"\| `(\w+\.py)` \| (\d+) \|", PAGE):
        lines = len((CHECKOUT / "examples" / "tickets" / name).read_text("utf-8").splitlines())
        assert abs(lines - int(count)) <= 10, f"{name} has {lines}"
