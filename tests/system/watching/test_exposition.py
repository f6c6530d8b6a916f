"""/metrics: what it shows is what there is, explained, and in the form that Prometheus wants."""

import platform
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pexservice import __version__
from pexservice.core.measures import OF_THE_FRAME
from pexservice.walk.machine import WALK
from support.client import Client
from support.process import Service, serving, wait_until
from support.prometheus import tool
from torture.vitals import cpu_s, descriptors, memory

_DOCS: Final = Path(__file__).parents[3] / "docs" / "watching.md"
_ROW: Final = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
_COUNTS_DESCRIPTORS: Final = Path("/proc/self/fd").stat().st_size > 0
"""Since Linux 6.2."""
_TYPE: Final = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    options = ["--durability", "interval", "--sync-interval", "50ms", "--max-pending", "7", "--max-connections", "9"]
    with serving(tmp_path_factory.mktemp("data"), *options) as running, running.connect() as client:
        assert client.ask("POST", "/next").status == 200
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with service.connect() as connected:
        yield connected


def _text(client: Client) -> str:
    answer = client.ask("GET", "/metrics")
    assert answer.status == 200
    return answer.body.decode("ascii")


def _samples(client: Client) -> dict[str, float]:
    """Return the samples without labels."""
    families = text_string_to_metric_families(_text(client))
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def test_the_form_is_as_prometheus_wants_it(client: Client) -> None:
    """`promtool check metrics` finds nothing to say about names, units and help."""
    check = [tool("promtool"), "check", "metrics"]
    checked = subprocess.run(check, input=_text(client), capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_metric_is_explained(workers: int, tmp_path: Path) -> None:
    """docs/watching.md names the metrics of a service with their types and labels, and no others.

    One of several processes shows what one shows, and how many connections each of its workers has.
    """
    with serving(tmp_path, "--workers", str(workers)) as service, service.connect() as client:
        assert client.ask("POST", "/next").status == 200
        text = _text(client)
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    shown = {(name, kind, frozenset(labels[name])) for name, kind in _TYPE.findall(text)}
    section = _DOCS.read_text("utf-8").partition("\n## Metrics\n")[2].partition("\n## ")[0]
    explained = {(name, kind, frozenset(re.findall(r"`(\w+)`", names))) for name, kind, names in _ROW.findall(section)}
    unknown = set() if _COUNTS_DESCRIPTORS else {("process_open_fds", "gauge", frozenset[str]())}
    if workers == 1:
        unknown |= {("pex_worker_connections", "gauge", frozenset(["worker"]))}
        unknown |= {("pex_workers_replaced_total", "counter", frozenset[str]())}
    assert shown == explained - unknown


def test_the_names_that_a_machine_cannot_have_are_those_of_the_frame() -> None:
    """All that the pages explain, of a service and of its stores, but those of the walk."""
    texts = [page.read_text("utf-8") for page in (_DOCS, _DOCS.with_name("replicas.md"))]
    explained = {name for text in texts for name in re.findall(r"^\| `(pex_\w+)` \|", text, re.MULTILINE)}
    of_the_walk = {measure.name for measure in WALK.measures(0)}
    assert {name.removesuffix("_total") for name in explained - of_the_walk} == OF_THE_FRAME


def test_bounds_are_those_that_hold(client: Client) -> None:
    """Bounds that are options are shown as given, so that alerts can speak of them."""
    samples = _samples(client)
    assert (samples["pex_steps_waiting_max"], samples["pex_connections_max"]) == (7, 9)
    assert samples["pex_unsent_bytes_max"] == 128 << 20
    assert samples["pex_segment_bytes_max"] == 1 << 20


def test_what_runs_is_told(client: Client) -> None:
    """pex_info carries the version, that of Python, the durability, and how syncs are done."""
    info = next(line for line in _text(client).splitlines() if line.startswith("pex_info{"))
    for label in (f'version="{__version__}"', f'python="{platform.python_version()}"', 'durability="interval"'):
        assert label in info
    assert re.search(r'sync_method="(posix-aio|thread)(-direct)?"', info)


def test_flushes_are_timed_if_there_was_something_to_sync(client: Client) -> None:
    """Under `interval` a step is followed by one flush, and none follows that."""
    wait_until(lambda: _samples(client)["pex_flush_seconds_count"] > 0)
    before = _samples(client)
    assert client.ask("POST", "/next").status == 200
    wait_until(lambda: _samples(client)["pex_flush_seconds_count"] > before["pex_flush_seconds_count"])
    time.sleep(0.2)  # Four intervals, in which nothing may happen.
    after = _samples(client)
    assert after["pex_flush_seconds_count"] == before["pex_flush_seconds_count"] + 1
    assert after["pex_commit_seconds_count"] == before["pex_commit_seconds_count"] + 1
    assert after["pex_flush_seconds_sum"] > before["pex_flush_seconds_sum"]


def test_free_space_is_that_of_the_file_system(client: Client, tmp_path: Path) -> None:
    """What is shown as free is what statvfs(3) says of the data directory, give or take what others write."""
    shown = _samples(client)["pex_disk_free_bytes"]
    found = subprocess.run(["df", "--output=avail", "-B1", str(tmp_path)], capture_output=True, text=True, check=True)
    assert shown == pytest.approx(int(found.stdout.split()[1]), rel=0.2)


def test_a_scrape_needs_no_descriptor(tmp_path: Path) -> None:
    """Without a descriptor to spare, all is shown but the memory."""
    with serving(tmp_path / "data") as service, service.connect() as client:
        before = _samples(client)
        _, hard = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (3, hard))
        during = _samples(client)
        assert before.keys() - during.keys() == {"process_resident_memory_bytes"}
        assert (during["pex_ready"], during["process_max_fds"]) == (1, 3)


def test_the_process_is_as_the_kernel_says(tmp_path: Path) -> None:
    """Start, processor time, memory and descriptors are those that others see, too."""
    began_s = time.time()
    with serving(tmp_path / "data") as service, service.connect() as client:
        shown = _samples(client)
        assert began_s <= shown["process_start_time_seconds"] <= time.time()
        assert 0 < shown["process_cpu_seconds_total"] <= cpu_s(service) + 0.02  # Which counts in hundredths.
        assert shown["process_resident_memory_bytes"] == pytest.approx(memory(service).rss_bytes, rel=0.05)
        assert not _COUNTS_DESCRIPTORS or shown["process_open_fds"] == descriptors(service)
        assert shown["process_max_fds"] == resource.prlimit(service.pid, resource.RLIMIT_NOFILE)[0]


def test_a_stopped_process_was_late(tmp_path: Path) -> None:
    """Time in which the process could not run is added up, and never more than has passed."""
    began_s = time.monotonic()
    with serving(tmp_path / "data") as service, service.connect() as client:
        before_s = _samples(client)["pex_loop_late_seconds_total"]
        service.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        service.send_signal(signal.SIGCONT)
        wait_until(lambda: _samples(client)["pex_loop_late_seconds_total"] - before_s >= 1.4)
        next_sweep = client.ask("GET", "/livez")["date"]
        wait_until(lambda: client.ask("GET", "/livez")["date"] != next_sweep)
        late_s = _samples(client)["pex_loop_late_seconds_total"]
        assert before_s + 1.4 <= late_s < time.monotonic() - began_s  # Busy neighbours make it late, too.


def test_the_owner_of_the_data_was_late(tmp_path: Path) -> None:
    """With workers, it counts as each of them does: a third, where there are two."""
    with serving(tmp_path / "data", "--workers", "2") as service, service.connect() as client:
        before_s = _samples(client)["pex_loop_late_seconds_total"]
        service.send_signal(signal.SIGSTOP)
        time.sleep(4.5)
        service.send_signal(signal.SIGCONT)
        time.sleep(2.5)  # No longer: what busy neighbours make of workers adds up, too.
        assert _samples(client)["pex_loop_late_seconds_total"] - before_s >= 3.4 / 3


def test_answers_are_counted_from_the_start(client: Client) -> None:
    """Each status that the page names has its count before the first, so that an alert sees the first."""
    row = next(line for line in _DOCS.read_text("utf-8").splitlines() if line.startswith("| `pex_answers_total`"))
    named = re.findall(r"\b[1-5][0-9][0-9]\b", row)
    shown = re.findall(
        r'^pex_answers_total\{status="(\d+)"\}', client.ask("GET", "/metrics").body.decode(), re.MULTILINE
    )
    assert "412" in named
    assert set(named) <= set(shown)
