"""What is shipped for Prometheus and Grafana is valid, and speaks of metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.process import serving
from support.prometheus import CONFIG, DEPLOY, RULES, tool

_DOCS: Final = Path(__file__).parents[3] / "docs" / "watching.md"
_STORE_DOCS: Final = _DOCS.with_name("replicas.md")
"""What it explains is what a replica exposes: tests/service/test_replicas.py."""
_FAULTS: Final = Path(__file__).parents[1] / "alerts"
_TESTS: Final = RULES.with_name("alerts.test.yaml")
_DASHBOARD: Final = DEPLOY / "grafana" / "pexservice.json"
_METRIC: Final = re.compile(r"\b(?:pex|process)_\w+")


def _alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text("utf-8"))


def _found(part: Any, *names: str) -> Iterator[Any]:
    """Return every value in a dashboard that has one of these names."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in names:
                yield value
            yield from _found(value, *names)
    elif isinstance(part, list):
        for each in part:
            yield from _found(each, *names)


def _dashboard() -> Any:
    return json.loads(_DASHBOARD.read_text("utf-8"))


def _expressions() -> list[str]:
    return list(_found(_dashboard(), "expr", "definition"))


@pytest.mark.parametrize(
    "arguments", [["check", "rules", RULES.name], ["check", "config", CONFIG.name], ["test", "rules", _TESTS.name]]
)
def test_promtool_agrees(arguments: list[str]) -> None:
    """The rules and the example of a configuration are valid, and the rules' own tests pass."""
    checked = subprocess.run(
        [tool("promtool"), *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    """Prometheus can read every expression, once Grafana has put in what it puts in."""
    expressions = [each for each in _expressions() if not each.startswith("label_values(")]
    assert len(expressions) > 20
    rules = [
        {"record": f"expression_{number}", "expr": each.replace("$__rate_interval", "1m")}
        for number, each in enumerate(expressions)
    ]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    check = [tool("promtool"), "check", "rules", "rules.yaml"]
    checked = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_that_is_used_exists(tmp_path: Path) -> None:
    """A service, of several processes to show all, exposes every metric of alerts, their tests, and the dashboard."""
    with serving(tmp_path / "data", "--workers", "2") as service, service.connect() as client:
        assert client.ask("GET", "/livez").status == 200
        text = client.ask("GET", "/metrics").body.decode("ascii")
    exposed = set(re.findall(r"^(\w+)[ {]", text, re.MULTILINE))
    exposed |= set(re.findall(r"^\| `(pex_store_\w+)` \|", _STORE_DOCS.read_text("utf-8"), re.MULTILINE))
    used = "\n".join([RULES.read_text("utf-8"), _TESTS.read_text("utf-8"), *_expressions()])
    assert set(_METRIC.findall(used)) <= exposed | {"process_open_fds"}  # Linux 6.2 and later tell it.


def _explained_reasons(metric: str) -> set[str]:
    """Return the reasons that the page's row of a metric names."""
    found = re.search(rf"^\| `{metric}` \|.*", _DOCS.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", found[0])) - {"reason"}


def _reasons_in_rule(alert: str, metric: str) -> set[str]:
    """Return the reasons by which the rule of an alert picks a metric."""
    rule = RULES.read_text("utf-8").partition(f"alert: {alert}\n")[2].partition("- alert:")[0]
    return {each for found in re.findall(rf'{metric}{{reason[!=]~?"([^"]+)"', rule) for each in found.split("|")}


def _reasons_in_section(alert: str) -> set[str]:
    """Return the reasons that the page tells apart in the section of an alert."""
    section = _DOCS.read_text("utf-8").partition(f"\n### {alert}\n")[2].partition("\n###")[0]
    return set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`:", section))


def test_every_reason_is_explained_and_told_of(tmp_path: Path) -> None:
    """What a service counts and shows by reason is on the page, and each reason in the rule of an alert, but two."""
    with serving(tmp_path / "data", "--workers", "2") as service, service.connect() as client:
        assert client.ask("GET", "/livez").status == 200
        text = client.ask("GET", "/metrics").body.decode("ascii")
    refused, unready = (
        set(re.findall(rf'^{metric}{{reason="(.+)"}}', text, re.MULTILINE))
        for metric in ("pex_refused_total", "pex_unready")
    )
    replica = {"server-away"}
    assert refused | replica == _explained_reasons("pex_refused_total")
    assert unready | replica == _explained_reasons("pex_unready")
    told = _reasons_in_rule("PexRefusing", "pex_refused_total")
    assert told == _reasons_in_section("PexRefusing")
    told |= _reasons_in_rule("PexJournalFull", "pex_refused_total")
    assert refused - told == {"recovering", "writer-silent"}, "what lasts of these is told of by PexNotReady"
    others = _reasons_in_rule("PexNotReady", "pex_unready")
    assert unready - others == _reasons_in_section("PexNotReady")
    for alert in ("PexJournalFull", "PexServerAway"):
        others -= _reasons_in_rule(alert, "pex_unready")
    assert others == set(), "left to alerts of their own"


def test_every_metric_that_matters_is_on_the_dashboard() -> None:
    """Of what docs/watching.md explains, the dashboard leaves out only what says little."""
    explained = set(re.findall(r"^\| `((?:pex|process)_\w+)`", _DOCS.read_text("utf-8"), re.MULTILINE))
    shown = {re.sub("_(bucket|sum|count)$", "", name) for each in _expressions() for name in _METRIC.findall(each)}
    assert explained - shown == {"pex_recovery_seconds"}


def test_every_metric_of_replicas_is_on_the_dashboard() -> None:
    """All that docs/replicas.md explains: each tells of a server that fails, or of what it has to do."""
    explained = set(re.findall(r"^\| `(pex_store_\w+)` \|", _STORE_DOCS.read_text("utf-8"), re.MULTILINE))
    shown = {name for each in _expressions() for name in _METRIC.findall(each) if name.startswith("pex_store_")}
    assert shown == explained


def test_the_dashboard_asks_the_data_source_that_is_chosen() -> None:
    """Panels have titles, units and places of their own, and all ask the source that the variable names."""
    dashboard = _dashboard()
    assert [each["name"] for each in dashboard["templating"]["list"]] == ["datasource", "instance"]
    for source in _found(dashboard, "datasource"):
        assert source == {"type": "prometheus", "uid": "${datasource}"}
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert [target["datasource"] for target in panel["targets"]]
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_alert_is_explained_tested_and_seen_to_fire() -> None:
    """Each alert has a section that its link leads to, a test of its rule, and a fault that makes it fire."""
    alerts = _alerts()
    text = RULES.read_text("utf-8")
    assert re.findall(r"runbook_url: docs/watching\.md#(\w+)", text) == [name.lower() for name in alerts]
    assert len(re.findall(r"(?:summary|description): \S", text)) == 2 * len(alerts)
    assert set(re.findall(r"^### (Pex\w+)$", _DOCS.read_text("utf-8"), re.MULTILINE)) == set(alerts)
    assert set(re.findall(r'alertname=\\?"(\w+)', _TESTS.read_text("utf-8"))) == set(alerts)
    faults = "".join(path.read_text("utf-8") for path in _FAULTS.glob("test_*.py"))
    assert set(re.findall(r'"""(Pex\w+): ', faults)) == set(alerts)
