"""A campaign counts what it must, and nothing else."""

import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from pexservice.core.judging import Place
from support.much import Much
from support.process import slow_to_recover
from torture import campaign
from torture.__main__ import _row as row
from torture.__main__ import main
from torture.attack import Attack, Bench, Unsupported, Violation
from torture.campaign import Outcome, Task, run_task
from torture.load import place_of


def harm(_bench: Bench) -> int:
    return 5


ATTACK = Attack("harm", harm, rounds=2, rounds_short=1, sabotage="no-such-safeguard", noticed="^is lost", cycles=10)
CONTROL = Outcome("harm/control", "harm", is_control=True, violation="is lost: a step")
ROUND = Outcome("harm/0", "harm", is_control=False, cycles=10)


@pytest.mark.parametrize(
    ("outcomes", "is_bad", "is_skipped"),
    [
        ([CONTROL, ROUND], False, False),
        ([CONTROL, replace(ROUND, violation="is lost")], True, False),
        ([CONTROL, replace(ROUND, error="Traceback")], True, False),
        ([CONTROL, replace(ROUND, cycles=9)], True, False),
        ([CONTROL, replace(ROUND, cycles=0, unsupported="strace")], False, True),
        ([CONTROL, replace(ROUND, unsupported="strace"), replace(ROUND, violation="is lost")], True, True),
        ([replace(CONTROL, violation=""), ROUND], True, False),
        ([replace(CONTROL, error="noticed by something else"), ROUND], True, False),
        ([replace(CONTROL, violation="", unsupported="strace"), ROUND], False, True),
    ],
)
def test_what_an_attack_came_to(outcomes: list[Outcome], is_bad: bool, is_skipped: bool) -> None:  # noqa: FBT001 - cases.
    """Violations, failures, too few cycles and a control that was not caught count, also beside rounds that skipped."""
    found = row(ATTACK, outcomes, much=Much.FULL)
    assert (found.is_bad, found.is_skipped) == (is_bad, is_skipped)


def test_what_was_found_is_told_again() -> None:
    """What a round broke, and how a control or a round failed itself; not what a control was to notice."""
    broken, failed = (
        replace(ROUND, violation="x is lost"),
        replace(ROUND, key="harm/1", error="a" * 9_999 + "ValueError"),
    )
    first, second = row(ATTACK, [CONTROL, broken, failed], much=Much.FULL).findings
    assert first == "harm/0: x is lost"
    assert second.startswith("harm/1: aaa")
    assert second.endswith("ValueError")
    assert len(second) < 1_000
    assert row(ATTACK, [CONTROL, ROUND], much=Much.FULL).findings == []


def test_cycles_are_demanded_of_a_full_campaign_only() -> None:
    """The short form does fewer, but never none."""
    assert not row(ATTACK, [CONTROL, replace(ROUND, cycles=1)], much=Much.SHORT).is_bad
    assert row(ATTACK, [CONTROL, replace(ROUND, cycles=0)], much=Much.SHORT).is_bad


@pytest.mark.parametrize("word", ["short", "full"])
def test_how_much_is_said_in_the_words_of_the_tests(tmp_path: Path, word: str) -> None:
    """As `--much` of pytest takes them; a campaign of no attack ends well."""
    ended = CliRunner().invoke(main, ["--much", word, "--only", "none of this name", "--keep", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert f", {word}: 0 attacks" in ended.output


def test_a_torn_record_is_resumed(tmp_path: Path) -> None:
    """A kill in the middle of a line costs that line."""
    record = tmp_path / "record"
    campaign.run([], record, tmp_path, jobs=1, on_outcome=print)
    whole = '{"key": "harm/0", "attack": "harm", "is_control": false, "cycles": 10}\n'
    record.write_text(whole + whole[:20])
    assert campaign._read(record) == [ROUND]
    assert record.read_text() == whole


def control(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: Exception) -> Outcome:
    def attack(_bench: Bench) -> int:
        raise found

    monkeypatch.setattr(campaign, "ATTACKS", [replace(ATTACK, run=attack)])
    return run_task(Task("harm", None, 2, 1), tmp_path)


def test_a_control_must_be_noticed_by_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any other violation, or a client that was cut off, is a failure of the control."""
    assert not control(monkeypatch, tmp_path, Violation("is lost: a step")).error
    assert control(monkeypatch, tmp_path, Violation("it did not start: no reason")).error
    assert control(monkeypatch, tmp_path, ConnectionError("reset")).error
    assert control(monkeypatch, tmp_path, TimeoutError()).error
    assert control(monkeypatch, tmp_path, Unsupported("strace")).unsupported


def test_a_control_that_crashes_is_not_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What makes the service fall over would be noticed by any attack."""

    def attack(bench: Bench) -> int:
        with bench.serving(bench.directory / "data") as service:
            message = f"is lost: {service.log}"
            raise Violation(message)

    monkeypatch.setattr(campaign, "ATTACKS", [replace(ATTACK, run=attack)])
    assert "KeyError" in run_task(Task("harm", None, 2, 1), tmp_path).error


def test_no_attack_begins_before_it_has_recovered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where others write to the disk a start takes its time, and a 503 until then is no violation."""
    slow = [sys.executable, "-c", slow_to_recover(2)]
    monkeypatch.setattr("torture.attack.command", lambda *_: slow)
    with Bench(Random(1), 0, 1, tmp_path).serving(tmp_path / "data") as service:
        assert place_of(service) == Place(0, 0)
