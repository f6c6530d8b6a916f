"""Plots as SVG."""

from xml.etree import ElementTree as ET

from pexservice.trial.figures import Outcome
from pexservice.trial.svg import load

SERVED = [(50, 0.4), (90, 0.6), (99, 3.0), (100, 12.0)]


def test_a_load_has_two_plots() -> None:
    """Its rate, and its times; the file is well-formed whatever the title holds."""
    outcome = Outcome("a load", 10, 100, 0, 0, 1.0, 1, SERVED)
    root = ET.fromstring(load(outcome, [(0.0, 0), (0.5, 60), (1.0, 100)], "a < b & c"))
    assert len(root.findall("{*}polyline")) == 2
    words = [each.text for each in root.findall("{*}text")]
    assert {"a < b & c", "steps a second", "answered within, ms", "99%", "100%"} <= set(words)


def test_a_load_without_answers_has_its_plot() -> None:
    """Of nothing."""
    root = ET.fromstring(load(Outcome("a load", 1, 0, 0, 1, 0.0, 0, []), [], "none"))
    assert len(root.findall("{*}polyline")) == 1
