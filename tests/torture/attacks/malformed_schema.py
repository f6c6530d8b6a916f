"""Schemathesis: the service answers everything as its own description in /openapi.json says.

What a client may send according to the description, and near misses of it, is generated from the description itself,
once as it stands and with header fields that it leaves to HTTP; in half of the rounds a step needs a token, which the
first of the three has not. Every answer must have a status, type, header and body that are described there. The record
of it all tells how many steps were answered; the walk moved by as many.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from support.process import HANG_S, Service, environment
from torture.attack import Attack, Bench, require

CHECKS: Final = [
    "status_code_conformance",  # A 500 is described nowhere.
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]
FIELDS: Final = [
    "Accept: text/plain",
    "Accept: text/html, */*;q=0.1",
    "Accept: application/vnd.pexservice+json",
    "Accept: application/json;q=0.1, text/*",
    "Accept: image/png, */*;q=0",
    "If-None-Match: *",
    'If-Match: "a,b", W/"c"',
    "Origin: http://example.com",
    "Prefer: return=minimal",
    "Sec-Fetch-Site: cross-site",
    "Sec-Purpose: prefetch",
]
TOKEN: Final = "c29tZSB0b2tlbiBmb3IgYSB0ZXN0"
RUNS_A_ROUND: Final = 3
EXAMPLES: Final = 25
STEP_PATHS: Final = {"/next", "/previous", "/reset"}


def run(bench: Bench) -> int:
    """Generate requests from the description, plain and with some fields added."""
    cases = 0
    options: list[str] = []
    credentials: list[str] = []
    if bench.rng.random() < 0.5:
        file = bench.directory / "token"
        file.write_text(TOKEN)
        options, credentials = ["--token-file", str(file)], [f"Authorization: Bearer {TOKEN}"]
    with bench.serving(bench.directory / "data", *options) as service:
        for fields in [[], *([*credentials, field] for field in bench.rng.sample(FIELDS, RUNS_A_ROUND - 1))]:
            before = _sequence(service)
            record = bench.directory / "record.har"
            _generate(service, record, bench.rng.randrange(1 << 32), fields)
            entries: list[dict[str, Any]] = json.loads(record.read_text("utf-8"))["log"]["entries"]
            require(bool(entries), "nothing was asked")
            steps = sum(_has_stepped(entry) for entry in entries)
            taken = _sequence(service) - before
            require(taken == steps, f"{steps} steps were answered with {fields}, and {taken} were taken")
            require(not steps or bool(fields) or not credentials, f"{steps} steps were taken without a token")
            cases += len(entries)
    return cases


def _generate(service: Service, record: Path, seed: int, fields: list[str]) -> None:
    """Run schemathesis. Raises Violation with its report if a check fails."""
    options = ["--seed", str(seed), "--max-examples", str(EXAMPLES), "--generation-database", "none"]
    options += ["--checks", ",".join(CHECKS), "--continue-on-failure", "--warnings", "off", "--no-color"]
    options += ["--exclude-path", "/events"]  # An answer without an end, for which it would wait.
    options += ["--report", "har", "--report-har-path", str(record)]
    for field in fields:
        options += ["--header", field]
    description = record.with_name("openapi.json")  # From a file: it would be asked for with the same fields.
    with service.connect() as client:
        description.write_bytes(client.ask("GET", "/openapi.json").body)
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", str(description), "--url", service.where, *options],
        cwd=record.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    require(done.returncode != 1, f"answers are not as described, with seed {seed} and {fields}: {done.stdout[-4000:]}")
    done.check_returncode()


def _has_stepped(entry: dict[str, Any]) -> bool:
    asked, answered = entry["request"], entry["response"]
    is_step = asked["method"] in {"GET", "POST"} and urlsplit(asked["url"]).path in STEP_PATHS
    is_replay = any(field["name"].lower() == "idempotency-replayed" for field in answered["headers"])
    return is_step and not is_replay and answered["status"] in {200, 204, 303}


def _sequence(service: Service) -> int:
    with service.connect() as client:
        return client.ask("GET", "/current").sequence


ATTACK: Final = Attack(
    "schemathesis", run, 20, 1, sabotage="undeclared-form", noticed="(?s)^answers are not as described.*violates schema"
)
