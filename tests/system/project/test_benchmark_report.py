"""The page of the benchmark, from results that were made up."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report
from benchmarks.figures import Failure, Results, Start
from benchmarks.loads import CONNECTIONS, EVERY, MAIN, POSITIONS, at_position, keep_alive
from benchmarks.peers.catalogue import ABOUT, FSYNC, INSTEAD, ORIGINAL, TITLES
from benchmarks.placement import TWO_CORES
from benchmarks.plots import LOOKS, PLAIN, Bar, Panel, Series, axis, bars, lines
from benchmarks.targets import TARGETS
from support.benchmark_results import measurement, results

_CHECKOUT = Path(__file__).parents[3]


def whole() -> Results:
    """Return results that have something for each picture."""
    loads = {
        MAIN: EVERY,
        **{keep_alive(count): (FSYNC, ORIGINAL) for count in CONNECTIONS if keep_alive(count) != MAIN},
    }
    measured = [measurement(load, peer, answers=1_000 + len(peer)) for load, peers in loads.items() for peer in peers]
    measured += [measurement(at_position(position), FSYNC) for position in POSITIONS]
    starts = [Start(is_with_history=bool(groups), groups=groups, position=0, seconds=0.2) for groups in (0, 1_000)]
    return results(*measured, starts=starts)


def test_the_page_begins_with_one_sentence_and_one_picture_and_ends_with_the_targets(tmp_path: Path) -> None:
    """What a stranger wants first; each of its pictures is there."""
    text = report.write(whole(), tmp_path).read_text("utf-8")
    parts = text.split("\n\n")
    assert parts[1].startswith("**On one core, pexservice answers 1,005 steps a second")
    assert parts[2].startswith("![Steps a second")
    assert [line.split(" |")[0][2:] for line in parts[3].splitlines()[2:]] == [
        TITLES[peer] for peer in (FSYNC, "interval", ORIGINAL, *INSTEAD)
    ]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[-2:] == ["Targets", "Errors, checks, omissions"]
    pictures = re.findall(r"\]\(benchmarks/(\w+)\.svg\)", text)
    assert pictures == ["first", "connections", "position", "starts", "cpu"]
    for name in pictures:
        ET.parse(tmp_path / "benchmarks" / f"{name}.svg")
    assert all(target.what in text for target in TARGETS)


def test_a_page_can_be_made_anew(tmp_path: Path) -> None:
    """From the raw results beside it, and it is the same."""
    measured = whole()
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "of-an-earlier-report.svg").touch()
    text = report.write(measured, tmp_path).read_text("utf-8")
    assert not (tmp_path / "benchmarks" / "of-an-earlier-report.svg").exists()
    again = Results.load(tmp_path / "benchmarks" / "results.json")
    assert (again.measurements, again.starts) == (measured.measurements, measured.starts)
    assert report.write(again, tmp_path / "again").read_text("utf-8") == text


def test_what_failed_and_what_was_left_out_is_told(tmp_path: Path) -> None:
    """By its load and peer; nothing measured is no error."""
    measured = results(measurement(MAIN, FSYNC, errors=3, fault="it lost one"))
    measured.failures.append(Failure(TWO_CORES, MAIN, ORIGINAL, 1, "it ended with 1"))
    measured.skipped.append("Go + bbolt: go is not installed")
    text = report.write(measured, tmp_path).read_text("utf-8")
    assert "2 loads ran, 2 of them not as they must." in text
    assert "pexservice, two cores, next-64, round 0: 3 errors. it lost one" in text
    assert "Go original, two cores, next-64, round 1: it ended with 1" in text
    assert "left out: Go + bbolt: go is not installed" in text
    assert "was not measured in this run" in report.headline(results())


def test_pexservice_has_one_colour_everywhere() -> None:
    """And nobody else has it."""
    colours = {LOOKS[peer].colour for peer, about in ABOUT.items() if about.is_product} | {PLAIN.colour}
    assert len(colours) == 1
    assert not colours & {LOOKS[peer].colour for peer, about in ABOUT.items() if not about.is_product}
    assert set(LOOKS) == set(ABOUT)


def test_a_bar_is_as_long_as_its_value_says() -> None:
    """From zero."""
    svg = bars("title", [Bar(FSYNC, 100.0, "100"), Bar(ORIGINAL, 50.0, "50")])
    full, half = (float(each) for each in re.findall(r'<rect [^>]* width="([0-9.]+)"', svg))
    assert half == pytest.approx(full / 2, abs=0.1)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([240.0, 186.0], [0, 50, 100, 150, 200, 250]),
        ([446.0, 150.0], [0, 100, 200, 300, 400, 500]),
        ([1_469.0, 183_000.0], [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5]),
        ([20.0, 2_000.0], [20, 50, 100, 200, 500, 1_000, 2_000]),
        ([3.0, 9e9], [10.0**exponent for exponent in range(1, 11)]),
        ([0.0, 3.0], [0, 1, 2, 3]),
    ],
)
def test_an_axis_fits_its_values(values: list[float], ticks: list[float]) -> None:
    """From 0 if they are alike, else in steps of 1, 2, 5 or of decades; every value is on it."""
    found, share = axis(values)
    assert found == pytest.approx(ticks)
    assert all(-1e-9 <= share(value) <= 1 + 1e-9 for value in values)
    assert share(found[-1]) > share(found[0])


def test_points_of_the_horizontal_axis_are_at_equal_distances() -> None:
    """Also 0, and of all lines together."""
    series = [Series("a", PLAIN, [(0.0, 1.0), (1_000.0, 2.0)]), Series("b", PLAIN, [(10.0, 3.0)])]
    svg = lines([Panel("title", "x", series)])
    places = sorted(float(each) for each in re.findall(r'<circle cx="([0-9.]+)"', svg))
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    assert ">b</text>" in svg


def test_the_page_in_the_docs_is_made_from_its_results(tmp_path: Path) -> None:
    """Nobody edits it by hand, and no change of the report is forgotten there."""
    page = report.write(Results.load(_CHECKOUT / "docs" / "benchmarks" / "results.json"), tmp_path)
    assert page.read_text("utf-8") == (_CHECKOUT / "docs" / "benchmarks.md").read_text("utf-8")
    for picture in (tmp_path / "benchmarks").glob("*.svg"):
        assert picture.read_text("utf-8") == (_CHECKOUT / "docs" / "benchmarks" / picture.name).read_text("utf-8")
